#include "rules/engine/replay.h"

#include <algorithm>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <utility>

#include "rules/engine/hand_evaluation.h"
#include "rules/engine/history_window.h"
#include "rules/engine/rule_environment.h"
#include "rules/engine/running_group.h"

namespace tocsin::rules {
namespace {

constexpr Millis kShortestWindow{std::chrono::minutes(30)};
constexpr Millis kLongestWindow{std::chrono::hours(6)};
constexpr int kWindows = 48;  // In which a range is read, within those bounds.

std::set<std::string> RecordedNames(const RuleSet& rules) {
  std::set<std::string> names{"ALERTS", "ALERTS_FOR_STATE"};
  for (const RuleGroup& group : rules.groups) {
    for (const Rule& rule : group.rules) {
      if (rule.kind == Rule::Kind::kRecord) names.insert(rule.name);
    }
  }
  return names;
}

// How long before the range evaluation has to begin for its first moments to be true.
Millis WarmUp(const RuleSet& rules) {
  Millis longest{0};
  for (const RuleGroup& group : rules.groups) {
    for (const Rule& rule : group.rules) {
      longest = std::max(longest, rule.for_duration + rule.keep_firing_for);
    }
  }
  return longest;
}

// The alerts of one rule that are under way, followed from evaluation to evaluation.
class Episodes {
 public:
  Episodes(std::size_t rule, ReplayReport& report) : rule_(rule), report_(report) {}

  void Follow(const AlertingRule& alerting, WallTime at) {
    std::map<model::Labels, std::size_t> still;
    for (const auto& [labels, alert] : alerting.alerts()) {
      const auto known = open_.find(labels);
      if (alert.state == AlertState::kInactive) {
        if (known == open_.end()) continue;  // Ended before.
        report_.alerts[known->second].ended_at = alert.resolved_at.value_or(at);
        open_.erase(known);
        continue;
      }
      const bool same =
          known != open_.end() && report_.alerts[known->second].pending_at == alert.active_at;
      const auto index = same ? std::optional(known->second) : Begin(labels, alert, at);
      if (!index) continue;
      ReplayedAlert& episode = report_.alerts[*index];
      episode.value = alert.value;
      episode.annotations = alert.annotations;
      if (alert.fired_at) episode.fired_at = alert.fired_at;
      still.emplace(labels, *index);
      if (same) open_.erase(known);
    }
    for (const auto& [labels, index] : open_) report_.alerts[index].ended_at = at;
    open_ = std::move(still);
  }

  std::size_t rule() const { return rule_; }

 private:
  std::optional<std::size_t> Begin(const model::Labels& labels, const ActiveAlert& alert,
                                   WallTime at) {
    if (report_.alerts.size() == kMaxReplayedAlerts) {
      if (alert.active_at == at) ++report_.alerts_left_out;  // Once, at its beginning.
      return std::nullopt;
    }
    ReplayedAlert episode;
    episode.rule = rule_;
    episode.labels = labels;
    episode.pending_at = alert.active_at;
    report_.alerts.push_back(std::move(episode));
    return report_.alerts.size() - 1;
  }

  const std::size_t rule_;  // Of ReplayReport::rules.
  ReplayReport& report_;
  std::map<model::Labels, std::size_t> open_;
};

class ReplayRun {
 public:
  ReplayRun(RuleSet rules, const model::Querier& history, const promql::Engine& promql,
            const Clock& clock, const ReplayOptions& options)
      : options_(options),
        begin_(options.start - WarmUp(rules)),
        window_(history, begin_, RecordedNames(rules)),
        environment_(clock, promql, window_, window_, sink_, sources_, state_, metrics_,
                     EngineOptions(options)) {
    for (RuleGroup& group : rules.groups) AddGroup(std::move(group), promql.config().lookback);
  }

  Result<ReplayReport> Run() {
    TOCSIN_RETURN_IF_ERROR(CheckSize());
    const Millis whole = options_.end - begin_;
    const Millis length = std::clamp(whole / kWindows, kShortestWindow, kLongestWindow);
    for (WallTime from = begin_; from <= options_.end; from += length) {
      const WallTime to = std::min(from + length, options_.end);
      TOCSIN_RETURN_IF_ERROR(window_.MoveTo(from, to));
      while (!due_.empty() && due_.top().first <= to) EvaluateNext();
      TOCSIN_RETURN_IF_ERROR(window_.Fits());
      if (options_.progress) {
        options_.progress(whole == Millis(0) ? 1 : ToSeconds(to - begin_) / ToSeconds(whole));
      }
    }
    Finish();
    return std::move(report_);
  }

