#include "rules/engine/source_holds.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "daemon/base/text.h"

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

void Walk(const promql::ExprPtr& expr, RuleInputs& inputs) {
  if (expr->kind == promql::ExprKind::kMatrixSelector ||
      expr->kind == promql::ExprKind::kSubquery) {
    inputs.reads_range = true;
  }
  if (expr->kind == promql::ExprKind::kCall) {
    const auto& name = promql::As<promql::CallExpr>(*expr).name;
    inputs.judges_absence |= name == "absent" || name == "absent_over_time";
  }
  for (const auto& child : promql::Children(*expr)) Walk(child, inputs);
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

}  // namespace

RuleInputs::RuleInputs(const promql::ExprPtr& expr) : selectors(promql::SelectorsOf(*expr)) {
  Walk(expr, *this);
  for (const auto& selector : selectors) judges_absence |= IsVerdict(MetricOf(selector));
}

std::string SourceHolds::Reason(const RuleInputs& inputs, const ActiveAlert& alert,
                                bool fresh_data) {
  if (!snapshot_) snapshot_ = sources_.Snapshot();
  if (alert.restored) {
    std::string reason = RestoredReason(inputs, alert, fresh_data);
    if (!reason.empty()) return reason;
  }
  if (inputs.judges_absence) return {};
  for (const auto& source : *snapshot_) {
    if (source.health == model::TargetHealth::kUp || !Agrees(source.labels, alert.labels)) {
      continue;
    }
    if (!Feeds(source, inputs)) continue;
    std::string reason = fmt::format("{} target \"{}\" does not answer", source.kind, source.name);
    if (source.failing_since != WallTime{}) {
      reason += " since " + FormatTime(source.failing_since);
    }
    return source.last_error.empty() ? reason : reason + ": " + source.last_error;
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
  return std::any_of(inputs.selectors.begin(), inputs.selectors.end(), [&](const auto& selector) {
    return MayMatch(source, selector) && HasSeries(source, selector);
  });
}

bool SourceHolds::HasSeries(const model::SourceState& source,
                            const std::vector<model::Matcher>& selector) const {
  std::vector<model::Matcher> matchers = selector;
  for (const std::string_view name : {"job", "instance"}) {
    const std::string_view value = source.labels.Get(name);
    if (value.empty()) continue;
    auto matcher =
        model::Matcher::Make(model::MatchOp::kEqual, std::string(name), std::string(value));
    if (matcher.ok()) matchers.push_back(std::move(matcher).value());
  }
  const WallTime since = source.failing_since == WallTime{} ? at_ : source.failing_since;
  const auto series = querier_.Select(
      matchers, {ToUnixMillis(since - lookback_ - kFeedHistory), ToUnixMillis(at_)});
  // What cannot be read cannot be judged: rather hold than resolve.
  return !series.ok() || (*series)->size() > 0;
}

}  // namespace tocsin::rules
