// Deliveries whose receiver the configuration does not have any more.

#include <algorithm>
#include <map>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/base/text.h"
#include "daemon/notify/notifier_impl.h"

namespace tocsin::notify {
namespace {

// "RECEIVER" of "RECEIVER/slack/0"; a receiver's name may hold a slash.
std::string ReceiverOf(const std::string& integration) {
  const auto index = integration.rfind('/');
  const auto kind =
      index == 0 || index == std::string::npos ? index : integration.rfind('/', index - 1);
  return integration.substr(0, kind == std::string::npos ? 0 : kind);
}

// What tells a receiver from others, its name apart: each integration's kind and
// number ("/slack/0") and channel.
using Channels = std::map<std::string, std::string>;

std::map<std::string, Channels> ByReceiver(const IntegrationChannels& channels) {
  std::map<std::string, Channels> receivers;
  for (const auto& [id, channel] : channels) {
    const std::string receiver = ReceiverOf(id);
    receivers[receiver][id.substr(receiver.size())] = channel;
  }
  return receivers;
}

}  // namespace

IntegrationChannels NotifierImpl::ChannelsOf(const Receivers& receivers) {
  IntegrationChannels channels;
  for (const auto& [id, settings] : receivers) {
    channels[id] = Sha256Hex(settings.receiver->ChannelKey());
  }
  return channels;
}

Dispatcher::ReceiverNames NotifierImpl::FindRenamed(const NotifyConfig& next,
                                                    const Receivers& receivers) {
  Dispatcher::ReceiverNames renamed;
  const auto old = ByReceiver(channels_);
  const auto present = ByReceiver(ChannelsOf(receivers));
  for (const auto& gone : old) {
    if (next.FindReceiver(gone.first) != nullptr) continue;
    const auto same = std::find_if(present.begin(), present.end(), [&](const auto& receiver) {
      return !old.count(receiver.first) && receiver.second == gone.second;
    });
    if (same != present.end()) renamed[gone.first] = same->first;
  }
  return renamed;
}

NotifierImpl::Orphans NotifierImpl::SettleOrphans(Moment now) {
  Orphans orphans;
  Step step;
  bool all_settled = true;
  for (const notify::Outbox::Waiting& waiting : outbox_.List()) {
    if (channels_.count(waiting.delivery.integration)) continue;
    if (waiting.in_flight) {  // It has ended and only waits for the disk.
      all_settled = false;
      continue;
    }
    Delivery delivery = waiting.delivery;
    const std::string receiver = ReceiverOf(delivery.integration);
    std::string name = receiver;
    for (std::size_t hops = 0; hops < renamed_.size(); ++hops) {
      const auto next = renamed_.find(name);
      if (next == renamed_.end() || planner().config()->FindReceiver(name)) break;
      name = next->second;
    }
    const std::string moved_to = name + delivery.integration.substr(receiver.size());
    if (!channels_.count(moved_to)) {
      step.changes.dropped_deliveries.push_back(delivery.id);
      orphans.dropped.push_back(std::move(delivery));
      continue;
    }
    auto payload = db_->LoadPayload(delivery.id);
    if (!payload.ok()) {  // Tried again at the next look.
      all_settled = false;
      continue;
    }
    step.changes.dropped_deliveries.push_back(delivery.id);
    delivery.id = 0;
    delivery.integration = moved_to;
    delivery.payload = *std::move(payload);
    delivery.next_attempt_at = now.wall;
    orphans.moved.push_back(delivery);
    step.changes.deliveries.push_back(std::move(delivery));
  }
  const bool notes_channels = all_settled && !channels_written_;
  if (notes_channels) step.changes.channels = channels_;
  if (step.changes.empty() || !Commit(std::move(step), now).ok()) return {};
  if (notes_channels) channels_written_ = true;
  return orphans;
}

void NotifierImpl::Report(const Orphans& orphans) {
  metrics_.deliveries_orphaned.Add(static_cast<double>(orphans.dropped.size()));
  for (const Delivery& delivery : orphans.dropped) {
    LogError("a notification is dropped: the configuration has no such receiver any more",
             {{"integration", delivery.integration},
              {"group", delivery.group_key},
              {"attempts", std::to_string(delivery.attempts)},
              {"error", delivery.last_error}});
  }
  for (const Delivery& delivery : orphans.moved) {
    LogInfo("a notification goes on to the receiver under its new name",
            {{"integration", delivery.integration}, {"group", delivery.group_key}});
  }
}

}  // namespace tocsin::notify
