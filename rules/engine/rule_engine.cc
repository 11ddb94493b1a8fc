#include "rules/engine/rule_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "daemon/base/log.h"
#include "rules/engine/alert_state_store.h"
#include "rules/engine/arrival_index.h"
#include "rules/engine/removed_alerts.h"
#include "rules/engine/rule_environment.h"
#include "rules/engine/running_group.h"

namespace tocsin::rules {

class RuleEngine::Rep {
 public:
  Rep(const Clock& clock, ExecutorFactory& executors, const promql::Engine& promql,
      const model::Querier& querier, model::SampleSink& samples, model::AlertSink& alerts,
      const model::SourceStates& sources, Database& state, MetricRegistry& metrics, Options options)
      : executors_(executors),
        state_(state),
        environment_(clock, promql, querier, samples, alerts, sources, state_, metrics,
                     std::move(options)) {
    environment_.stop = stop_.get_token();
  }

  Result<> Start(RuleSet rules);
  void Reload(RuleSet rules);
  void SetOptions(Options options) { environment_.SetOptions(std::move(options)); }
  void Stop();
  std::vector<GroupStatus> Groups() const;
  void OnCommit(const model::CommitContext& context, std::span<const model::SeriesSample> samples);

 private:
  using GroupList = std::vector<std::shared_ptr<RunningGroup>>;

  std::shared_ptr<RunningGroup> NewGroup(RuleGroup config);
  void Restore(const GroupList& groups, const std::vector<StoredAlert>& alerts,
               const std::vector<StoredGroup>& evaluations);
  void SendRestored(const GroupList& groups);
  void SetIndex(GroupList groups);
  std::shared_ptr<const ArrivalIndex> index() const {
    MutexLock lock(mutex_);
    return index_;
  }

  ExecutorFactory& executors_;
  AlertStateStore state_;
  std::stop_source stop_;
  RuleEnvironment environment_;
  std::unique_ptr<Executor> repeats_;  // Serves the lanes.
  std::vector<std::unique_ptr<Executor>> lanes_;
  std::unique_ptr<RemovedAlerts> removed_;

  mutable Mutex mutex_;
  std::shared_ptr<const ArrivalIndex> index_ GUARDED_BY(mutex_);

