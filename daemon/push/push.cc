#include "daemon/push/push.h"

#include <algorithm>

namespace tocsin::push {

Pusher::Pusher(const PushConfig& config, const model::Labels& external_labels,
               const PushPages& pages, const Clock& clock, ExecutorFactory& executors,
               HttpClient& client, MetricRegistry& registry) {
  for (const RemoteWriteConfig& destination : config.remote_write) {
    remote_writes_.push_back(std::make_unique<RemoteWriteDestination>(
        destination, external_labels, clock, executors, client, registry));
  }
  for (const PushgatewayConfig& gateway : config.pushgateways) {
    gateways_.push_back(std::make_unique<PushgatewayDestination>(gateway, pages, clock, executors,
                                                                 client, registry));
  }
}

Pusher::~Pusher() = default;

void Pusher::OnCommit(const model::CommitContext& /*context*/,
                      std::span<const model::SeriesSample> samples) {
  for (const auto& destination : remote_writes_) destination->Offer(samples);
}

void Pusher::Flush() {
  for (const auto& destination : remote_writes_) destination->Flush();
  for (const auto& gateway : gateways_) gateway->Flush();
}

bool Pusher::Idle() const {
  return std::all_of(remote_writes_.begin(), remote_writes_.end(),
                     [](const auto& destination) { return destination->Idle(); }) &&
         std::all_of(gateways_.begin(), gateways_.end(),
                     [](const auto& gateway) { return gateway->Idle(); });
}

}  // namespace tocsin::push
