// How a group's alerts reach notify: one batch per evaluation, and repeats from a
// lane that no evaluation can hold up.

#include <algorithm>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/formats/template_functions.h"
#include "rules/engine/running_group.h"

namespace tocsin::rules {
namespace {

std::string GeneratorUrl(const std::string& external_url, const std::string& expression) {
  return external_url + "/graph?g0.expr=" + formats::UrlQueryEscape(expression) + "&g0.tab=1";
}

// How long a firing alert stays valid without being sent again.
Millis Validity(Millis interval) { return 4 * std::max(interval, RuleEngine::kResendDelay); }

}  // namespace

model::Alert ToModelAlert(const ActiveAlert& alert, const std::string& expression, WallTime at,
                          Millis interval, const RuleEngine::Options& options) {
  model::Alert out;
  out.labels = options.external_labels.Overlay(alert.labels);
  out.annotations = alert.annotations;
  out.starts_at = alert.fired_at.value_or(alert.active_at);
  out.ends_at = alert.resolved_at.value_or(at + Validity(interval));
  out.updated_at = at;
  if (!expression.empty()) out.generator_url = GeneratorUrl(options.external_url, expression);
  out.value = alert.value;
  out.resolve_reason = alert.resolve_reason;
  return out;
}

void RunningGroup::AppendRestored(WallTime now, std::vector<model::Alert>& batch) const {
  const auto options = environment_.options();
  for (const RunningRule& rule : rules_) {
    if (!rule.alerting) continue;
    for (const auto& [labels, alert] : rule.alerting->alerts()) {
      if (alert.state == AlertState::kPending) continue;
      batch.push_back(ToModelAlert(alert, rule.query, now, config_.interval, *options));
    }
  }
}

void RunningGroup::MarkRestoredSent(WallTime now) {
  for (RunningRule& rule : rules_) {
    if (!rule.alerting) continue;
    for (auto& [labels, alert] : rule.alerting->alerts()) {
      if (alert.state == AlertState::kPending) continue;
      alert.last_sent_at = now;
      alert.sent = true;
    }
  }
}

// The alerts that fire, as notify shall know them until it hears more.
RunningGroup::Repeats RunningGroup::FiringAlerts(const Repeats& known) const {
  const auto options = environment_.options();
  const WallTime now = environment_.clock.WallNow();
  const SteadyTime due = environment_.clock.SteadyNow() - Validity(config_.interval) / 2;
  Repeats firing;
  for (const RunningRule& rule : rules_) {
    if (!rule.alerting) continue;
    for (const auto& [labels, alert] : rule.alerting->alerts()) {
      if (alert.state != AlertState::kFiring) continue;
      ToldAlert repeat{ToModelAlert(alert, rule.query, now, config_.interval, *options), due};
      const std::uint64_t fingerprint = repeat.alert.labels.Fingerprint();
      if (const auto told = known.find(fingerprint); told != known.end()) {
        repeat.told_at = told->second.told_at;
      }
      firing.insert_or_assign(fingerprint, std::move(repeat));
    }
  }
  return firing;
}

std::size_t RunningGroup::CountFiring() const {
  std::size_t count = 0;
  for (const RunningRule& rule : rules_) {
    if (!rule.alerting) continue;
    const auto& alerts = rule.alerting->alerts();
    count +=
        static_cast<std::size_t>(std::count_if(alerts.begin(), alerts.end(), [](const auto& entry) {
          return entry.second.state == AlertState::kFiring;
        }));
  }
  return count;
}

// What notify was told last, by this group's predecessor perhaps, may end long before
// this one is evaluated: it is said again at the first check, and nobody is slow then.
void RunningGroup::NoteFiring() {
  auto firing = FiringAlerts({});
  MutexLock lock(telling_);
  repeats_ = std::move(firing);
  slow_ = !repeats_.empty();
}

void RunningGroup::ForgetFiring() {
  MutexLock lock(telling_);
  repeats_.clear();
}

void RunningGroup::Send() {
  if (!last_evaluation_ || stopped_) return;
  const WallTime at = *last_evaluation_;
  const WallTime now = environment_.clock.WallNow();
  // An evaluation that took its time would say of what fires that it has ended meanwhile.
  const WallTime from = now - at > Validity(config_.interval) / 4 ? now : at;
  const auto options = environment_.options();
  std::vector<ActiveAlert*> due;
  std::vector<model::Alert> batch;
  for (RunningRule& rule : rules_) {
    if (!rule.alerting) continue;
    for (ActiveAlert* alert : rule.alerting->DueToSend(at, RuleEngine::kResendDelay)) {
      due.push_back(alert);
      batch.push_back(ToModelAlert(*alert, rule.query, from, config_.interval, *options));
    }
  }
  const auto accepted = Tell(std::move(batch));
  if (!accepted.ok()) {
    environment_.metrics.send_failures.Add();
    if (!send_failing_) {
      LogError("notify did not take the alerts; they are sent again every second",
               {{"group", config_.name}, {"error", accepted.error().message}});
    }
    send_failing_ = true;
    if (retry_scheduled_) return;
    retry_scheduled_ = true;
    lane_.RunAt(environment_.clock.SteadyNow() + kSendRetryDelay, [self = shared_from_this()] {
      self->retry_scheduled_ = false;
      self->Send();
    });
    return;
  }
  send_failing_ = false;
  for (ActiveAlert* alert : due) {
    alert->last_sent_at = at;
    alert->sent = true;
  }
}

Result<> RunningGroup::Tell(std::vector<model::Alert> batch) {
  const std::size_t firing = CountFiring();
  MutexLock lock(telling_);
  // A limit that was exceeded forgets alerts without a word to notify: so must we.
  if (batch.empty() && firing == repeats_.size()) return {};
  repeats_ = FiringAlerts(repeats_);
  if (batch.empty()) return {};
  const auto count = static_cast<double>(batch.size());
  std::vector<std::uint64_t> told;
  for (const model::Alert& alert : batch) told.push_back(alert.labels.Fingerprint());
  TOCSIN_RETURN_IF_ERROR(environment_.alerts.Accept(std::move(batch)));
  environment_.metrics.alerts_sent.Add(count);
  const SteadyTime now = environment_.clock.SteadyNow();
  for (const std::uint64_t fingerprint : told) {
    // One that has resolved is not repeated.
    if (const auto fires = repeats_.find(fingerprint); fires != repeats_.end()) {
      fires->second.told_at = now;
    }
  }
  slow_ = false;
  return {};
}

// -- On the lane of the repeats --

void RunningGroup::ScheduleRepeat() {
  environment_.repeats->RunAt(environment_.clock.SteadyNow() + kRepeatCheck,
                              [self = shared_from_this()] { self->Repeat(); });
}

// While an evaluation takes its time (or waits behind another group's), its firing
// alerts would end by time-out: say again what it said last.
void RunningGroup::Repeat() {
  bool newly_slow = false;
  {
    MutexLock lock(telling_);
    if (stopped_) return;
    newly_slow = RepeatIfOverdue() && !slow_;
    slow_ |= newly_slow;
  }
  if (newly_slow) {
    LogWarning("a rule group has not been evaluated for long; its firing alerts stay as they are",
               {{"group", config_.name}});
  }
  ScheduleRepeat();
}

bool RunningGroup::RepeatIfOverdue() {
  const Millis validity = Validity(config_.interval);
  const SteadyTime steady_now = environment_.clock.SteadyNow();
  const WallTime now = environment_.clock.WallNow();
  std::vector<model::Alert> batch;
  for (const auto& [fingerprint, repeat] : repeats_) {
    if (steady_now - repeat.told_at < validity / 2) continue;
    model::Alert& alert = batch.emplace_back(repeat.alert);
    alert.updated_at = now;
    alert.ends_at = now + validity;
  }
  if (batch.empty()) return false;
  const auto count = static_cast<double>(batch.size());
  const auto accepted = environment_.alerts.Accept(std::move(batch));
  if (!accepted.ok()) {
    environment_.metrics.send_failures.Add();
    return false;
  }
  environment_.metrics.alerts_sent.Add(count);
  metrics_.alerts_repeated.Add(count);
  for (auto& [fingerprint, repeat] : repeats_) {
    if (steady_now - repeat.told_at >= validity / 2) repeat.told_at = steady_now;
  }
  return true;
}

}  // namespace tocsin::rules