  // Held while commits schedule groups, so that no lane goes away beneath them.
  Mutex arrivals_mutex_;
  bool stopping_ GUARDED_BY(arrivals_mutex_) = false;
};

std::shared_ptr<RunningGroup> RuleEngine::Rep::NewGroup(RuleGroup config) {
  if (config.interval <= Millis(0)) config.interval = environment_.options()->interval;
  // A group keeps its lane over reloads: what it hands over is handed over there.
  const model::Labels identity{{"file", config.file}, {"name", config.name}};
  Executor& lane = *lanes_[identity.Fingerprint() % lanes_.size()];
  return std::make_shared<RunningGroup>(std::move(config), environment_, lane);
}

Result<> RuleEngine::Rep::Start(RuleSet rules) {
  TOCSIN_RETURN_IF_ERROR(state_.Open());
  TOCSIN_ASSIGN_OR_RETURN(const auto alerts, state_.Alerts());
  TOCSIN_ASSIGN_OR_RETURN(const auto evaluations, state_.Groups());
  environment_.started_at = environment_.clock.WallNow();
  for (int i = 0; i < kLanes; ++i) {
    lanes_.push_back(executors_.NewExecutor(fmt::format("rules-{}", i)));
  }
  repeats_ = executors_.NewExecutor("rules-repeats");
  environment_.repeats = repeats_.get();
  removed_ = std::make_unique<RemovedAlerts>(environment_, *repeats_);
  environment_.removed = removed_.get();
  GroupList groups;
  for (RuleGroup& group : rules.groups) groups.push_back(NewGroup(std::move(group)));
  Restore(groups, alerts, evaluations);
  SendRestored(groups);
  SetIndex(groups);
  for (const auto& group : groups) group->Start();
  return {};
}

void RuleEngine::Rep::Restore(const GroupList& groups, const std::vector<StoredAlert>& alerts,
                              const std::vector<StoredGroup>& evaluations) {
  using Name = std::pair<std::string, std::string>;
  std::map<Name, RunningGroup*> by_name;
  for (const auto& group : groups) {
    by_name[{group->config().file, group->config().name}] = group.get();
  }
  std::vector<StoredAlert> removed;
  for (const StoredAlert& alert : alerts) {
    const auto group = by_name.find({alert.address.file, alert.address.group});
    if (group == by_name.end() || !group->second->Restore(alert)) removed.push_back(alert);
  }
  for (const StoredGroup& evaluation : evaluations) {
    const auto group = by_name.find({evaluation.file, evaluation.group});
    if (group != by_name.end()) group->second->RestoreLastEvaluation(evaluation.last_evaluation);
  }
  const std::size_t restored = alerts.size() - removed.size();
  environment_.metrics.restored_alerts.Set(static_cast<double>(restored));
  if (restored > 0) {
    LogInfo("alerts of the last run go on", {{"alerts", std::to_string(restored)}});
  }
  removed_->Add(std::move(removed));
}

// What notify knew to fire may have ended there while nobody sent it: say that it
// still fires before anything is flushed.
void RuleEngine::Rep::SendRestored(const GroupList& groups) {
  const WallTime now = environment_.started_at;
  std::vector<model::Alert> batch;
  for (const auto& group : groups) group->AppendRestored(now, batch);
  if (batch.empty()) return;
  const auto count = static_cast<double>(batch.size());
  const auto accepted = environment_.alerts.Accept(std::move(batch));
  if (!accepted.ok()) {
    environment_.metrics.send_failures.Add();
    LogError("notify did not take the restored alerts; they are sent after the first evaluation",
             {{"error", accepted.error().message}});
    return;
  }
  environment_.metrics.alerts_sent.Add(count);
  for (const auto& group : groups) group->MarkRestoredSent(now);
}

void RuleEngine::Rep::Reload(RuleSet rules) {
  std::map<std::pair<std::string, std::string>, std::shared_ptr<RunningGroup>> old;
  if (const auto current = index()) {
    for (const auto& group : current->groups()) {
      old[{group->config().file, group->config().name}] = group;
    }
  }
  GroupList groups;
  for (RuleGroup& config : rules.groups) {
    std::shared_ptr<RunningGroup> group = NewGroup(std::move(config));
    const auto node = old.extract({group->config().file, group->config().name});
    const auto before = node.empty() ? nullptr : node.mapped();
    if (before && before->canonical_text() == group->canonical_text()) {
      groups.push_back(before);
      continue;
    }
    group->lane().Post([group, before] {
      if (before) group->TakeOver(*before);
      group->Start();
    });
    groups.push_back(std::move(group));
  }
  for (const auto& [name, group] : old) {
    group->lane().Post([group = group] { group->Retire(); });
  }
  SetIndex(std::move(groups));
}

void RuleEngine::Rep::SetIndex(GroupList groups) {
  RecordedInputs recorded;
  for (const auto& group : groups) {
    for (const RunningRule& rule : group->rules()) {
      if (rule.rule.kind == Rule::Kind::kRecord) recorded.Add(rule.rule.name, rule.inputs);
    }
  }
  environment_.SetRecorded(std::move(recorded));
  auto next = std::make_shared<const ArrivalIndex>(std::move(groups));
  MutexLock lock(mutex_);
  index_ = std::move(next);
}

void RuleEngine::Rep::Stop() {
  {
    MutexLock lock(arrivals_mutex_);
    stopping_ = true;
  }
  if (const auto current = index()) {
    for (const auto& group : current->groups()) group->Stop();
  }
  stop_.request_stop();
  lanes_.clear();  // Waits for what runs.
  repeats_.reset();
}

std::vector<GroupStatus> RuleEngine::Rep::Groups() const {
  std::vector<GroupStatus> out;
  if (const auto current = index()) {
    for (const auto& group : current->groups()) out.push_back(*group->Status());
  }
  return out;
}

void RuleEngine::Rep::OnCommit(const model::CommitContext& context,
                               std::span<const model::SeriesSample> samples) {
  const auto current = index();
  if (!current) return;
  const auto hits = current->Find(context, samples);
  for (const auto& hit : *hits) current->groups()[hit.group]->MarkFresh(hit.rule);
  if (context.origin == model::CommitOrigin::kRules ||
      environment_.options()->evaluation == EvaluationMode::kSlots) {
    return;
  }
  MutexLock lock(arrivals_mutex_);
  if (stopping_) return;
  std::size_t noted = current->groups().size();
  for (const auto& hit : *hits) {
    if (hit.group != noted) current->groups()[hit.group]->NoteArrival(context.at);
    noted = hit.group;
  }
}

RuleEngine::RuleEngine(const Clock& clock, ExecutorFactory& executors, const promql::Engine& promql,
                       const model::Querier& querier, model::SampleSink& samples,
                       model::AlertSink& alerts, const model::SourceStates& sources,
                       Database& state, MetricRegistry& metrics, Options options)
    : rep_(std::make_unique<Rep>(clock, executors, promql, querier, samples, alerts, sources, state,
                                 metrics, std::move(options))) {}

RuleEngine::~RuleEngine() { Stop(); }

Result<> RuleEngine::Start(RuleSet rules) { return rep_->Start(std::move(rules)); }

Result<> RuleEngine::Reload(RuleSet rules) {
  rep_->Reload(std::move(rules));
  return {};
}

Result<> RuleEngine::Reload(RuleSet rules, Options options) {
  rep_->SetOptions(std::move(options));
  rep_->Reload(std::move(rules));
  return {};
}

void RuleEngine::Stop() { rep_->Stop(); }

std::vector<GroupStatus> RuleEngine::Groups() const { return rep_->Groups(); }

void RuleEngine::OnCommit(const model::CommitContext& context,
                          std::span<const model::SeriesSample> samples) {
  rep_->OnCommit(context, samples);
}

}  // namespace tocsin::rules
