#pragma once

// Sends what this daemon collects and decides on to others: each commit to the
// remote_write destinations, the latest values of all targets to Pushgateways, alerts to
// Alertmanagers. Everything is asynchronous; a destination that is slow or down delays
// nobody and costs only itself. What is not sent when the process ends is lost here (the
// store has the samples, and alerts that fire are told again after the next start).

#include <memory>
#include <span>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/executor.h"
#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"
#include "daemon/base/metrics.h"
#include "daemon/model/alert.h"
#include "daemon/model/labels.h"
#include "daemon/model/sample_sink.h"
#include "daemon/push/alertmanager.h"
#include "daemon/push/push_config.h"
#include "daemon/push/pushgateway.h"
#include "daemon/push/remote_write.h"

namespace tocsin::push {

// Thread-safe. Collaborators must outlive it; no commit may come during destruction.
class Pusher : public model::CommitObserver {
 public:
  // `external_labels` are added to every series that leaves, where it has none of the
  // name; `pages` gives the Pushgateways their bodies (and adds those labels itself).
  // Credentials that stand in `files` are read there before each request.
  Pusher(const PushConfig& config, const model::Labels& external_labels, const PushPages& pages,
         const Clock& clock, ExecutorFactory& executors, HttpClient& client, FileSystem& files,
         MetricRegistry& registry);
  ~Pusher() override;

  // Queues a commit's samples, staleness markers included, of every origin: what came by
  // remote write goes on, as in Prometheus.
  void OnCommit(const model::CommitContext& context,
                std::span<const model::SeriesSample> samples) override;

  // Queues alerts for every Alertmanager; their labels are those that leave this host.
  void OnAlerts(std::span<const model::Alert> alerts);

  // Sends now what would wait for a fuller batch or the next round; for an orderly end:
  // Flush(), then wait for Idle() as long as there is time.
  void Flush();

  // True if nothing waits and nothing is under way.
  bool Idle() const;

 private:
  std::vector<std::unique_ptr<RemoteWriteDestination>> remote_writes_;
  std::vector<std::unique_ptr<PushgatewayDestination>> gateways_;
  std::vector<std::unique_ptr<AlertmanagerDestination>> alertmanagers_;
};

}  // namespace tocsin::push
