// What happens as time passes: alerts end, quiet begins and ends, groups flush.

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "daemon/base/text.h"
#include "daemon/notify/dispatcher.h"

namespace tocsin::notify {
namespace {

bool IsHushed(Quiet quiet) { return quiet == Quiet::kSilenced || quiet == Quiet::kMuted; }

NotifiedAlert Told(const TrackedAlert& tracked, bool resolved) {
  const model::Alert& alert = tracked.alert;
  NotifiedAlert told;
  told.resolved = resolved;
  told.labels = alert.labels;
  told.annotations = alert.annotations;
  told.starts_at = alert.starts_at;
  told.ends_at = alert.ends_at;
  told.generator_url = alert.generator_url;
  told.value = alert.value;
  told.resolve_reason = alert.resolve_reason;
  return told;
}

}  // namespace

// The state as it will be once the step is applied.
struct Dispatcher::Look {
  Moment now;
  const Outbox& outbox;
  Step step;
  std::optional<Judge> judge;
  std::map<std::string, std::size_t> planned;  // Deliveries of this step, by integration.
};

Step Dispatcher::PlanDue(Moment now, const Outbox& outbox) const {
  Look look{now, outbox, {}, std::nullopt, {}};
  for (const Delivery& expired : outbox.Expired(now)) {
    look.step.changes.dropped_deliveries.push_back(expired.id);
    if (!expired.partly_delivered) PlanUntell(expired, now, outbox, look.step);
  }
  EndExpired(look);
  Inhibitor inhibitor(config_->inhibit_rules);
  for (const auto& [fingerprint, tracked] : alerts_) {
    const AlertPtr alert = FindAlert(look.step, fingerprint);
    if (!alert->resolved) inhibitor.AddSource(*alert);
  }
  look.judge.emplace(*config_, ActiveSilences(now.wall), std::move(inhibitor), now.wall);
  LookAtSilences(look);
  for (const auto& [id, group] : groups_) {
    const Group* current = Current(look.step, id);
    if (current && current->next_flush <= now.steady) Flush(look, *current);
  }
  ForgetUnused(look);
  return std::move(look.step);
}

void Dispatcher::EndExpired(Look& look) const {
  for (const auto& [fingerprint, alert] : alerts_) {
    if (alert->resolved || alert->expires_at > look.now.steady) continue;
    AlertPtr ended = EndAlert(*alert, look.now);
    look.step.changes.alerts.push_back(ended);
    look.step.alerts[fingerprint] = std::move(ended);
  }
}

void Dispatcher::LookAtSilences(Look& look) const {
  std::set<std::string> active;
  for (const auto& [id, silence] : silences_) {
    if (silence.StateAt(look.now.wall) == SilenceState::kActive) active.insert(id);
    if (silence.ends_at + kSilenceRetention <= look.now.wall) {
      look.step.changes.forgotten_silences.push_back(id);
    }
  }
  const WallTime minute = MinuteOf(look.now.wall);
  const bool silences_changed = active != active_silences_;
  const bool minute_passed = minute != intervals_looked_at_;
  if (silences_changed) look.step.active_silences = std::move(active);
  if (minute_passed) look.step.intervals_looked_at = minute;
  for (const auto& [id, group] : groups_) {
    if (silences_changed || (minute_passed && UsesIntervals(group))) LookForQuiet(look, id);
  }
}

// Quiet that ended flushes its group now; quiet that began is noted, so that what
// was told before is told again when it ends, even if no flush sees it.
void Dispatcher::LookForQuiet(Look& look, const GroupId& id) const {
  const Group& group = *Current(look.step, id);
  if (!group.flushed) return;
  const std::vector<MemberState> members = States(look, group);
  std::set<std::uint64_t> hushed;
  for (const MemberState& member : members) {
    if (IsHushed(member.quiet)) hushed.insert(member.fingerprint);
  }
  std::map<std::string, LogEntry> log = group.log;
  for (auto& [integration, entry] : log) {
    if (MarkHushed(entry, members)) {
      look.step.changes.log.push_back({group.id, integration, entry});
    }
  }
  const bool ended = std::any_of(group.hushed.begin(), group.hushed.end(), [&](auto fingerprint) {
    return group.members.count(fingerprint) && !hushed.count(fingerprint);
  });
  if (!ended && hushed == group.hushed && log == group.log) return;
  Group& touched = Touch(look.step, group.id);
  touched.log = std::move(log);
  touched.hushed = std::move(hushed);
  if (ended) touched.next_flush = look.now.steady;
}

std::vector<MemberState> Dispatcher::States(Look& look, const Group& group) const {
  std::vector<MemberState> members;
  for (const std::uint64_t fingerprint : group.members) {
    const AlertPtr alert = FindAlert(look.step, fingerprint);
    if (!alert) continue;
    const Judgement judgement = look.judge->Of(group.route, *alert);
    members.push_back({fingerprint, alert->resolved, judgement.quiet});
  }
  return members;
}

void Dispatcher::Flush(Look& look, const Group& due) const {
  const GroupId id = due.id;
  const std::vector<MemberState> members = States(look, due);
  Group& group = Touch(look.step, id);
  bool changed = !group.flushed;
  for (const IntegrationConfig& integration : IntegrationsOf(group)) {
    changed |= FlushIntegration(look, group, integration, members);
  }
  group.hushed.clear();
  for (const MemberState& member : members) {
    if (IsHushed(member.quiet)) group.hushed.insert(member.fingerprint);
    if (!member.resolved || group.IsOpen(member.fingerprint)) continue;
    group.members.erase(member.fingerprint);
    changed = true;
  }
  group.flushed = true;
  group.next_flush = look.now.steady + IntervalOf(group);
  if (group.members.empty()) {
    look.step.changes.forgotten_groups.push_back(id);
    look.step.groups[id] = std::nullopt;
  } else if (changed) {
    look.step.changes.groups.push_back(RowOf(group, look.now));
  }
}

// Returns whether the log or the outbox changes.
bool Dispatcher::FlushIntegration(Look& look, Group& group, const IntegrationConfig& integration,
                                  const std::vector<MemberState>& members) const {
  LogEntry& entry = group.log[integration.id];
  const Millis repeat = group.route ? group.route->repeat_interval : Millis::max();
  Decision decision = Decide(entry, members, TraitsOf(integration), repeat, look.now.wall);
  if (IsNotification(decision.reason)) {
    const bool repeats = decision.reason == Reason::kRepeatInterval;
    // What still waits to be told need not be repeated.
    if (repeats && look.outbox.HasPending(integration.id, group.id.first)) return false;
    std::size_t& planned = look.planned[integration.id];
    if (look.outbox.SizeOf(integration.id) + planned >= Outbox::kMaxPending) {
      ++look.step.refused;
      return false;  // The log stays as it is: the next flush tries again.
    }
    ++planned;
    Delivery delivery;
    delivery.integration = integration.id;
    delivery.group_key = group.id.first;
    delivery.payload = EncodeNotification(Compose(look, group, decision));
    delivery.firing = decision.firing;
    delivery.resolved = decision.resolved;
    delivery.created_at = look.now.wall;
    delivery.next_attempt_at = look.now.wall;
    delivery.expires_at = look.now.wall + kDeliveryLifetime;
    const Outbox::Replaced replaced = look.outbox.ReplacedBy(delivery);
    delivery.maybe_taken = replaced.maybe_taken;
    std::vector<std::int64_t>& dropped = look.step.changes.dropped_deliveries;
    dropped.insert(dropped.end(), replaced.ids.begin(), replaced.ids.end());
    look.step.changes.deliveries.push_back(std::move(delivery));
  }
  if (decision.entry == entry) return false;
  entry = std::move(decision.entry);
  look.step.changes.log.push_back({group.id, integration.id, entry});
  return true;
}

Decision Dispatcher::Foresee(const Group& group, const IntegrationConfig& integration,
                             const Judge& judge, WallTime now) const {
  std::vector<MemberState> members;
  for (const std::uint64_t fingerprint : group.members) {
    const auto alert = alerts_.find(fingerprint);
    if (alert == alerts_.end()) continue;
    const Judgement judgement = judge.Of(group.route, *alert->second);
    members.push_back({fingerprint, alert->second->resolved, judgement.quiet});
  }
  const auto entry = group.log.find(integration.id);
  const Millis repeat = group.route ? group.route->repeat_interval : Millis::max();
  return Decide(entry == group.log.end() ? LogEntry{} : entry->second, members,
                TraitsOf(integration), repeat, now);
}

Notification Dispatcher::Compose(const Look& look, const Group& group,
                                 const Decision& decision) const {
  Notification notification;
  notification.receiver = group.id.second;
  notification.group_key = group.id.first;
  notification.group_labels = group.labels;
  if (group.route) notification.route_labels = group.route->labels;
  notification.reason = decision.reason;
  for (const std::uint64_t fingerprint : decision.firing) {
    notification.alerts.push_back(Told(*FindAlert(look.step, fingerprint), false));
  }
  for (const std::uint64_t fingerprint : decision.resolved) {
    notification.alerts.push_back(Told(*FindAlert(look.step, fingerprint), true));
  }
  SortAlerts(notification.alerts);
  return notification;
}

// Alerts that have ended and that no group needs any more.
void Dispatcher::ForgetUnused(Look& look) const {
  std::set<std::uint64_t> ended;
  for (const auto& [fingerprint, tracked] : alerts_) {
    if (FindAlert(look.step, fingerprint)->resolved) ended.insert(fingerprint);
  }
  if (ended.empty()) return;
  for (const auto& [id, group] : groups_) {
    const Group* current = Current(look.step, id);
    if (!current) continue;
    for (const std::uint64_t fingerprint : current->members) ended.erase(fingerprint);
  }
  look.step.changes.forgotten_alerts.assign(ended.begin(), ended.end());
}

}  // namespace tocsin::notify
