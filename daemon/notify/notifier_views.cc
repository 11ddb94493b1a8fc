// What Notifier shows: alerts, groups, silences, explanations.

#include <algorithm>

#include "daemon/notify/notifier_impl.h"

namespace tocsin::notify {
namespace {

void AddUnique(std::vector<std::string>& list, const std::string& text) {
  if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);
}

// What one group says of one of its alerts.
AlertStatus StatusIn(const AlertsView::OfGroup& group, const TrackedAlert& tracked,
                     const Judge& judge) {
  const Judgement judgement = judge.Of(group.route, tracked);
  AlertStatus status;
  status.alert = tracked.alert;
  status.fingerprint = tracked.fingerprint;
  status.resolved = tracked.resolved;
  status.silenced_by = judgement.silenced_by;
  status.muted_by = judgement.muted_by;
  for (const std::uint64_t source : judgement.inhibited_by) {
    status.inhibited_by.push_back(model::FingerprintText(source));
  }
  const bool suppressed = judgement.quiet != Quiet::kNone && judgement.quiet != Quiet::kUnrouted;
  status.state = suppressed      ? AlertState::kSuppressed
                 : group.flushed ? AlertState::kActive
                                 : AlertState::kUnprocessed;
  return status;
}

// The same alert seen by another group: active in one is active.
void Merge(AlertStatus& into, const AlertStatus& other) {
  for (const std::string& name : other.muted_by) AddUnique(into.muted_by, name);
  if (into.state == AlertState::kSuppressed || other.state == AlertState::kActive) {
    into.state = other.state;
  }
}

// Alertmanager's order of label sets: the smaller set, then by name and value.
bool LabelsBefore(const model::Labels& a, const model::Labels& b) {
  return std::pair(a.size(), a) < std::pair(b.size(), b);
}

PendingDelivery Pending(const notify::Outbox::Waiting& waiting) {
  const Delivery& delivery = waiting.delivery;
  PendingDelivery pending;
  pending.id = delivery.id;
  pending.integration = delivery.integration;
  pending.resolves = delivery.firing.empty();
  pending.in_flight = waiting.in_flight;
  pending.attempts = delivery.attempts;
  pending.last_error = delivery.last_error;
  pending.created_at = delivery.created_at;
  pending.next_attempt_at = delivery.next_attempt_at;
  pending.expires_at = delivery.expires_at;
  return pending;
}

}  // namespace

std::string_view AlertStateName(AlertState state) {
  switch (state) {
    case AlertState::kUnprocessed: return "unprocessed";
    case AlertState::kActive: return "active";
    case AlertState::kSuppressed: return "suppressed";
  }
  return "unprocessed";
}

std::vector<AlertStatus> NotifierImpl::Alerts() const {
  std::vector<AlertStatus> list = KnownAlerts();
  std::erase_if(list, [](const AlertStatus& status) { return status.resolved; });
  return list;
}

AlertsView NotifierImpl::View(WallTime now) const {
  MutexLock state(state_);
  return dispatcher_->View(now);
}

std::vector<AlertStatus> NotifierImpl::KnownAlerts() const {
  const WallTime now = clock_.WallNow();
  const AlertsView view = View(now);
  const Judge judge = view.MakeJudge(now);
  std::map<std::uint64_t, AlertStatus> statuses;
  for (const AlertsView::OfGroup& group : view.groups) {
    for (const AlertPtr& alert : group.members) {
      AlertStatus status = StatusIn(group, *alert, judge);
      const auto [known, added] = statuses.emplace(alert->fingerprint, status);
      if (added) {
        known->second.receivers = view.ReceiversOf(alert->alert.labels);
      } else {
        Merge(known->second, status);
      }
    }
  }
  std::vector<AlertStatus> list;
  list.reserve(statuses.size());
  for (auto& [fingerprint, status] : statuses) list.push_back(std::move(status));
  return list;
}

