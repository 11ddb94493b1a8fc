#pragma once

// What rules would have done: evaluates rule files over stored history, slot by slot as
// the engine does, and tells which alerts would have been pending and firing, and when
// (`tocsin replay`). Nothing is stored or sent.
//
// It is the engine's own groups that run, so that `for`, keep_firing_for, templates,
// limits and tocsin_resolve_when behave as in the daemon. Evaluation on arrival and
// holds are not replayed: a real alert may have come up to one interval sooner, and one
// whose source was silent would have been held. Recording rules are computed anew and
// seen by the rules that read them. Time begins the longest `for` before the range, so
// that what was under way at its start is known.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/model/labels.h"
#include "daemon/model/querier.h"
#include "rules/engine/rule_file.h"
#include "rules/promql/engine.h"

namespace tocsin::rules {

struct ReplayOptions {
  WallTime start{};
  WallTime end{};
  Millis step{0};                             // 0: each group's interval.
  Millis interval{std::chrono::seconds(15)};  // Of groups that name none.
  model::Labels external_labels;
  std::string external_url;
  // Told now and then how much is done, from 0 to 1; may be empty.
  std::function<void(double share)> progress;
};

// One alert from its first true evaluation to its end.
struct ReplayedAlert {
  std::size_t rule = 0;  // Of ReplayReport::rules.
  model::Labels labels;
  model::Labels annotations;  // At its last evaluation.
  double value = 0;           // Likewise.
  WallTime pending_at{};
  std::optional<WallTime> fired_at;
  std::optional<WallTime> ended_at;  // Nothing: goes on at the end of the range.
};

struct ReplayedRule {
  std::string file, group, name;
  Rule::Kind kind = Rule::Kind::kAlert;
  std::int64_t fired = 0;         // Alerts that fired within the range.
  std::int64_t only_pending = 0;  // Alerts that ended before they fired.
  Millis firing{0};               // Within the range, of all its alerts together.
  std::int64_t failures = 0;      // Evaluations that failed.
  std::string first_error;
};

struct ReplayReport {
  std::int64_t evaluations = 0;
  std::vector<ReplayedRule> rules;
  std::vector<ReplayedAlert> alerts;  // By the time they began.
  std::int64_t alerts_left_out = 0;   // Beyond kMaxReplayedAlerts.
};

inline constexpr std::size_t kMaxReplayedAlerts = 100'000;
inline constexpr std::int64_t kMaxReplayedEvaluations = 50'000'000;

// Errors: history's; kInvalidArgument for a range that ends before it starts,
// kResourceExhausted for more than kMaxReplayedEvaluations or what HistoryWindow says.
Result<ReplayReport> Replay(RuleSet rules, const model::Querier& history,
                            const promql::Engine& promql, const Clock& clock,
                            const ReplayOptions& options);

}  // namespace tocsin::rules
