#include "rules/engine/alerting_rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "daemon/base/log.h"
#include "rules/engine/rule_engine.h"

namespace tocsin::rules {
namespace {

constexpr std::string_view kAlertsSeries = "ALERTS";
constexpr std::string_view kAlertsForStateSeries = "ALERTS_FOR_STATE";

bool Contradicts(const model::Labels& a, const model::Labels& b) {
  for (const auto& [name, value] : a) {
    if (name == model::kMetricName) continue;
    const std::string_view other = b.Get(name);
    if (!other.empty() && other != value) return true;
  }
  return false;
}

}  // namespace

const promql::VectorSample* FindElement(const promql::Vector& vector, const model::Labels& labels) {
  const promql::VectorSample* fitting = nullptr;
  int fitting_count = 0;
  for (const auto& sample : vector) {
    if (sample.labels.Without(model::kMetricName) == labels) return &sample;
    if (Contradicts(sample.labels, labels)) continue;
    fitting = &sample;
    ++fitting_count;
  }
  return fitting_count == 1 ? fitting : nullptr;
}

AlertingRule::AlertingRule(const Rule& rule)
    : rule_(&rule), labels_(rule.name, rule.labels), annotations_(rule.name, rule.annotations) {}

Result<> AlertingRule::Evaluate(AlertEvaluation& evaluation, int limit) {
  const auto labelled = LabelResult(evaluation);
  if (labelled.ok()) Update(*labelled, evaluation);
  template_failing_ = evaluation.template_failed;
  if (!labelled.ok()) return labelled.error();
  const Seen& seen = *labelled;
  int active = 0;
  for (auto it = alerts_.begin(); it != alerts_.end();) {
    ActiveAlert& alert = it->second;
    const bool stays =
        seen.count(it->first) > 0 ? Present(alert, evaluation.at) : Missing(alert, evaluation);
    if (!stays) {
      forgotten_.push_back(it->first);
      it = alerts_.erase(it);
      continue;
    }
    active += alert.state == AlertState::kInactive ? 0 : 1;
    ++it;
  }
  if (limit > 0 && active > limit) {
    for (const auto& [labels, alert] : alerts_) forgotten_.push_back(labels);
    alerts_.clear();
    return Error{ErrorCode::kResourceExhausted,
                 fmt::format("exceeded limit of {} with {} alerts", limit, active)};
  }
  return {};
}

TextPairs AlertingRule::Expand(const RuleTemplates& templates, const model::Labels& labels,
                               double value, AlertEvaluation& evaluation,
                               const OnError& on_error) const {
  // The table is worth more than the rest of the evaluation: only for who uses it.
  if (evaluation.functions.empty() && !templates.plain()) {
    evaluation.functions = RuleTemplateFunctions(evaluation.scope);
  }
  return templates.Expand(labels, value, evaluation.scope, evaluation.functions, on_error);
}

AlertingRule::OnError AlertingRule::Complain(AlertEvaluation& evaluation) const {
  return [this, &evaluation](const Error& error) {
    evaluation.template_failed = true;
    if (template_failing_) return;
    LogWarning("a template of an alerting rule fails; its text shows the error until it is mended",
               {{"alert", rule_->name}, {"error", error.message}});
  };
}

// The rule's labels go over the element's; two elements must not become one alert.
Result<AlertingRule::Seen> AlertingRule::LabelResult(AlertEvaluation& evaluation) const {
  Seen seen;
  for (const auto& sample : evaluation.result) {
    const TextPairs texts =
        Expand(labels_, sample.labels, sample.value, evaluation, Complain(evaluation));
    std::vector<model::LabelView> pairs;
    for (const auto label : sample.labels) {
      if (label.first != model::kMetricName) pairs.push_back(label);
    }
    for (const auto& [name, text] : texts) pairs.emplace_back(name, text);
    pairs.emplace_back(model::kAlertName, rule_->name);
    if (!seen.emplace(model::Labels::FromPairs(std::move(pairs)), &sample).second) {
      return Error{ErrorCode::kInvalidArgument,
                   "vector contains metrics with the same labelset after applying alert labels"};
    }
  }
  return seen;
}

void AlertingRule::Update(const Seen& seen, AlertEvaluation& evaluation) {
  for (const auto& [labels, sample] : seen) {
    auto [it, is_new] = alerts_.try_emplace(labels);
    ActiveAlert& alert = it->second;
    if (is_new || alert.state == AlertState::kInactive) {
      alert = ActiveAlert();
      alert.labels = labels;
      alert.active_at = evaluation.at;
    }
    alert.value = sample->value;
    alert.result_labels = sample->labels.Without(model::kMetricName);
    alert.annotations = model::Labels::FromMap(
        Expand(annotations_, sample->labels, sample->value, evaluation, Complain(evaluation)));
  }
}

bool AlertingRule::Present(ActiveAlert& alert, WallTime at) {
  alert.restored = false;
  if (alert.keep_firing_since || alert.held_since) {
    alert.keep_firing_since.reset();
    alert.held_since.reset();
    alert.hold_reason.clear();
    alert.changed = true;
  }
  if (alert.state == AlertState::kPending && at - alert.active_at >= rule_->for_duration) {
    alert.state = AlertState::kFiring;
    alert.fired_at = at;
    alert.changed = true;
  }
  return true;
}

bool AlertingRule::Missing(ActiveAlert& alert, AlertEvaluation& evaluation) {
  const WallTime at = evaluation.at;
  if (alert.state == AlertState::kInactive) {
    return at - *alert.resolved_at <= RuleEngine::kResolvedRetention;
  }
  bool hold_expired = false;
  if (Held(alert, evaluation, hold_expired)) return true;
  alert.restored = false;
  if (alert.state == AlertState::kPending) return false;
  if (hold_expired) {
    Resolve(alert, evaluation, "no data");
    return true;
  }
  if (WaitsToResolve(alert, evaluation)) {
    ShowPresentValue(alert, evaluation);
    return true;
  }
  if (rule_->keep_firing_for > Millis(0)) {
    if (!alert.keep_firing_since) {
      alert.keep_firing_since = at;
      alert.changed = true;
    }
    if (at - *alert.keep_firing_since < rule_->keep_firing_for) return true;
  }
  Resolve(alert, evaluation, "");
  return true;
}

// Whether a silent source keeps the alert as it is; `expired` once that has lasted
// too long.
bool AlertingRule::Held(ActiveAlert& alert, AlertEvaluation& evaluation, bool& expired) {
  std::string reason = evaluation.hold_reason(alert);
  if (reason.empty()) {
    if (alert.held_since) {
      alert.held_since.reset();
      alert.hold_reason.clear();
      alert.changed = true;
    }
    return false;
  }
  if (!alert.held_since) {
    alert.held_since = evaluation.at;
    alert.changed = true;
  }
  alert.hold_reason = std::move(reason);
  expired = evaluation.at - *alert.held_since >= evaluation.hold_limit;
  return !expired;
}

// Hysteresis: the alert stays while there is data for it and the resolving
// condition does not hold.
bool AlertingRule::WaitsToResolve(const ActiveAlert& alert, AlertEvaluation& evaluation) const {
  if (rule_->resolve_when == nullptr) return false;
  const promql::Vector* resolving = evaluation.resolving();
  if (resolving == nullptr) return true;  // It could not be evaluated.
  for (const auto& sample : *resolving) {
    if (!Contradicts(sample.labels, alert.result_labels)) return false;
  }
  const promql::Vector* values = evaluation.compared_side();
  return values == nullptr || FindElement(*values, alert.result_labels) != nullptr;
}

void AlertingRule::Resolve(ActiveAlert& alert, AlertEvaluation& evaluation, std::string reason) {
  ShowPresentValue(alert, evaluation);
  alert.state = AlertState::kInactive;
  alert.resolved_at = evaluation.at;
  alert.resolve_reason = std::move(reason);
  alert.keep_firing_since.reset();
  alert.held_since.reset();
  alert.hold_reason.clear();
  alert.changed = true;
}

// Of an alert that is not in the result: what the condition compares now, in its texts
// too. Where there is nothing any more, the last value stays.
void AlertingRule::ShowPresentValue(ActiveAlert& alert, AlertEvaluation& evaluation) const {
  const promql::Vector* values = evaluation.compared_side();
  const auto* now = values == nullptr ? nullptr : FindElement(*values, alert.result_labels);
  if (now == nullptr) return;
  alert.value = now->value;
  const bool its_own = now->labels.Without(model::kMetricName) == alert.result_labels;
  bool failed = false;
  const TextPairs texts =
      Expand(annotations_, its_own ? now->labels : alert.result_labels, now->value, evaluation,
             [&failed](const Error&) { failed = true; });
  // A text about an alert that fires may find nothing to say of one that does not.
  if (!failed) alert.annotations = model::Labels::FromMap(texts);
}

std::vector<ActiveAlert*> AlertingRule::DueToSend(WallTime at, Millis resend_delay) {
  std::vector<ActiveAlert*> due;
  for (auto& [labels, alert] : alerts_) {
    if (alert.state == AlertState::kPending) continue;
    const bool resolved_since =
        alert.resolved_at && (!alert.last_sent_at || *alert.resolved_at > *alert.last_sent_at);
    if (resolved_since || !alert.last_sent_at || *alert.last_sent_at + resend_delay < at) {
      due.push_back(&alert);
    }
  }
  return due;
}

std::vector<std::pair<model::Labels, double>> AlertingRule::Series() const {
  std::vector<std::pair<model::Labels, double>> out;
  for (const auto& [labels, alert] : alerts_) {
    if (alert.state == AlertState::kInactive) continue;
    const model::Labels named = labels.With(model::kAlertName, rule_->name);
    out.emplace_back(named.With(model::kMetricName, kAlertsSeries)
                         .With("alertstate", AlertStateName(alert.state)),
                     1);
    out.emplace_back(named.With(model::kMetricName, kAlertsForStateSeries),
                     std::floor(static_cast<double>(ToUnixMillis(alert.active_at)) / 1000));
  }
  return out;
}

void AlertingRule::Restore(ActiveAlert alert) {
  alert.restored = alert.state != AlertState::kInactive;
  alert.changed = false;
  model::Labels labels = alert.labels;
  alerts_.insert_or_assign(std::move(labels), std::move(alert));
}

void AlertingRule::ShiftTimes(Millis by) {
  for (auto& [labels, alert] : alerts_) {
    if (alert.state == AlertState::kInactive) continue;
    if (alert.state == AlertState::kPending) {
      alert.active_at += by;
      alert.changed = true;
    }
    if (alert.keep_firing_since) {
      *alert.keep_firing_since += by;
      alert.changed = true;
    }
  }
}

bool AlertingRule::HasWaiting() const {
  return std::any_of(alerts_.begin(), alerts_.end(), [](const auto& entry) {
    const ActiveAlert& alert = entry.second;
    return alert.state == AlertState::kPending || alert.keep_firing_since || alert.held_since;
  });
}

bool AlertingRule::HasRestored() const {
  return std::any_of(alerts_.begin(), alerts_.end(),
                     [](const auto& entry) { return entry.second.restored; });
}

std::vector<AlertStatus> AlertingRule::Statuses() const {
  std::vector<AlertStatus> out;
  for (const auto& [labels, alert] : alerts_) {
    if (alert.state == AlertState::kInactive) continue;
    AlertStatus status;
    status.labels = labels;
    status.annotations = alert.annotations;
    status.state = alert.state;
    status.active_at = alert.active_at;
    status.fired_at = alert.fired_at;
    status.keep_firing_since = alert.keep_firing_since;
    status.value = alert.value;
    status.held_since = alert.held_since;
    status.hold_reason = alert.hold_reason;
    out.push_back(std::move(status));
  }
  return out;
}

AlertState AlertingRule::State() const {
  AlertState worst = AlertState::kInactive;
  for (const auto& [labels, alert] : alerts_) worst = std::max(worst, alert.state);
  return worst;
}

}  // namespace tocsin::rules