std::vector<GroupStatus> NotifierImpl::Groups() const {
  const Moment now = Moment::Of(clock_);
  const AlertsView view = View(now.wall);
  const Judge judge = view.MakeJudge(now.wall);
  std::vector<GroupStatus> list;
  for (const AlertsView::OfGroup& group : view.groups) {
    GroupStatus status{
        group.id.first, group.labels, group.id.second, now.WallAt(group.next_flush), {}};
    for (const AlertPtr& alert : group.members) {
      if (alert->resolved) continue;
      AlertStatus& member = status.alerts.emplace_back(StatusIn(group, *alert, judge));
      member.receivers = view.ReceiversOf(alert->alert.labels);
      std::sort(member.receivers.begin(), member.receivers.end());
    }
    if (!status.alerts.empty()) list.push_back(std::move(status));
  }
  std::stable_sort(list.begin(), list.end(), [](const GroupStatus& a, const GroupStatus& b) {
    if (a.labels == b.labels) return a.receiver < b.receiver;
    return LabelsBefore(a.labels, b.labels);
  });
  return list;
}

std::vector<Silence> NotifierImpl::Silences() const {
  MutexLock state(state_);
  std::vector<Silence> list;
  for (const auto& [id, silence] : dispatcher_->silences()) list.push_back(silence);
  return list;
}

std::optional<Silence> NotifierImpl::FindSilence(const std::string& id) const {
  MutexLock state(state_);
  const auto found = dispatcher_->silences().find(id);
  if (found == dispatcher_->silences().end()) return std::nullopt;
  return found->second;
}

std::vector<PendingDelivery> NotifierImpl::Outbox() const {
  std::vector<PendingDelivery> list;
  for (const notify::Outbox::Waiting& waiting : outbox_.List()) list.push_back(Pending(waiting));
  return list;
}

std::vector<DeliveryAttempt> NotifierImpl::Attempts() const {
  MutexLock state(state_);
  return {attempts_.begin(), attempts_.end()};
}

std::shared_ptr<const NotifyConfig> NotifierImpl::config() const {
  MutexLock state(state_);
  return dispatcher_->config();
}

std::vector<DeliveryStatus> NotifierImpl::Explain(std::uint64_t fingerprint) const {
  const Moment now = Moment::Of(clock_);
  const auto waiting = outbox_.List();
  MutexLock state(state_);
  const Judge judge = dispatcher_->MakeJudge(now.wall);
  std::vector<DeliveryStatus> list;
  for (const auto& [id, group] : dispatcher_->groups()) {
    const auto alert = dispatcher_->alerts().find(fingerprint);
    const bool member = group.members.count(fingerprint) && alert != dispatcher_->alerts().end();
    if (!member && !group.Knows(fingerprint)) continue;
    for (const IntegrationConfig& integration : dispatcher_->IntegrationsOf(group)) {
      DeliveryStatus status;
      status.group_key = id.first;
      status.receiver = id.second;
      status.integration = integration.id;
      status.next_flush = now.WallAt(group.next_flush);
      status.routed = group.route != nullptr;
      if (group.route) {
        status.group_wait = group.route->group_wait;
        status.group_interval = group.route->group_interval;
        status.repeat_interval = group.route->repeat_interval;
      }
      if (const auto entry = group.log.find(integration.id); entry != group.log.end()) {
        const auto told = entry->second.firing.find(fingerprint);
        const bool open = told != entry->second.firing.end();
        status.told = open && told->second.taken;
        status.queued = open && !told->second.taken;
        status.told_at = entry->second.told_at;
        status.last_reason = entry->second.reason;
      }
      status.verdict = dispatcher_->Foresee(group, integration, judge, now.wall).reason;
      if (member) {
        status.quiet = judge.Of(group.route, *alert->second).quiet;
      }
      for (const notify::Outbox::Waiting& item : waiting) {
        const Delivery& delivery = item.delivery;
        if (delivery.integration != integration.id || delivery.group_key != id.first) continue;
        status.pending.push_back(Pending(item));
      }
      for (const DeliveryAttempt& attempt : attempts_) {
        if (attempt.integration != integration.id || attempt.group_key != id.first) continue;
        status.attempts.push_back(attempt);
      }
      list.push_back(std::move(status));
    }
  }
  return list;
}

}  // namespace tocsin::notify
