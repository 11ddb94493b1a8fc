// What became of a delivery: it was taken, or it will never be.

#include "daemon/notify/dispatcher.h"

namespace tocsin::notify {
namespace {

// What has ended may be forgotten by now: the message knows it still.
AlertPtr EndedAlert(const NotifiedAlert& told, Moment now) {
  auto ended = std::make_shared<TrackedAlert>();
  model::Alert& alert = ended->alert;
  alert.labels = told.labels;
  alert.annotations = told.annotations;
  alert.starts_at = told.starts_at;
  alert.ends_at = told.ends_at;
  alert.updated_at = now.wall;
  alert.generator_url = told.generator_url;
  alert.value = told.value;
  alert.resolve_reason = told.resolve_reason;
  ended->fingerprint = alert.labels.Fingerprint();
  ended->resolved = true;
  ended->expires_at = now.SteadyAt(alert.ends_at);
  return ended;
}

// The ends that are not yet too old to be told.
std::vector<AlertPtr> EndsIn(const Notification& message, const std::set<std::uint64_t>& told_later,
                             Moment now) {
  std::vector<AlertPtr> ends;
  for (const NotifiedAlert& told : message.alerts) {
    if (!told.resolved || told.ends_at + kDeliveryLifetime <= now.wall) continue;
    AlertPtr ended = EndedAlert(told, now);
    if (!told_later.count(ended->fingerprint)) ends.push_back(std::move(ended));
  }
  return ends;
}

// What was taken before, or may have been, stays open.
void UntellFiring(LogEntry& log, std::uint64_t fingerprint, bool maybe_taken) {
  const auto told = log.firing.find(fingerprint);
  if (told == log.firing.end()) return;
  told->second.taken |= maybe_taken;
  if (!told->second.taken) log.firing.erase(told);
}

// Whether a message told only what was told before. New alerts and ends are told again by
// themselves.
bool IsRepeat(const Notification& message) {
  return message.reason == Reason::kRepeatInterval || message.reason == Reason::kQuietEnded;
}

// Whatever becomes of what is told later: the receiver may believe that it fires.
void KeepOpen(LogEntry& log, std::uint64_t fingerprint) {
  const auto told = log.firing.find(fingerprint);
  if (told != log.firing.end()) told->second.taken = true;
}

LogEntry LogOf(const Group& group, const std::string& integration) {
  const auto entry = group.log.find(integration);
  return entry == group.log.end() ? LogEntry{} : entry->second;
}

}  // namespace

void Dispatcher::PlanTaken(const Delivery& delivery, Step& step) const {
  const std::optional<GroupId> id = GroupOf(delivery);
  if (!id || !Current(step, *id)) return;
  LogEntry log = LogOf(*Current(step, *id), delivery.integration);
  bool changed = false;
  for (const std::uint64_t fingerprint : delivery.firing) {
    const auto told = log.firing.find(fingerprint);
    if (told == log.firing.end() || told->second.taken) continue;
    told->second.taken = true;
    changed = true;
  }
  if (!changed) return;
  Touch(step, *id).log[delivery.integration] = log;
  step.changes.log.push_back({*id, delivery.integration, std::move(log)});
}

void Dispatcher::PlanUntell(const Delivery& delivery, Moment now, const Outbox& outbox,
                            Step& step) const {
  const std::optional<GroupId> id = GroupOf(delivery);
  if (!id) return;
  const std::set<std::uint64_t> told_later = outbox.ToldAfter(delivery);
  const auto message = DecodeNotification(delivery.payload);
  std::vector<AlertPtr> ends;
  if (message.ok()) ends = EndsIn(*message, told_later, now);
  if (!Current(step, *id)) {
    if (ends.empty()) return;
    Group again = MakeGroupAgain(*id, message->group_labels, *ends.front(), now);
    step.changes.groups.push_back(RowOf(again, now));
    step.groups[*id] = std::move(again);
  }
  Group& group = Touch(step, *id);
  LogEntry& log = group.log[delivery.integration];
  // Repeated at the next flush.
  if (delivery.maybe_taken || !message.ok() || IsRepeat(*message)) log.told_at = {};
  for (const std::uint64_t fingerprint : delivery.firing) {
    if (!told_later.count(fingerprint)) {
      UntellFiring(log, fingerprint, delivery.maybe_taken);
    } else if (delivery.maybe_taken) {
      KeepOpen(log, fingerprint);
    }
  }
  for (const std::uint64_t fingerprint : delivery.resolved) {
    if (told_later.count(fingerprint)) KeepOpen(log, fingerprint);
  }
  for (const AlertPtr& end : ends) {
    group.members.insert(end->fingerprint);
    log.firing[end->fingerprint] = {.taken = true};
    log.resolved.erase(end->fingerprint);
    const AlertPtr known = FindAlert(step, end->fingerprint);
    if (known && !known->resolved) log.told_at = {};  // It fires again: told so all the same.
    if (known) continue;
    step.changes.alerts.push_back(end);
    step.alerts[end->fingerprint] = end;
  }
  step.changes.log.push_back({*id, delivery.integration, log});
}

std::optional<GroupId> Dispatcher::GroupOf(const Delivery& delivery) const {
  for (const ReceiverConfig& receiver : config_->receivers) {
    for (const IntegrationConfig& integration : receiver.integrations) {
      if (integration.id == delivery.integration) return GroupId(delivery.group_key, receiver.name);
    }
  }
  return std::nullopt;
}

// It was forgotten with the last of its members.
Group Dispatcher::MakeGroupAgain(const GroupId& id, const model::Labels& labels,
                                 const TrackedAlert& ended, Moment now) const {
  Group group;
  group.id = id;
  group.labels = labels;
  for (const RouteNode* node : routes_->Match(ended.alert.labels)) {
    if (IdOf(*node, ended.alert.labels) == id) group.route = node->config;
  }
  group.flushed = true;
  group.next_flush = now.steady + IntervalOf(group);
  return group;
}

}  // namespace tocsin::notify
