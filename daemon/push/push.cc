#include "daemon/push/push.h"

#include <algorithm>

namespace tocsin::push {

Pusher::Pusher(const PushConfig& config, const model::Labels& external_labels,
               const PushPages& pages, const Clock& clock, ExecutorFactory& executors,
               HttpClient& client, FileSystem& files, MetricRegistry& registry) {
  for (const RemoteWriteConfig& destination : config.remote_write) {
    remote_writes_.push_back(std::make_unique<RemoteWriteDestination>(
        destination, external_labels, clock, executors, client, files, registry));
  }
  for (const PushgatewayConfig& gateway : config.pushgateways) {
    gateways_.push_back(std::make_unique<PushgatewayDestination>(gateway, pages, clock, executors,
                                                                 client, files, registry));
  }
  for (const AlertmanagerConfig& alertmanager : config.alertmanagers) {
    alertmanagers_.push_back(std::make_unique<AlertmanagerDestination>(
        alertmanager, clock, executors, client, files, registry));
  }
}

Pusher::~Pusher() = default;

void Pusher::OnCommit(const model::CommitContext& /*context*/,
                      std::span<const model::SeriesSample> samples) {
  for (const auto& destination : remote_writes_) destination->Offer(samples);
}

void Pusher::OnAlerts(std::span<const model::Alert> alerts) {
  for (const auto& destination : alertmanagers_) destination->Offer(alerts);
}

void Pusher::Flush() {
  for (const auto& destination : remote_writes_) destination->Flush();
  for (const auto& gateway : gateways_) gateway->Flush();
  for (const auto& destination : alertmanagers_) destination->Flush();
}

bool Pusher::Idle() const {
  const auto idle = [](const auto& destinations) {
    return std::all_of(destinations.begin(), destinations.end(),
                       [](const auto& destination) { return destination->Idle(); });
  };
  return idle(remote_writes_) && idle(gateways_) && idle(alertmanagers_);
}

}  // namespace tocsin::push
