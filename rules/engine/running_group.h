#pragma once

// One rule group at work: schedules itself at its slots and on arrival, evaluates
// its rules in order, writes what changed to disk, and hands alerts to notify.
//
// Evaluation happens on the group's lane only; NoteArrival, MarkFresh and Status
// may be called from any thread. A firing alert does not end because an evaluation
// is slow: a lane that evaluates nothing repeats what the group said last, once
// half of the alerts' validity has passed.

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/executor.h"
#include "daemon/base/mutex.h"
#include "rules/engine/alert_state_store.h"
#include "rules/engine/alerting_rule.h"
#include "rules/engine/overlay_querier.h"
#include "rules/engine/rule_environment.h"
#include "rules/engine/rule_file.h"
#include "rules/engine/rule_status.h"
#include "rules/engine/rules_metrics.h"
#include "rules/engine/series_writer.h"
#include "rules/engine/source_holds.h"

namespace tocsin::rules {

// One rule of a running group.
struct RunningRule {
  RunningRule(const Rule& rule, std::string key);

  const Rule& rule;
  const std::string key;
  const std::string query;  // The expression as it is printed.
  const RuleInputs inputs;
  const promql::ExprPtr compared_side;  // Null when there is none.
  std::optional<AlertingRule> alerting;
  SeriesWriter series;
  RuleHealth health = RuleHealth::kUnknown;
  std::string last_error;
  double seconds = 0;
  std::optional<WallTime> last_evaluation;
  std::atomic<bool> fresh{false};  // Series it reads were committed since the start.
};

class RunningGroup : public std::enable_shared_from_this<RunningGroup> {
 public:
  static constexpr Millis kSendRetryDelay{std::chrono::seconds(1)};
  static constexpr Millis kRepeatCheck{std::chrono::seconds(15)};

  RunningGroup(RuleGroup config, RuleEnvironment& environment, Executor& lane);

  const RuleGroup& config() const { return config_; }
  const std::string& canonical_text() const { return canonical_text_; }
  const std::deque<RunningRule>& rules() const { return rules_; }
  Executor& lane() { return lane_; }

  // -- Before Start(), from the engine's thread, or on the lane --

  // False if no rule of the group has that key.
  bool Restore(const StoredAlert& stored);
  void RestoreLastEvaluation(WallTime at) { before_restart_ = at; }
  // Restored alerts to send at once, and that they were taken.
  void AppendRestored(WallTime now, std::vector<model::Alert>& batch) const;
  void MarkRestoredSent(WallTime now);

  // Takes over what `old` knows; alerts of rules that are gone are resolved.
  void TakeOver(RunningGroup& old);
  // Resolves everything: the group is gone.
  void Retire();

  // Begins to run at its slots. A group that was stopped stays so.
  void Start();
  void Stop() { stopped_ = true; }

  // -- From any thread --

  // A commit at `at` has brought series that the group reads.
  void NoteArrival(WallTime at);
  void MarkFresh(std::size_t rule) { rules_[rule].fresh = true; }
  std::shared_ptr<const GroupStatus> Status() const;

  // The last of its times to run at (k·interval + offset) that is not after `time`.
  WallTime SlotAtOrBefore(WallTime time) const;
  // Evaluates once, as at a slot. For tests of rules and replays; else internal.
  void EvaluateSlot(WallTime at) { Evaluate(at, Pass::kSlot); }

 private:
  enum class Pass { kSlot, kArrival };

  // What one evaluation shares among its rules.
  struct Evaluation {
    WallTime at;
    WallTime query_at;  // `at` less the query offset.
    Pass pass;
    const model::Querier& reader;
    OverlayQuerier& overlay;
    SourceHolds& holds;
    const RuleEngine::Options& options;
    std::int64_t samples = 0;
    int held = 0;
  };

  // What notify was told of an alert that fires, and when.
  struct ToldAlert {
    model::Alert alert;
    SteadyTime told_at{};
  };
  using Repeats = std::map<std::uint64_t, ToldAlert>;  // By fingerprint.

  // running_group_schedule.cc
  void ScheduleSlot();
  void RunSlot();
  void RunArrival();

  // running_group.cc
  void Evaluate(WallTime at, Pass pass);
  void AdjustTimes(WallTime at);
  void EvaluateRule(RunningRule& rule, Evaluation& evaluation);
  Result<> EvaluateRecord(RunningRule& rule, Evaluation& evaluation, promql::Vector result);
  Result<> EvaluateAlert(RunningRule& rule, Evaluation& evaluation, promql::Vector result);
  Result<promql::Vector> Query(const promql::ExprPtr& expr, const Evaluation& evaluation) const;
  Result<> WriteSeries(RunningRule& rule, Evaluation& evaluation, const SeriesValues& series,
                       SeriesWriter::Scope scope);
  void Persist(Pass pass);
  void Publish(double seconds);
  RuleAddress AddressOf(const RunningRule& rule) const;

  // running_group_send.cc
  void Send();
  // Hands `batch` to notify and notes what it has to be told again.
  Result<> Tell(std::vector<model::Alert> batch);
  // What fires now, told at the times that `known` has; else so long ago that it is due.
  Repeats FiringAlerts(const Repeats& known) const;
  std::size_t CountFiring() const;
  void NoteFiring();    // Restored or taken over: notify knows of them.
  void ForgetFiring();  // Another tells notify about them from here on.
  void ScheduleRepeat();
  void Repeat();
  bool RepeatIfOverdue() REQUIRES_LOCK(telling_);

  const RuleGroup config_;
  const std::string canonical_text_;
  RuleEnvironment& environment_;
  Executor& lane_;
  GroupMetrics metrics_;
  std::deque<RunningRule> rules_;
  std::atomic<bool> stopped_{false};

  // On the lane.
  std::optional<WallTime> last_slot_;
  std::optional<WallTime> last_evaluation_;
  std::optional<WallTime> before_restart_;  // The last evaluation of the process before.
  bool state_failing_ = false;
  bool send_failing_ = false;
  bool retry_scheduled_ = false;

  // Held while notify takes a batch, so that no repeat comes after a RESOLVED.
  Mutex telling_;
  Repeats repeats_ GUARDED_BY(telling_);    // What fires, as of the last batch.
  bool slow_ GUARDED_BY(telling_) = false;  // Repeats are nothing new.

  mutable Mutex mutex_;
  std::shared_ptr<const GroupStatus> status_ GUARDED_BY(mutex_);
  bool arrival_scheduled_ GUARDED_BY(mutex_) = false;
  WallTime arrival_at_ GUARDED_BY(mutex_){};
  std::optional<SteadyTime> last_arrival_run_ GUARDED_BY(mutex_);
  std::deque<SteadyTime> arrival_runs_ GUARDED_BY(mutex_);  // The last kMaxRunsPerInterval.
};

}  // namespace tocsin::rules
