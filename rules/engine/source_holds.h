#pragma once

// Decides whether an alert that is missing from its rule's result must stay as it
// is because the data it needs did not come: a target that feeds the rule, or the
// part of it that does, is down (held), or has not been polled since the daemon started (restored).
// A target feeds a rule if one of the rule's selectors, or of those behind the recorded
// series it reads, has series with that target's job and instance. One object serves one evaluation
// of a group. Not thread-safe.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/model/labels.h"
#include "daemon/model/matcher.h"
#include "daemon/model/querier.h"
#include "daemon/model/source_state.h"
#include "rules/engine/alerting_rule.h"
#include "rules/promql/ast.h"

namespace tocsin::rules {

// What a rule reads, found once when it is loaded.
struct RuleInputs {
  explicit RuleInputs(const promql::ExprPtr& expr);

  std::vector<std::vector<model::Matcher>> selectors;
  // It reads up, a *_up, probe_success or absent: no data is its answer.
  bool judges_absence = false;
  // It reads a range: one fresh sample is not enough.
  bool reads_range = false;
};

class RecordedInputs;

class SourceHolds {
 public:
  SourceHolds(const model::SourceStates& sources, const model::Querier& querier,
              std::shared_ptr<const RecordedInputs> recorded, WallTime started_at, WallTime at,
              SteadyTime began, Millis lookback)
      : sources_(sources),
        querier_(querier),
        recorded_(std::move(recorded)),
        started_at_(started_at),
        at_(at),
        began_(began),
        lookback_(lookback) {}

  // Why `alert` is held, for people; empty if it is not. `fresh_data`: series that
  // the rule reads were committed since the start. `inputs` must outlive the object.
  std::string Reason(const RuleInputs& inputs, const ActiveAlert& alert, bool fresh_data);

 private:
  // Why a source that agrees with the alert keeps it; empty if it does not.
  std::string SourceReason(const model::SourceState& source, const RuleInputs& inputs,
                           const ActiveAlert& alert) const;
  bool Feeds(const model::SourceState& source, const RuleInputs& inputs) const;
  bool PartFeeds(const model::SourceState& source, const model::FailedPart& part,
                 const RuleInputs& inputs, bool restored) const;
  // The selector matches series of the target with samples since then.
  bool HasSeries(const model::SourceState& source, const std::vector<model::Matcher>& selector,
                 WallTime since) const;
  std::string RestoredReason(const RuleInputs& inputs, const ActiveAlert& alert, bool fresh_data);

  const model::SourceStates& sources_;
  const model::Querier& querier_;
  const std::shared_ptr<const RecordedInputs> recorded_;
  const WallTime started_at_;
  const WallTime at_;
  const SteadyTime began_;  // When the evaluation did.
  const Millis lookback_;
  std::optional<std::vector<model::SourceState>> snapshot_;
  std::map<const RuleInputs*, RuleInputs> inputs_;  // With what is behind them.
};

}  // namespace tocsin::rules