 private:
  using Due = std::pair<WallTime, std::size_t>;  // Groups of the same time go in order.

  static RuleEngine::Options EngineOptions(const ReplayOptions& options) {
    RuleEngine::Options out;
    out.interval = options.interval;
    out.external_labels = options.external_labels;
    out.external_url = options.external_url;
    return out;
  }

  void AddGroup(RuleGroup group, Millis lookback) {
    if (group.interval == Millis(0)) group.interval = options_.interval;
    if (options_.step > Millis(0)) group.interval = options_.step;
    for (const Rule& rule : group.rules) {
      window_.Announce(*rule.expr, lookback, group.query_offset);
      if (rule.resolve_when) window_.Announce(*rule.resolve_when, lookback, group.query_offset);
    }
    groups_.push_back(std::make_shared<RunningGroup>(std::move(group), environment_, lane_));
    auto& followed = episodes_.emplace_back();
    const RunningGroup& running = *groups_.back();
    for (const RunningRule& rule : running.rules()) {
      followed.emplace_back(report_.rules.size(), report_);
      ReplayedRule out;
      out.file = running.config().file;
      out.group = running.config().name;
      out.name = rule.rule.name;
      out.kind = rule.rule.kind;
      report_.rules.push_back(std::move(out));
    }
    WallTime first = running.SlotAtOrBefore(begin_);
    if (first < begin_) first += running.config().interval;
    if (first <= options_.end) due_.emplace(first, groups_.size() - 1);
  }

  Result<> CheckSize() const {
    std::int64_t evaluations = 0;
    for (const auto& group : groups_) {
      evaluations += (options_.end - begin_) / group->config().interval *
                     static_cast<std::int64_t>(group->rules().size());
    }
    if (evaluations <= kMaxReplayedEvaluations) return {};
    return Error{ErrorCode::kResourceExhausted,
                 "this would be " + std::to_string(evaluations) + " evaluations, more than " +
                     std::to_string(kMaxReplayedEvaluations) +
                     ": choose a shorter range, a longer step or fewer rules"};
  }

  void EvaluateNext() {
    const auto [at, index] = due_.top();
    due_.pop();
    RunningGroup& group = *groups_[index];
    group.EvaluateSlot(at);
    for (std::size_t i = 0; i < group.rules().size(); ++i) {
      const RunningRule& rule = group.rules()[i];
      ReplayedRule& out = report_.rules[episodes_[index][i].rule()];
      ++report_.evaluations;
      if (!rule.last_error.empty()) {
        ++out.failures;
        if (out.first_error.empty()) out.first_error = rule.last_error;
      }
      if (rule.alerting) episodes_[index][i].Follow(*rule.alerting, at);
    }
    const WallTime next = at + group.config().interval;
    if (next <= options_.end) due_.emplace(next, index);
  }

  // What lies before the range goes; the rest is counted.
  void Finish() {
    std::erase_if(report_.alerts, [&](const ReplayedAlert& alert) {
      return alert.ended_at && *alert.ended_at < options_.start;
    });
    std::stable_sort(
        report_.alerts.begin(), report_.alerts.end(),
        [](const ReplayedAlert& a, const ReplayedAlert& b) { return a.pending_at < b.pending_at; });
    for (const ReplayedAlert& alert : report_.alerts) {
      ReplayedRule& rule = report_.rules[alert.rule];
      if (!alert.fired_at) {
        if (alert.ended_at) ++rule.only_pending;
        continue;
      }
      ++rule.fired;
      rule.firing +=
          alert.ended_at.value_or(options_.end) - std::max(*alert.fired_at, options_.start);
    }
  }

  const ReplayOptions& options_;
  const WallTime begin_;
  HistoryWindow window_;
  NoSink sink_;
  NoSources sources_;
  AlertStateStore state_;
  MetricRegistry metrics_;
  NoLane lane_;
  RuleEnvironment environment_;
  ReplayReport report_;
  std::vector<std::shared_ptr<RunningGroup>> groups_;
  std::vector<std::vector<Episodes>> episodes_;  // Of each group, of each of its rules.
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
};

}  // namespace

Result<ReplayReport> Replay(RuleSet rules, const model::Querier& history,
                            const promql::Engine& promql, const Clock& clock,
                            const ReplayOptions& options) {
  if (options.end < options.start) {
    return Error{ErrorCode::kInvalidArgument, "the range ends before it starts"};
  }
  return ReplayRun(std::move(rules), history, promql, clock, options).Run();
}

}  // namespace tocsin::rules
