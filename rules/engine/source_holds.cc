#include "rules/engine/source_holds.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "daemon/base/text.h"
#include "rules/engine/recorded_inputs.h"

namespace tocsin::rules {
namespace {

// How far before a target's failure its series are looked for.
constexpr Millis kFeedHistory = std::chrono::hours(1);

bool IsVerdict(std::string_view metric) {
  return metric == "up" || metric == "probe_success" || metric.ends_with("_up");
}

std::string_view MetricOf(const std::vector<model::Matcher>& selector) {
  for (const auto& matcher : selector) {
    if (matcher.name() == model::kMetricName && matcher.op() == model::MatchOp::kEqual) {
      return matcher.value();
    }
  }
  return {};
}

void Note(const promql::Expr& node, RuleInputs& inputs) {
  if (node.kind == promql::ExprKind::kMatrixSelector || node.kind == promql::ExprKind::kSubquery) {
    inputs.reads_range = true;
  }
  if (node.kind == promql::ExprKind::kCall) {
    const auto& name = promql::As<promql::CallExpr>(node).name;
    inputs.judges_absence |= name == "absent" || name == "absent_over_time";
  }
}

// No label of `source` differs from the one of that name in `labels`.
bool Agrees(const model::Labels& source, const model::Labels& labels) {
  for (const auto& [name, value] : source) {
    const std::string_view other = labels.Get(name);
    if (!other.empty() && other != value) return false;
  }
  return true;
}

// The selector could match series of the target, going by the target's labels.
bool MayMatch(const model::SourceState& source, const std::vector<model::Matcher>& selector) {
  return std::all_of(selector.begin(), selector.end(), [&source](const model::Matcher& matcher) {
    const std::string_view value = source.labels.Get(matcher.name());
    return value.empty() || matcher.Matches(value);
  });
}

bool MayFeed(const model::SourceState& source, const RuleInputs& inputs) {
  return std::any_of(inputs.selectors.begin(), inputs.selectors.end(),
                     [&source](const auto& selector) { return MayMatch(source, selector); });
}

// The selector matches a series of one of the families, going by its name alone.
bool NamesOneOf(const std::vector<std::string>& families,
                const std::vector<model::Matcher>& selector) {
  const auto matches = [&selector](const std::string& name) {
    return std::all_of(selector.begin(), selector.end(), [&name](const model::Matcher& matcher) {
      return matcher.name() != model::kMetricName || matcher.Matches(name);
    });
  };
  return std::any_of(families.begin(), families.end(), [&matches](const std::string& family) {
    return matches(family) || matches(family + "_bucket") || matches(family + "_sum") ||
           matches(family + "_count");
  });
}

}  // namespace

RuleInputs::RuleInputs(const promql::ExprPtr& expr) : selectors(promql::SelectorsOf(*expr)) {
  promql::ForEachNode(*expr, [this](const promql::Expr& node) { Note(node, *this); });
  for (const auto& selector : selectors) judges_absence |= IsVerdict(MetricOf(selector));
}

std::string SourceHolds::Reason(const RuleInputs& rule_inputs, const ActiveAlert& alert,
                                bool fresh_data) {
  if (!snapshot_) snapshot_ = sources_.Snapshot();
  auto known = inputs_.find(&rule_inputs);
  if (known == inputs_.end()) {
    known = inputs_.emplace(&rule_inputs, recorded_->Behind(rule_inputs)).first;
  }
  const RuleInputs& inputs = known->second;
  if (alert.restored) {
    std::string reason = RestoredReason(inputs, alert, fresh_data);
    if (!reason.empty()) return reason;
  }
  if (inputs.judges_absence) return {};
  for (const auto& source : *snapshot_) {
    if (!Agrees(source.labels, alert.labels)) continue;
    std::string reason = SourceReason(source, inputs, alert);
    if (!reason.empty()) return reason;
  }
  return {};
}

std::string SourceHolds::SourceReason(const model::SourceState& source, const RuleInputs& inputs,
                                      const ActiveAlert& alert) const {
  if (source.health != model::TargetHealth::kUp) {
    if (!Feeds(source, inputs)) return {};
    std::string reason = fmt::format("{} target \"{}\" does not answer", source.kind, source.name);
    if (source.failing_since != WallTime{}) {
      reason += " since " + FormatTime(source.failing_since);
    }
    return source.last_error.empty() ? reason : reason + ": " + source.last_error;
  }
  if (source.recovered_at >= began_ && Feeds(source, inputs)) {
    return fmt::format("{} target \"{}\" answers again since the evaluation began", source.kind,
                       source.name);
  }
  for (const auto& part : source.failed_parts) {
    if (part.recovered_at && *part.recovered_at < began_) continue;
    if (!PartFeeds(source, part, inputs, alert.restored)) continue;
    return fmt::format("{} of {} target \"{}\" does not answer since {}: {}", part.name,
                       source.kind, source.name, FormatTime(part.since), part.error);
  }
  return {};
}

// After a restart: the targets that may feed the rule have to be polled first,
// twice where a range is read, because a rate needs two samples.
std::string SourceHolds::RestoredReason(const RuleInputs& inputs, const ActiveAlert& alert,
                                        bool fresh_data) {
  bool any = false;
  for (const auto& source : *snapshot_) {
    if (!Agrees(source.labels, alert.labels) || !MayFeed(source, inputs)) continue;
    any = true;
    const bool polled =
        source.health != model::TargetHealth::kUnknown && source.last_poll >= started_at_;
    if (!polled) {
      return fmt::format("{} target \"{}\" has not been polled since the start", source.kind,
                         source.name);
    }
    if (inputs.reads_range && source.last_poll <= started_at_ + source.interval) {
      return fmt::format("{} target \"{}\" has been polled only once since the start", source.kind,
                         source.name);
    }
  }
  // Fed by remote write or by another group.
  if (!any && !fresh_data && at_ < started_at_ + lookback_) {
    return "nothing that the rule reads has arrived since the start";
  }
  return {};
}

bool SourceHolds::Feeds(const model::SourceState& source, const RuleInputs& inputs) const {
  const WallTime failed = source.failing_since == WallTime{} ? at_ : source.failing_since;
  return std::any_of(inputs.selectors.begin(), inputs.selectors.end(), [&](const auto& selector) {
    return MayMatch(source, selector) &&
           HasSeries(source, selector, failed - lookback_ - kFeedHistory);
  });
}

// A part that has not answered since the start has not told what it brings: then it
// is taken to bring whatever the target brought before and has not brought since.
bool SourceHolds::PartFeeds(const model::SourceState& source, const model::FailedPart& part,
                            const RuleInputs& inputs, bool restored) const {
  if (part.families == nullptr && !restored) return false;
  return std::any_of(inputs.selectors.begin(), inputs.selectors.end(), [&](const auto& selector) {
    if (!MayMatch(source, selector)) return false;
    if (part.families == nullptr ? HasSeries(source, selector, started_at_)
                                 : !NamesOneOf(*part.families, selector)) {
      return false;
    }
    return HasSeries(source, selector, part.since - lookback_ - kFeedHistory);
  });
}

bool SourceHolds::HasSeries(const model::SourceState& source,
                            const std::vector<model::Matcher>& selector, WallTime since) const {
  std::vector<model::Matcher> matchers = selector;
  for (const std::string_view name : {"job", "instance"}) {
    const std::string_view value = source.labels.Get(name);
    if (value.empty()) continue;
    auto matcher =
        model::Matcher::Make(model::MatchOp::kEqual, std::string(name), std::string(value));
    if (matcher.ok()) matchers.push_back(std::move(matcher).value());
  }
  const auto series = querier_.Select(matchers, {ToUnixMillis(since), ToUnixMillis(at_)});
  // What cannot be read cannot be judged: rather hold than resolve.
  return !series.ok() || (*series)->size() > 0;
}

}  // namespace tocsin::rules
