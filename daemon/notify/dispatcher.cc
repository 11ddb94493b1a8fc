#include "daemon/notify/dispatcher.h"

#include <algorithm>

namespace tocsin::notify {
namespace {

std::size_t BytesOf(const model::Alert& alert) {
  return alert.labels.MemoryBytes() + alert.annotations.MemoryBytes() + alert.generator_url.size();
}

constexpr Millis kOrphanInterval = std::chrono::minutes(1);
constexpr Millis kLongestSleep = std::chrono::minutes(1);

// Whether the two differ in anything but when they were sent.
bool SaysTheSame(const TrackedAlert& a, const TrackedAlert& b) {
  return a.resolved == b.resolved && !a.resolved && a.alert.annotations == b.alert.annotations &&
         a.alert.starts_at == b.alert.starts_at && a.alert.value == b.alert.value &&
         a.alert.generator_url == b.alert.generator_url &&
         a.alert.ends_by_timeout == b.alert.ends_by_timeout;
}

Group NewGroup(const RouteNode& node, const GroupId& id, const model::Alert& alert, Moment now) {
  Group group;
  group.id = id;
  group.route = node.config;
  group.labels = node.GroupLabels(alert.labels);
  // An alert that has fired for longer than the wait has waited enough.
  const Millis wait = node.config->group_wait;
  group.next_flush = alert.starts_at + wait < now.wall ? now.steady : now.steady + wait;
  return group;
}

// The group of a receiver that is called otherwise now.
Group UnderName(const Group& group, const std::string& name) {
  Group out = group;
  out.id.second = name;
  out.log.clear();
  for (const auto& [integration, entry] : group.log) {
    out.log[name + integration.substr(group.id.second.size())] = entry;
  }
  return out;
}

}  // namespace

bool Group::Knows(std::uint64_t fingerprint) const {
  return std::any_of(log.begin(), log.end(), [&](const auto& item) {
    return item.second.firing.count(fingerprint) || item.second.resolved.count(fingerprint);
  });
}

bool Group::IsOpen(std::uint64_t fingerprint) const {
  return std::any_of(log.begin(), log.end(),
                     [&](const auto& item) { return item.second.firing.count(fingerprint); });
}

IntegrationTraits TraitsOf(const IntegrationConfig& integration) {
  const bool waits = std::holds_alternative<SlackConfig>(integration.settings) ||
                     std::holds_alternative<EmailConfig>(integration.settings);
  return {integration.send_resolved, !waits};
}

Millis IntervalOf(const Group& group) {
  return group.route ? group.route->group_interval : kOrphanInterval;
}

GroupId IdOf(const RouteNode& node, const model::Labels& labels) {
  return {node.GroupKey(node.GroupLabels(labels)), node.config->receiver};
}

GroupRow RowOf(const Group& group, Moment now) {
  return {group.id, group.labels, group.flushed, now.WallAt(group.next_flush)};
}

Dispatcher::Dispatcher(std::shared_ptr<const NotifyConfig> config)
    : config_(std::move(config)), routes_(std::make_shared<const RouteTree>(config_)) {}

Step Dispatcher::Restore(StoredState stored, const ReceiverNames& renamed, Moment now) {
  for (auto& [alert, resolved] : stored.alerts) {
    AlertPtr restored = RestoreAlert(std::move(alert), resolved, now, config_->resolve_timeout);
    alerts_[restored->fingerprint] = std::move(restored);
  }
  for (Silence& silence : stored.silences) silences_[silence.id] = std::move(silence);
  std::map<GroupId, Group> groups;
  for (GroupRow& row : stored.groups) {
    Group& group = groups[row.id];
    group.id = row.id;
    group.labels = row.labels;
    group.flushed = row.flushed;
    group.next_flush = now.SteadyAt(row.next_flush);
  }
  for (LogRow& row : stored.log) {
    const auto group = groups.find(row.group);
    if (group != groups.end()) group->second.log[row.integration] = std::move(row.entry);
  }
  return RebuildRenamed(groups, renamed, now);
}

Step Dispatcher::TakeOver(const Dispatcher& old, const ReceiverNames& renamed, Moment now) {
  alerts_ = old.alerts_;
  silences_ = old.silences_;
  active_silences_ = old.active_silences_;
  return RebuildRenamed(old.groups_, renamed, now);
}

Step Dispatcher::RebuildRenamed(const std::map<GroupId, Group>& old_groups,
                                const ReceiverNames& renamed, Moment now) {
  std::map<GroupId, Group> groups;
  std::vector<GroupId> left;
  std::set<GroupId> moved;
  for (const auto& [id, group] : old_groups) {
    const auto name = renamed.find(id.second);
    if (name == renamed.end()) {
      groups.emplace(id, group);
      continue;
    }
    Group now_named = UnderName(group, name->second);
    left.push_back(id);
    moved.insert(now_named.id);
    groups.insert_or_assign(now_named.id, now_named);
  }
  Step step = Rebuild(std::move(groups), now);
  for (const GroupId& id : left) {
    if (!groups_.count(id)) step.changes.forgotten_groups.push_back(id);
  }
  for (const GroupId& id : moved) {
    const auto group = groups_.find(id);
    if (group == groups_.end()) continue;
    for (const auto& [integration, entry] : group->second.log) {
      step.changes.log.push_back({id, integration, entry});
    }
  }
  return step;
}

Step Dispatcher::Rebuild(std::map<GroupId, Group> old_groups, Moment now) {
  for (const auto& [fingerprint, alert] : alerts_) PlaceRestored(*alert, old_groups, now);
  Step step;
  for (auto& [id, group] : old_groups) {
    if (groups_.count(id)) continue;
    // The route is gone. What it told and can still reach gets its end.
    group.route = nullptr;
    group.members.clear();
    const auto& integrations = IntegrationsOf(group);
    std::erase_if(group.log, [&](const auto& item) {
      return std::none_of(integrations.begin(), integrations.end(),
                          [&](const auto& integration) { return integration.id == item.first; });
    });
    for (const auto& [integration, entry] : group.log) {
      for (const auto& [fingerprint, told] : entry.firing) {
        if (alerts_.count(fingerprint)) group.members.insert(fingerprint);
      }
    }
    if (group.members.empty()) {
      step.groups[id] = std::nullopt;
      step.changes.forgotten_groups.push_back(id);
    } else {
      group.next_flush = std::min(group.next_flush, now.steady + kOrphanInterval);
      groups_[id] = std::move(group);
    }
  }
  std::set<std::uint64_t> used;
  for (auto& [id, group] : groups_) {
    DropUnknownIntegrations(group);
    used.insert(group.members.begin(), group.members.end());
    step.changes.groups.push_back(RowOf(group, now));
  }
  for (const auto& [fingerprint, alert] : alerts_) {
    if (!used.count(fingerprint)) step.changes.forgotten_alerts.push_back(fingerprint);
  }
  return step;
}

// What an integration that is gone was told can be told to nobody any more.
void Dispatcher::DropUnknownIntegrations(Group& group) const {
  const auto& integrations = IntegrationsOf(group);
  std::erase_if(group.log, [&](const auto& item) {
    return std::none_of(integrations.begin(), integrations.end(),
                        [&](const auto& integration) { return integration.id == item.first; });
  });
}

void Dispatcher::PlaceRestored(const TrackedAlert& alert,
                               const std::map<GroupId, Group>& old_groups, Moment now) {
  for (const RouteNode* node : routes_->Match(alert.alert.labels)) {
    const GroupId id = IdOf(*node, alert.alert.labels);
    const auto old = old_groups.find(id);
    // Of what has ended, only what somebody still believes to fire is of interest.
    if (alert.resolved && (old == old_groups.end() || !old->second.IsOpen(alert.fingerprint))) {
      continue;
    }
    auto group = groups_.find(id);
    if (group == groups_.end()) {
      Group placed = NewGroup(*node, id, alert.alert, now);
      if (old != old_groups.end()) {
        placed.flushed = old->second.flushed;
        placed.log = old->second.log;
        placed.hushed = old->second.hushed;
        placed.next_flush = std::min(old->second.next_flush, now.steady + IntervalOf(placed));
        // A tick that was missed is made up for at once; what was told stays told.
        placed.next_flush = std::max(placed.next_flush, now.steady);
      }
      group = groups_.emplace(id, std::move(placed)).first;
    }
    group->second.members.insert(alert.fingerprint);
  }
}

const Group* Dispatcher::Current(const Step& step, const GroupId& id) const {
  const auto planned = step.groups.find(id);
  if (planned != step.groups.end()) return planned->second ? &*planned->second : nullptr;
  const auto group = groups_.find(id);
  return group == groups_.end() ? nullptr : &group->second;
}

Group& Dispatcher::Touch(Step& step, const GroupId& id) const {
  auto planned = step.groups.find(id);
  if (planned == step.groups.end()) planned = step.groups.emplace(id, groups_.at(id)).first;
  return *planned->second;
}

AlertPtr Dispatcher::FindAlert(const Step& step, std::uint64_t fingerprint) const {
  const auto planned = step.alerts.find(fingerprint);
  if (planned != step.alerts.end()) return planned->second;
  const auto alert = alerts_.find(fingerprint);
  return alert == alerts_.end() ? nullptr : alert->second;
}

bool Dispatcher::AnyGroupKnows(const Step& step, const model::Labels& labels,
                               std::uint64_t fingerprint) const {
  for (const RouteNode* node : routes_->Match(labels)) {
    const Group* group = Current(step, IdOf(*node, labels));
    if (group && group->Knows(fingerprint)) return true;
  }
  return false;
}

Result<Step> Dispatcher::PlanAccept(std::vector<model::Alert> batch, Moment now,
                                    const AlertLimits& limits) const {
  Step step;
  std::size_t count = alerts_.size();
  std::size_t bytes = 0;
  for (const auto& [fingerprint, alert] : alerts_) bytes += BytesOf(alert->alert);
  for (model::Alert& incoming : batch) {
    if (incoming.labels.empty()) {
      return Error{ErrorCode::kInvalidArgument, "an alert needs at least one label"};
    }
    const std::uint64_t fingerprint = incoming.labels.Fingerprint();
    const AlertPtr known = FindAlert(step, fingerprint);
    AlertPtr merged = MergeAlert(known.get(), std::move(incoming), now, config_->resolve_timeout);
    const bool was_firing = known && !known->resolved;
    if (merged->resolved && !was_firing &&
        !AnyGroupKnows(step, merged->alert.labels, fingerprint)) {
      continue;  // Nobody was told of it, nobody needs its end.
    }
    const std::size_t before = known ? BytesOf(known->alert) : 0;
    const std::size_t after = BytesOf(merged->alert);
    const bool too_many = !known && count >= limits.alerts;
    const bool too_large = after > before && bytes - before + after > limits.bytes;
    if ((too_many || too_large) && !merged->resolved) {
      ++step.alerts_over_limit;
      continue;
    }
    count += known ? 0 : 1;
    bytes += after - before;
    PlaceAlert(step, known.get(), *merged, now);
    if (!known || !SaysTheSame(*known, *merged)) step.changes.alerts.push_back(merged);
    step.alerts[fingerprint] = std::move(merged);
  }
  return step;
}

void Dispatcher::PlaceAlert(Step& step, const TrackedAlert* known, const TrackedAlert& alert,
                            Moment now) const {
  const bool starts = !alert.resolved && (!known || known->resolved);
  for (const RouteNode* node : routes_->Match(alert.alert.labels)) {
    const GroupId id = IdOf(*node, alert.alert.labels);
    const Group* group = Current(step, id);
    if (!group) {
      if (alert.resolved) continue;
      Group created = NewGroup(*node, id, alert.alert, now);
      created.members.insert(alert.fingerprint);
      step.changes.groups.push_back(RowOf(created, now));
      step.groups[id] = std::move(created);
      continue;
    }
    const bool member = group->members.count(alert.fingerprint) > 0;
    // Alertmanager lets a new critical alert wait for group_interval; we do not.
    const bool at_once =
        starts && model::SeverityOf(alert.alert.labels) == model::Severity::kCritical;
    if (member && !at_once) continue;
    Group& touched = Touch(step, id);
    touched.members.insert(alert.fingerprint);
    if (!at_once || !touched.flushed) continue;
    touched.next_flush = now.steady;
    step.changes.groups.push_back(RowOf(touched, now));
  }
}

void Dispatcher::Apply(Step step) {
  for (auto& [fingerprint, alert] : step.alerts) alerts_[fingerprint] = std::move(alert);
  for (const std::uint64_t fingerprint : step.changes.forgotten_alerts) alerts_.erase(fingerprint);
  for (auto& [id, group] : step.groups) {
    if (group) {
      groups_[id] = *std::move(group);
    } else {
      groups_.erase(id);
    }
  }
  for (Silence& silence : step.changes.silences) {
    const std::string id = silence.id;
    silences_[id] = std::move(silence);
  }
  for (const std::string& id : step.changes.forgotten_silences) silences_.erase(id);
  if (step.active_silences) active_silences_ = *std::move(step.active_silences);
  if (step.intervals_looked_at) intervals_looked_at_ = *step.intervals_looked_at;
}

SteadyTime Dispatcher::NextWake(Moment now) const {
  SteadyTime wake = now.steady + kLongestSleep;
  const auto at = [&](SteadyTime time) { wake = std::min(wake, time); };
  for (const auto& [id, group] : groups_) {
    at(group.next_flush);
    if (UsesIntervals(group)) at(now.SteadyAt(MinuteOf(now.wall) + std::chrono::minutes(1)));
  }
  for (const auto& [fingerprint, alert] : alerts_) {
    if (!alert->resolved) at(alert->expires_at);
  }
  for (const auto& [id, silence] : silences_) {
    if (silence.starts_at > now.wall) at(now.SteadyAt(silence.starts_at));
    if (silence.ends_at > now.wall) at(now.SteadyAt(silence.ends_at));
    // Set, ended or changed since the last look.
    const bool active = silence.StateAt(now.wall) == SilenceState::kActive;
    if (active != (active_silences_.count(id) > 0)) at(now.steady);
  }
  return std::max(wake, now.steady);
}

bool Dispatcher::UsesIntervals(const Group& group) const {
  return group.route &&
         (!group.route->mute_time_intervals.empty() || !group.route->active_time_intervals.empty());
}

const std::vector<IntegrationConfig>& Dispatcher::IntegrationsOf(const Group& group) const {
  static const std::vector<IntegrationConfig> kNone;
  const ReceiverConfig* receiver = config_->FindReceiver(group.id.second);
  return receiver ? receiver->integrations : kNone;
}

}  // namespace tocsin::notify
