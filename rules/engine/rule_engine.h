#pragma once

// The rule engine: evaluates rule groups with PromQL, keeps the state of each
// alert, and hands alerts to notify. It follows Prometheus' semantics (pending,
// firing, keep_firing_for, ALERTS, slots by hash) and adds four things:
//
// On arrival. A commit of a collection or of remote write evaluates the groups
// whose selectors match one of its series, at once; further commits within
// kArrivalWindow are one evaluation at its end. A group runs at most
// kMaxRunsPerInterval times per interval beyond its slots. The evaluation time is the
// commit's and strictly increases per group. Between slots recording rules are
// visible to the later rules of their evaluation but not stored, and ALERTS are
// stored only for what changed.
//
// Held. An alert that is missing from its rule's result stays as it is while a
// target that feeds the rule does not answer, at most Options::hold.
//
// Hysteresis. With the annotation tocsin_resolve_when a firing alert resolves only
// when that expression holds for it, or when its data is gone.
//
// Restored. Each transition is on disk (state.db) before it is sent. After a
// restart, of any length and for any `for`, pending and firing alerts are what
// they were: down time up to the lookback counts as watched, a longer one is added
// to ActiveAt and KeepFiringSince. Firing alerts are sent again by Start() itself,
// and nothing restored resolves before fresh data of its targets was evaluated.
// If state.db cannot be written, alerts are sent all the same, the failure is
// logged and counted, and the write is tried again at each evaluation.
//
// Alerts go out as one batch per evaluation of a group. A firing alert is sent at
// its transition and again every kResendDelay with an end of four times
// max(interval, kResendDelay) ahead; a resolved one for kResolvedRetention, with the
// value its condition compares by then, in its annotations too, if there is one. Unlike
// Prometheus, a rule whose query fails keeps re-sending its firing alerts, so that
// a failing query does not resolve them by time-out; nor does a slow one, its own
// group's or another's: the firing alerts of a group that has said nothing for half
// of that time are repeated from a lane that evaluates nothing.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/executor.h"
#include "daemon/base/metrics.h"
#include "daemon/base/result.h"
#include "daemon/base/sqlite.h"
#include "daemon/model/alert_sink.h"
#include "daemon/model/labels.h"
#include "daemon/model/querier.h"
#include "daemon/model/sample_sink.h"
#include "daemon/model/source_state.h"
#include "rules/engine/rule_file.h"
#include "rules/engine/rule_status.h"
#include "rules/engine/rules_config.h"
#include "rules/promql/engine.h"

namespace tocsin::rules {

// Thread-safe, but Start, Reload and Stop come from one thread.
class RuleEngine : public model::CommitObserver {
 public:
  struct Options {
    Millis interval{std::chrono::seconds(15)};  // Of groups that name none.
    EvaluationMode evaluation = EvaluationMode::kArrival;
    Millis hold{std::chrono::hours(1)};
    model::Labels external_labels;  // Added to alerts that lack them; $externalLabels.
    std::string external_url;       // Of the daemon's pages, without a slash at the end.
  };

  static constexpr Millis kArrivalWindow{50};
  static constexpr int kMaxRunsPerInterval = 10;
  static constexpr Millis kResendDelay{std::chrono::minutes(1)};
  static constexpr Millis kResolvedRetention{std::chrono::minutes(15)};
  static constexpr int kLanes = 2;

  // All references must outlive the engine. `state` belongs to it alone.
  RuleEngine(const Clock& clock, ExecutorFactory& executors, const promql::Engine& promql,
             const model::Querier& querier, model::SampleSink& samples, model::AlertSink& alerts,
             const model::SourceStates& sources, Database& state, MetricRegistry& metrics,
             Options options);
  ~RuleEngine() override;  // Stops.

  // Reads the alerts' state, sends every firing alert of `rules` and a RESOLVED
  // ("rule removed") for those whose rule is gone, and begins to evaluate. Call it
  // before notify begins to flush: alerts that went silent with the last process
  // are then known to be firing.
  // Errors: kIoError, kCorruption from state.db; nothing runs then.
  Result<> Start(RuleSet rules);

  // Takes over a new rule set and, perhaps, new options. A group that did not
  // change goes on untouched; in a changed one, rules of equal name and labels keep
  // their alerts; alerts of the others resolve with the reason "rule removed".
  // Returns before the first evaluation of what is new. Errors: none so far.
  Result<> Reload(RuleSet rules);
  Result<> Reload(RuleSet rules, Options options);

  // Ends after the evaluations in flight. Alerts stay in state.db as they are.
  void Stop();

  // In the order of the rule set.
  std::vector<GroupStatus> Groups() const;

  // model::CommitObserver: schedules the groups that read what was committed.
  void OnCommit(const model::CommitContext& context,
                std::span<const model::SeriesSample> samples) override;

 private:
  class Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace tocsin::rules
