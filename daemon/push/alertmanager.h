#pragma once

// One Alertmanager that this daemon's alerts go to besides its own receivers: each
// transition at once, every firing alert again each minute, as Prometheus sends them.
//
// Unlike Prometheus, which forgets a batch that failed, what was not accepted waits: an
// alert once, in its newest state. Nothing is on disk: after a crash the rules tell
// again whatever fires, but a resolve that waited here is the Alertmanager's to find
// out, when the alert's endsAt passes.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/base/executor.h"
#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"
#include "daemon/base/mutex.h"
#include "daemon/model/alert.h"
#include "daemon/push/lane_sender.h"
#include "daemon/push/push_config.h"
#include "daemon/push/push_metrics.h"

namespace tocsin::push {

// Below an Alertmanager's URL.
inline constexpr const char* kAlertsPath = "/api/v2/alerts";

// The body of a POST to it, as Prometheus writes it.
std::string EncodeAlerts(std::span<const model::Alert> alerts);

// Thread-safe.
class AlertmanagerDestination {
 public:
  static constexpr std::size_t kCapacity = 10'000;  // Alerts; the oldest go beyond it.
  static constexpr std::size_t kMaxAlertsPerSend = 256;
  static constexpr Millis kMinBackoff = std::chrono::seconds(1);
  static constexpr Millis kMaxBackoff = std::chrono::seconds(30);

  AlertmanagerDestination(AlertmanagerConfig config, const Clock& clock, ExecutorFactory& executors,
                          HttpClient& client, FileSystem& files, MetricRegistry& registry);
  ~AlertmanagerDestination();

  // Queues alerts; each replaces what waits of the same label set.
  void Offer(std::span<const model::Alert> alerts);

  // Sends what waits for the end of a backoff now.
  void Flush();

  // True if nothing waits and nothing is under way.
  bool Idle() const;

 private:
  using Place = std::uint64_t;  // In the queue; a replaced alert keeps its own.

  void Queue(model::Alert alert) REQUIRES_LOCK(mutex_);
  void Pump();
  void Finish(const HttpExchange& exchange);
  void PutBack();
  void Say(bool failing, const std::string& why);

  const AlertmanagerConfig config_;
  const Clock& clock_;
  FileSystem& files_;
  AlertmanagerMetrics metrics_;
  LaneSender sender_;

  mutable Mutex mutex_;
  std::map<Place, model::Alert> queue_ GUARDED_BY(mutex_);
  std::unordered_map<model::Labels, Place, model::LabelsHash> places_ GUARDED_BY(mutex_);
  Place next_place_ GUARDED_BY(mutex_) = 0;
  bool busy_ GUARDED_BY(mutex_) = false;  // A request is under way.
  SteadyTime not_before_ GUARDED_BY(mutex_){};

  // Of the lane alone.
  std::vector<std::pair<Place, model::Alert>> batch_;
  Millis backoff_ = kMinBackoff;
  bool failing_ = false;

  std::unique_ptr<Executor> lane_;  // Last: it goes first, and its tasks use all of the above.
};

}  // namespace tocsin::push
