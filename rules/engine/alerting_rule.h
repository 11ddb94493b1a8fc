#pragma once

// The state of one alerting rule: which of its alerts are pending, firing or have
// just resolved, and how one evaluation's result moves them (Prometheus'
// semantics, plus holds and hysteresis). It knows no clock, no disk and no other
// rule: the group gives it the result and asks it what changed.
//
// Not thread-safe: it lives on its group's lane.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/model/labels.h"
#include "rules/engine/rule_file.h"
#include "rules/engine/rule_status.h"
#include "rules/engine/rule_templates.h"
#include "rules/promql/engine.h"

namespace tocsin::rules {

// One alert of a rule. Its identity is its labels.
struct ActiveAlert {
  model::Labels labels;         // With alertname, without the external labels.
  model::Labels result_labels;  // Of the result's element, without __name__.
  model::Labels annotations;
  AlertState state = AlertState::kPending;  // kInactive once it has resolved.
  double value = 0;
  WallTime active_at{};
  std::optional<WallTime> fired_at;
  std::optional<WallTime> resolved_at;
  std::optional<WallTime> keep_firing_since;
  std::optional<WallTime> last_sent_at;
  std::optional<WallTime> held_since;
  std::string hold_reason;
  std::string resolve_reason;  // "", "no data", "rule removed".

  // Restored after a restart and not yet judged on fresh data.
  bool restored = false;
  bool changed = true;  // Not on disk as it is: a transition.
  bool sent = false;    // last_sent_at is not on disk as it is.
};

// What one evaluation brings.
struct AlertEvaluation {
  WallTime at{};
  promql::Vector result;
  TemplateScope& scope;
  Millis hold_limit{};
  // Why a missing alert must stay as it is; empty if nothing holds it.
  std::function<std::string(const ActiveAlert&)> hold_reason;
  // The values the condition compares, and the elements for which resolve_when
  // holds: evaluated when first asked for, null when there are none to be had.
  std::function<const promql::Vector*()> compared_side;
  std::function<const promql::Vector*()> resolving;

  // The rule's own.
  formats::GoFunctions functions{};
  bool template_failed = false;
};

class AlertingRule {
 public:
  explicit AlertingRule(const Rule& rule);

  // Moves every alert by one evaluation. `limit` of the group; 0: none.
  // Errors: kInvalidArgument when two elements get the same labels (nothing has
  // changed then); kResourceExhausted above the limit (all alerts are forgotten).
  Result<> Evaluate(AlertEvaluation& evaluation, int limit);

  // The alerts to send at `at`: transitions that were not sent, and firing and
  // resolved ones whose last sending is more than `resend_delay` ago.
  std::vector<ActiveAlert*> DueToSend(WallTime at, Millis resend_delay);

  // Firing and pending alerts' series at this moment, with their values.
  std::vector<std::pair<model::Labels, double>> Series() const;

  // Takes over the alerts of a rule of the same name and labels.
  void TakeOver(AlertingRule& old) { alerts_ = std::move(old.alerts_); }
  void Restore(ActiveAlert alert);

  // Watched time that a restart or a clock set back must not count or lose: moves
  // every moment of pending and keep-firing by `by`.
  void ShiftTimes(Millis by);

  bool HasWaiting() const;  // Pending, kept firing or held.
  bool HasRestored() const;

  using Alerts = std::map<model::Labels, ActiveAlert>;
  const Alerts& alerts() const { return alerts_; }
  Alerts& alerts() { return alerts_; }
  // Labels of alerts whose rows are to go; emptied by the caller.
  std::vector<model::Labels>& forgotten() { return forgotten_; }

  const Rule& rule() const { return *rule_; }
  std::vector<AlertStatus> Statuses() const;
  AlertState State() const;

 private:
  using Seen = std::map<model::Labels, const promql::VectorSample*>;

  using OnError = std::function<void(const Error&)>;

  TextPairs Expand(const RuleTemplates& templates, const model::Labels& labels, double value,
                   AlertEvaluation& evaluation, const OnError& on_error) const;
  OnError Complain(AlertEvaluation& evaluation) const;
  Result<Seen> LabelResult(AlertEvaluation& evaluation) const;
  void Update(const Seen& seen, AlertEvaluation& evaluation);
  // False when the alert is to be forgotten.
  bool Present(ActiveAlert& alert, WallTime at);
  bool Missing(ActiveAlert& alert, AlertEvaluation& evaluation);
  bool Held(ActiveAlert& alert, AlertEvaluation& evaluation, bool& expired);
  bool WaitsToResolve(const ActiveAlert& alert, AlertEvaluation& evaluation) const;
  void Resolve(ActiveAlert& alert, AlertEvaluation& evaluation, std::string reason);
  void ShowPresentValue(ActiveAlert& alert, AlertEvaluation& evaluation) const;

  const Rule* rule_;  // Of the group's configuration, which outlives this.
  RuleTemplates labels_;
  RuleTemplates annotations_;
  Alerts alerts_;
  std::vector<model::Labels> forgotten_;
  bool template_failing_ = false;
};

// The element of `vector` that belongs to an alert made from an element with
// `labels`: the one with the same labels, else the only one that contradicts none
// of them; null if there is none.
const promql::VectorSample* FindElement(const promql::Vector& vector, const model::Labels& labels);

}  // namespace tocsin::rules
