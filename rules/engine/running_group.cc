#include "rules/engine/running_group.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "daemon/base/log.h"
#include "rules/engine/removed_alerts.h"
#include "rules/promql/parser.h"

namespace tocsin::rules {
namespace {

// Two elements with the same labels would be one series.
Result<SeriesValues> RecordedSeries(const Rule& rule, const promql::Vector& result) {
  SeriesValues series;
  std::set<model::Labels> seen;
  for (const auto& sample : result) {
    std::vector<model::LabelView> pairs;
    for (const auto label : sample.labels) pairs.push_back(label);
    pairs.emplace_back(model::kMetricName, rule.name);
    for (const auto& [name, text] : rule.labels) pairs.emplace_back(name, text);
    auto labels = model::Labels::FromPairs(std::move(pairs));
    if (!seen.insert(labels).second) {
      return Error{ErrorCode::kInvalidArgument,
                   "vector contains metrics with the same labelset after applying rule labels"};
    }
    series.emplace_back(std::move(labels), sample.value);
  }
  return series;
}

}  // namespace

RunningRule::RunningRule(const Rule& rule, std::string key)
    : rule(rule),
      key(std::move(key)),
      query(promql::Text(*rule.expr)),
      inputs(rule.expr),
      compared_side(promql::ComparedSide(rule.expr)) {
  if (rule.kind == Rule::Kind::kAlert) alerting.emplace(rule);
}

RunningGroup::RunningGroup(RuleGroup config, RuleEnvironment& environment, Executor& lane)
    : config_(std::move(config)),
      canonical_text_(config_.CanonicalText()),
      environment_(environment),
      lane_(lane),
      metrics_(environment.registry, config_.file + ";" + config_.name) {
  std::map<std::string, int> ordinals;
  for (const Rule& rule : config_.rules) {
    rules_.emplace_back(rule, RuleKey(rule, ordinals[RuleKey(rule, 0)]++));
  }
  metrics_.interval_seconds.Set(ToSeconds(config_.interval));
  metrics_.rules.Set(static_cast<double>(rules_.size()));
  Publish(0);
}

RuleAddress RunningGroup::AddressOf(const RunningRule& rule) const {
  return {config_.file, config_.name, rule.key};
}

// -- What was before --

bool RunningGroup::Restore(const StoredAlert& stored) {
  for (RunningRule& rule : rules_) {
    if (!rule.alerting || rule.key != stored.address.rule) continue;
    rule.alerting->Restore(stored.alert);
    Publish(0);
    return true;
  }
  return false;
}

void RunningGroup::TakeOver(RunningGroup& old) {
  last_evaluation_ = old.last_evaluation_;
  before_restart_ = old.before_restart_;
  std::vector<StoredAlert> removed;
  for (RunningRule& was : old.rules_) {
    const auto now = std::find_if(rules_.begin(), rules_.end(), [&was](const RunningRule& rule) {
      return rule.key == was.key && rule.rule.kind == was.rule.kind;
    });
    if (now != rules_.end()) {
      if (now->alerting) now->alerting->TakeOver(*was.alerting);
      now->series = std::move(was.series);
      now->fresh = was.fresh.load();
      continue;
    }
    if (was.alerting) {
      for (auto& [labels, alert] : was.alerting->alerts()) {
        removed.push_back({old.AddressOf(was), alert});
      }
    }
    (void)was.series.End(environment_.samples, environment_.clock.WallNow());
  }
  old.Stop();
  old.ForgetFiring();
  environment_.removed->Add(std::move(removed));
  Publish(0);
}

void RunningGroup::Retire() {
  Stop();
  ForgetFiring();
  std::vector<StoredAlert> removed;
  for (RunningRule& rule : rules_) {
    if (rule.alerting) {
      for (auto& [labels, alert] : rule.alerting->alerts()) {
        removed.push_back({AddressOf(rule), alert});
      }
    }
    (void)rule.series.End(environment_.samples, environment_.clock.WallNow());
  }
  environment_.removed->Add(std::move(removed));
}

// -- Evaluation --

void RunningGroup::Evaluate(WallTime at, Pass pass) {
  const SteadyTime begin = environment_.clock.SteadyNow();
  const auto options = environment_.options();
  AdjustTimes(at);
  const WallTime query_at = at - config_.query_offset;
  OverlayQuerier overlay(environment_.querier, ToUnixMillis(query_at));
  SourceHolds holds(environment_.sources, environment_.querier, environment_.recorded(),
                    environment_.started_at, at, begin, environment_.promql.config().lookback);
  const model::Querier& reader =
      pass == Pass::kSlot ? environment_.querier : static_cast<const model::Querier&>(overlay);
  Evaluation evaluation{at, query_at, pass, reader, overlay, holds, *options};
  for (RunningRule& rule : rules_) {
    if (environment_.stop.stop_requested()) return;
    EvaluateRule(rule, evaluation);
  }
  last_evaluation_ = at;
  Persist(pass);
  Send();
  const double seconds = ToSeconds(environment_.clock.SteadyNow() - begin);
  metrics_.iterations.Add();
  metrics_.last_duration_seconds.Set(seconds);
  metrics_.last_evaluation_seconds.Set(ToSeconds(at.time_since_epoch()));
  metrics_.last_evaluation_samples.Set(static_cast<double>(evaluation.samples));
  metrics_.held_alerts.Set(evaluation.held);
  Publish(seconds);
}

// Time that nobody watched is not counted: a restart longer than the lookback, and
// a clock that was set back.
void RunningGroup::AdjustTimes(WallTime at) {
  Millis shift{0};
  if (before_restart_) {
    const Millis gap = at - *before_restart_;
    if (gap > environment_.promql.config().lookback || gap < Millis(0)) shift = gap;
    before_restart_.reset();
  } else if (last_evaluation_ && at < *last_evaluation_) {
    shift = at - *last_evaluation_;
  }
  if (shift == Millis(0)) return;
  for (RunningRule& rule : rules_) {
    if (rule.alerting) rule.alerting->ShiftTimes(shift);
  }
}

void RunningGroup::EvaluateRule(RunningRule& rule, Evaluation& evaluation) {
  const SteadyTime begin = environment_.clock.SteadyNow();
  auto vector = Query(rule.rule.expr, evaluation);
  Result<> done = {};
  if (!vector.ok()) {
    done = vector.error();
  } else if (rule.alerting) {
    done = EvaluateAlert(rule, evaluation, std::move(vector).value());
  } else {
    done = EvaluateRecord(rule, evaluation, std::move(vector).value());
  }
  if (!done.ok() && environment_.stop.stop_requested()) return;
  rule.seconds = ToSeconds(environment_.clock.SteadyNow() - begin);
  rule.last_evaluation = evaluation.at;
  rule.health = done.ok() ? RuleHealth::kOk : RuleHealth::kError;
  const std::string error = done.ok() ? std::string() : done.error().message;
  metrics_.evaluations.Add();
  if (!done.ok()) metrics_.evaluation_failures.Add();
  if (error != rule.last_error && !error.empty()) {
    LogWarning("a rule cannot be evaluated; its alerts stay as they are",
               {{"group", config_.name}, {"rule", rule.rule.name}, {"error", error}});
  }
  rule.last_error = error;
}

Result<promql::Vector> RunningGroup::Query(const promql::ExprPtr& expr,
                                           const Evaluation& evaluation) const {
  promql::QueryContext context{environment_.clock};
  context.stop = environment_.stop;
  TOCSIN_ASSIGN_OR_RETURN(auto result,
                          environment_.promql.Instant(*expr, evaluation.reader,
                                                      ToUnixMillis(evaluation.query_at), context));
  if (auto* vector = std::get_if<promql::Vector>(&result.value)) return std::move(*vector);
  if (const auto* scalar = std::get_if<promql::Scalar>(&result.value)) {
    return promql::Vector{{model::Labels(), scalar->time_ms, scalar->value}};
  }
  return Error{ErrorCode::kInvalidArgument, "rule result is not a vector or scalar"};
}

Result<> RunningGroup::WriteSeries(RunningRule& rule, Evaluation& evaluation,
                                   const SeriesValues& series, SeriesWriter::Scope scope) {
  TOCSIN_ASSIGN_OR_RETURN(
      const auto outcome,
      rule.series.Write(environment_.samples, evaluation.query_at, series, scope));
  evaluation.samples += outcome.stored;
  metrics_.samples_dropped.Add(static_cast<double>(outcome.dropped));
  return {};
}

Result<> RunningGroup::EvaluateRecord(RunningRule& rule, Evaluation& evaluation,
                                      promql::Vector result) {
  TOCSIN_ASSIGN_OR_RETURN(const SeriesValues series, RecordedSeries(rule.rule, result));
  if (config_.limit > 0 && series.size() > static_cast<std::size_t>(config_.limit)) {
    return Error{ErrorCode::kResourceExhausted,
                 fmt::format("exceeded limit of {} with {} series", config_.limit, series.size())};
  }
  if (evaluation.pass == Pass::kSlot) {
    return WriteSeries(rule, evaluation, series, SeriesWriter::Scope::kAll);
  }
  for (const auto& [labels, value] : series) evaluation.overlay.Add(labels, value);
  for (const auto& labels : rule.series.Gone(series)) {
    evaluation.overlay.Add(labels, model::StaleMarker());
  }
  return {};
}

Result<> RunningGroup::EvaluateAlert(RunningRule& rule, Evaluation& evaluation,
                                     promql::Vector result) {
  TemplateScope scope;
  scope.external_labels = evaluation.options.external_labels;
  scope.external_url = evaluation.options.external_url;
  scope.at = evaluation.at;
  scope.query = [&](const std::string& text) -> Result<promql::Vector> {
    TOCSIN_ASSIGN_OR_RETURN(const auto expr, promql::Parse(text));
    return Query(expr, evaluation);
  };
  // Evaluated when an alert is missing, and then once for all of them.
  const auto lazily = [&](const promql::ExprPtr& expr) {
    return [&, expr, tried = false,
            vector = std::optional<promql::Vector>()]() mutable -> const promql::Vector* {
      if (expr == nullptr) return nullptr;
      if (!tried) {
        tried = true;
        auto queried = Query(expr, evaluation);
        if (queried.ok()) vector = std::move(queried).value();
      }
      return vector ? &*vector : nullptr;
    };
  };
  AlertEvaluation alerts{evaluation.at,
                         std::move(result),
                         scope,
                         evaluation.options.hold,
                         [&](const ActiveAlert& alert) {
                           return evaluation.holds.Reason(rule.inputs, alert, rule.fresh);
                         },
                         lazily(rule.compared_side),
                         lazily(rule.rule.resolve_when)};
  TOCSIN_RETURN_IF_ERROR(rule.alerting->Evaluate(alerts, config_.limit));
  for (const auto& [labels, alert] : rule.alerting->alerts()) {
    evaluation.held += alert.held_since ? 1 : 0;
  }
  const auto scope_of_write =
      evaluation.pass == Pass::kSlot ? SeriesWriter::Scope::kAll : SeriesWriter::Scope::kChanges;
  return WriteSeries(rule, evaluation, rule.alerting->Series(), scope_of_write);
}

// -- After the rules --

// Transitions go to disk at once; what only says when an alert was last sent waits
// for the next slot, because a repeat after a crash does no harm.
void RunningGroup::Persist(Pass pass) {
  AlertStateStore::Change change;
  bool waiting = false;
  for (RunningRule& rule : rules_) {
    if (!rule.alerting) continue;
    waiting |= rule.alerting->HasWaiting();
    for (const auto& labels : rule.alerting->forgotten()) {
      change.forgotten.push_back({AddressOf(rule), labels});
    }
    for (const auto& [labels, alert] : rule.alerting->alerts()) {
      const bool settled = alert.state == AlertState::kInactive && alert.sent && !alert.changed;
      const bool sent = alert.sent && pass == Pass::kSlot;
      if (settled && sent) {
        change.forgotten.push_back({AddressOf(rule), labels});
      } else if (alert.changed || sent) {
        change.alerts.push_back({AddressOf(rule), alert});
      }
    }
  }
  if (change.empty() && !(waiting && pass == Pass::kSlot)) return;
  change.groups.push_back({config_.file, config_.name, *last_evaluation_});
  const auto written = environment_.state.Write(change);
  if (!written.ok()) {
    environment_.metrics.state_write_failures.Add();
    if (!state_failing_) {
      LogError(
          "the alerts' state cannot be written; alerts are sent all the same, but a restart "
          "would lose their state",
          {{"group", config_.name}, {"error", written.error().message}});
    }
    state_failing_ = true;
    return;
  }
  if (state_failing_) LogInfo("the alerts' state is written again", {{"group", config_.name}});
  state_failing_ = false;
  for (RunningRule& rule : rules_) {
    if (!rule.alerting) continue;
    rule.alerting->forgotten().clear();
    for (auto& [labels, alert] : rule.alerting->alerts()) {
      alert.changed = false;
      if (pass == Pass::kSlot) alert.sent = false;
    }
  }
}

void RunningGroup::Publish(double seconds) {
  auto status = std::make_shared<GroupStatus>();
  status->name = config_.name;
  status->file = config_.file;
  status->interval = config_.interval;
  status->query_offset = config_.query_offset;
  status->limit = config_.limit;
  status->evaluation_seconds = seconds;
  status->last_evaluation = last_evaluation_;
  for (const RunningRule& rule : rules_) {
    RuleStatus out;
    out.kind = rule.rule.kind;
    out.name = rule.rule.name;
    out.query = rule.query;
    out.for_duration = rule.rule.for_duration;
    out.keep_firing_for = rule.rule.keep_firing_for;
    out.labels = rule.rule.labels;
    out.annotations = rule.rule.annotations;
    out.health = rule.health;
    out.last_error = rule.last_error;
    out.evaluation_seconds = rule.seconds;
    out.last_evaluation = rule.last_evaluation;
    if (rule.alerting) {
      out.alerts = rule.alerting->Statuses();
      if (rule.last_evaluation || !out.alerts.empty()) out.state = rule.alerting->State();
    }
    status->rules.push_back(std::move(out));
  }
  MutexLock lock(mutex_);
  status_ = std::move(status);
}

std::shared_ptr<const GroupStatus> RunningGroup::Status() const {
  MutexLock lock(mutex_);
  return status_;
}

}  // namespace tocsin::rules
