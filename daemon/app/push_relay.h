#pragma once

// Hands commits and alerts to the Pusher of the present configuration; a reload swaps it.
// Thread-safe.

#include <memory>
#include <span>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/executor.h"
#include "daemon/base/http_client.h"
#include "daemon/base/metrics.h"
#include "daemon/base/mutex.h"
#include "daemon/model/alert.h"
#include "daemon/model/sample_sink.h"
#include "daemon/poll/poller.h"
#include "daemon/push/push.h"

namespace tocsin::app {

class PushRelay : public model::CommitObserver {
 public:
  // `poller` gives the Pushgateways their pages; all references must outlive the relay.
  PushRelay(const poll::Poller& poller, const Clock& clock, ExecutorFactory& executors,
            HttpClient& http, FileSystem& files, MetricRegistry& registry);

  // Sends to these destinations from now on; nothing changes if `digest` is that of
  // the last call. What changed destinations had not sent yet is not sent any more.
  // Apply() and Stop() come from one thread.
  void Apply(const push::PushConfig& config, const model::Labels& external_labels,
             const std::string& digest);

  // Sends what waits, until `deadline`, and then nothing more.
  void Stop(SteadyTime deadline);

  void OnCommit(const model::CommitContext& context,
                std::span<const model::SeriesSample> samples) override;
  void OnAlerts(std::span<const model::Alert> alerts);

 private:
  std::shared_ptr<push::Pusher> Present();
  void Swap(std::shared_ptr<push::Pusher> next);

  const poll::Poller& poller_;
  const Clock& clock_;
  ExecutorFactory& executors_;
  HttpClient& http_;
  FileSystem& files_;
  MetricRegistry& registry_;
  std::string digest_;  // Of what Apply() took last.
  Mutex mutex_;
  std::shared_ptr<push::Pusher> pusher_ GUARDED_BY(mutex_);
};

}  // namespace tocsin::app
