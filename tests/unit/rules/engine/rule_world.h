#pragma once

// The rule engine in a small world of virtual time: one target that is polled
// every 5 s, a store that is a map, a notify that writes down what it is told,
// and a real state.db that outlives restarts.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/sqlite.h"
#include "daemon/base/text.h"
#include "rules/engine/rule_engine.h"
#include "rules/promql/parser.h"
#include "tests/support/map_store.h"
#include "tests/support/process.h"
#include "tests/support/sim_executor.h"

namespace tocsin::rules::testing {

using tocsin::testing::MapStore;
using tocsin::testing::SimClock;
using tocsin::testing::SimExecutors;

// Tells the engine of each commit, as the application does.
class ObservedStore : public model::SampleSink {
 public:
  explicit ObservedStore(MapStore& store) : store_(store) {}
  void Observe(model::CommitObserver* observer) { observer_ = observer; }

  Result<model::SeriesRef> Resolve(const model::Labels& labels) override {
    return store_.Resolve(labels);
  }
  Result<model::CommitOutcome> Commit(const model::CommitContext& context,
                                      std::span<const model::SeriesSample> samples) override {
    auto outcome = store_.Commit(context, samples);
    if (context.origin == model::CommitOrigin::kRules) rule_commits_ += 1;
    if (observer_ != nullptr) observer_->OnCommit(context, samples);
    return outcome;
  }
  int rule_commits() const { return rule_commits_; }

 private:
  MapStore& store_;
  model::CommitObserver* observer_ = nullptr;
  int rule_commits_ = 0;
};

class ScriptedAlertSink : public model::AlertSink {
 public:
  Result<> Accept(std::vector<model::Alert> alerts) override {
    if (refuses) return Error{ErrorCode::kIoError, "disk full"};
    if (on_accept) on_accept();
    if (on_batch) on_batch(alerts);
    batches.push_back(std::move(alerts));
    return {};
  }
  bool refuses = false;
  std::function<void()> on_accept;
  std::function<void(const std::vector<model::Alert>&)> on_batch;
  std::vector<std::vector<model::Alert>> batches;
};

class ScriptedSources : public model::SourceStates {
 public:
  std::vector<model::SourceState> Snapshot() const override { return states; }
  std::vector<model::SourceState> states;
};

// Reads of the series "slow" take a time of their own.
class SlowQuerier : public model::Querier {
 public:
  SlowQuerier(const MapStore& store, SimExecutors& executors)
      : store_(store), executors_(executors) {}

  Result<std::unique_ptr<model::Selection>> Select(const std::vector<model::Matcher>& matchers,
                                                   model::TimeRange range) const override {
    const bool slow = std::any_of(matchers.begin(), matchers.end(),
                                  [](const auto& matcher) { return matcher.value() == "slow"; });
    if (slow) executors_.Take(read_takes);
    auto selection = store_.Select(matchers, range);
    if (after_read) std::exchange(after_read, nullptr)();
    return selection;
  }
  Result<std::vector<std::string>> LabelNames(const std::vector<model::Matcher>& matchers,
                                              model::TimeRange range) const override {
    return store_.LabelNames(matchers, range);
  }
  Result<std::vector<std::string>> LabelValues(const std::string& name,
                                               const std::vector<model::Matcher>& matchers,
                                               model::TimeRange range) const override {
    return store_.LabelValues(name, matchers, range);
  }

  Millis read_takes{0};
  mutable std::function<void()> after_read;  // Once, after the next read.

 private:
  const MapStore& store_;
  SimExecutors& executors_;
};

// What most rules here look at.
inline constexpr const char* kCpu = R"(cpu{job="pg",instance="db1:5432"})";

// A file of one group, "g"; `head`: further lines of it.
inline std::string Group(const std::string& rules, const std::string& head = "",
                         const std::string& interval = "10s") {
  return "groups:\n- name: g\n  interval: " + interval + "\n" + head + "  rules:\n" + rules;
}

class RuleWorld {
 public:
  static constexpr Millis kPoll{5000};

  RuleWorld()
      : executors_(clock_),
        store_(map_),
        querier_(map_, executors_),
        promql_(promql::PromqlConfig()) {
    options_.external_url = "http://tocsin";
    options_.evaluation = EvaluationMode::kSlots;
    model::SourceState target;
    target.kind = "postgres";
    target.name = "primary";
    target.labels = {{"job", "pg"}, {"instance", "db1:5432"}};
    target.interval = kPoll;
    target.health = model::TargetHealth::kUp;
    target.last_poll = clock_.WallNow();
    sources_.states.push_back(target);
    poller_ = executors_.NewExecutor("poll");
    SchedulePoll();
  }

  ~RuleWorld() {
    Stop();
    poller_.reset();
  }

  RuleEngine::Options& options() { return options_; }
  RuleEngine& engine() { return *engine_; }
  SimClock& clock() { return clock_; }
  ScriptedAlertSink& sink() { return sink_; }
  model::SourceState& target() { return sources_.states[0]; }
  ScriptedSources& sources() { return sources_; }
  ObservedStore& store() { return store_; }
  MapStore& map() { return map_; }
  SlowQuerier& querier() { return querier_; }
  MetricRegistry& metrics() { return *metrics_; }

  static RuleSet Parse(const std::string& yaml) {
    ConfigErrors errors;
    RuleSet set;
    set.groups = LoadRuleFile(yaml, "rules.yaml", errors);
    EXPECT_TRUE(errors.empty()) << errors.Text();
    return set;
  }

  void Start(const std::string& yaml) {
    Database::Options database;
    database.path = state_file();
    auto opened = Database::Open(database);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    state_ = std::move(opened).value();
    metrics_ = std::make_unique<MetricRegistry>();
    engine_ = std::make_unique<RuleEngine>(clock_, executors_, promql_, querier_, store_, sink_,
                                           sources_, *state_, *metrics_, options_);
    store_.Observe(engine_.get());
    const auto started = engine_->Start(Parse(yaml));
    ASSERT_TRUE(started.ok()) << started.error().message;
  }

  // Starts and goes on to the first evaluation, which is "0s" of the timeline.
  void Begin(const std::string& yaml) {
    Start(yaml);
    ASSERT_TRUE(executors_.RunUntil(
        [this] {
          const auto groups = engine_->Groups();
          return !groups.empty() && groups[0].last_evaluation.has_value();
        },
        std::chrono::hours(1)));
    zero_ = *engine_->Groups()[0].last_evaluation;
  }

  void Reload(const std::string& yaml) {
    ASSERT_TRUE(engine_->Reload(Parse(yaml)).ok());
    Run("0s");
  }

  // The same, for series that no target brings.
  void BeginWithoutPolls(const std::string& yaml) {
    polling_ = false;
    Begin(yaml);
  }

  std::string state_file() const { return folder_.File("state.db"); }

  // kill -9: nothing gets to end properly.
  void Stop() {
    store_.Observe(nullptr);
    engine_.reset();
    state_.reset();
  }

  // The process is away for `down`, and the target is not polled; then it starts
  // anew. The target is polled again at its next turn.
  void Restart(const std::string& down, const std::string& yaml) {
    Stop();
    polling_ = false;
    Run(down);
    polling_ = true;
    target().health = model::TargetHealth::kUnknown;
    Start(yaml);
  }

  void Run(const std::string& span) { executors_.RunFor(*ParseDuration(span)); }
  // Up to a moment of the timeline, its evaluation included.
  void RunTo(const std::string& moment) {
    const WallTime until = zero_ + *ParseDuration(moment);
    executors_.RunFor(until - clock_.WallNow() + Millis(1));
  }

  // From now on each poll of the target brings this value; the first at once.
  void Set(const std::string& series, double value) {
    values_[*promql::ParseMetric(series)] = value;
    CommitValues();
  }
  // The target answers, without this series: it ends with a staleness marker.
  void End(const std::string& series) {
    const auto labels = *promql::ParseMetric(series);
    values_.erase(labels);
    map_.Put(labels, ToUnixMillis(clock_.WallNow()), model::StaleMarker());
  }
  // The target answers no more: every series ends, and poll says why.
  void TargetFails(const std::string& error) {
    polling_ = false;
    for (const auto& [labels, value] : values_) {
      map_.Put(labels, ToUnixMillis(clock_.WallNow()), model::StaleMarker());
    }
    target().health = model::TargetHealth::kDown;
    target().last_error = error;
    target().failing_since = clock_.WallNow();
  }
  // The target answers, but its part that brings `families` does not: the series end.
  void PartFails(const std::string& part, const std::vector<std::string>& families,
                 const std::string& error) {
    for (const std::string& family : families) {
      for (const auto& [labels, value] : values_) {
        if (labels.Get(model::kMetricName) != family) continue;
        ended_.insert(labels);
        map_.Put(labels, ToUnixMillis(clock_.WallNow()), model::StaleMarker());
      }
    }
    target().failed_parts = {{part,
                              error,
                              clock_.WallNow(),
                              {},
                              std::make_shared<const std::vector<std::string>>(families)}};
    CommitValues();
  }
  void PartAnswers() {
    ended_.clear();
    CommitValues();
    for (auto& part : target().failed_parts) part.recovered_at = clock_.SteadyNow();
  }
  void TargetAnswers() {
    polling_ = true;
    CommitValues();
    target().recovered_at = clock_.SteadyNow();
  }

  void CommitValues() {
    target().last_poll = clock_.WallNow();
    target().health = model::TargetHealth::kUp;
    target().failing_since = WallTime{};
    std::vector<model::SeriesRef> refs;
    for (const auto& [labels, value] : values_) refs.push_back(*store_.Resolve(labels));
    std::vector<model::SeriesSample> samples;
    std::size_t i = 0;
    for (const auto& [labels, value] : values_) {
      const auto* ref = &refs[i++];
      if (!ended_.contains(labels)) samples.push_back({ref, ToUnixMillis(clock_.WallNow()), value});
    }
    model::CommitContext context;
    context.target = target().labels;
    context.at = clock_.WallNow();
    ASSERT_TRUE(store_.Commit(context, samples).ok());
  }

  // What notify was told, repeats left out: "10s firing Name{a="b"} 5".
  std::vector<std::string> Timeline() const {
    std::vector<std::string> lines;
    std::map<model::Labels, std::string> last;
    for (const auto& batch : sink_.batches) {
      for (const auto& alert : batch) {
        const bool resolved = alert.ends_at <= alert.updated_at;
        std::string line = resolved ? "resolved " : "firing ";
        line += Name(alert.labels);
        const WallTime when = resolved ? alert.ends_at : alert.starts_at;
        const std::string key = line + FormatTime(when);
        if (last[alert.labels] == key) continue;
        last[alert.labels] = key;
        line = At(when) + " " + line + " " + FormatDouble(alert.value.value_or(0));
        if (!alert.resolve_reason.empty()) line += " (" + alert.resolve_reason + ")";
        lines.push_back(line);
      }
    }
    return lines;
  }

  // The alerts as the API shows them: "Name{a="b"} pending since 10s value 5".
  std::vector<std::string> Alerts() const {
    std::vector<std::string> lines;
    for (const auto& group : engine_->Groups()) {
      for (const auto& rule : group.rules) {
        for (const auto& alert : rule.alerts) {
          std::string line = Name(alert.labels) + " " + std::string(AlertStateName(alert.state)) +
                             " since " + At(alert.active_at) + " value " +
                             FormatDouble(alert.value);
          if (alert.keep_firing_since) line += " kept since " + At(*alert.keep_firing_since);
          if (!alert.hold_reason.empty()) line += " held: " + alert.hold_reason;
          lines.push_back(line);
        }
      }
    }
    return lines;
  }

  std::string At(WallTime time) const {
    const Millis since = time - zero_;
    return since < Millis(0) ? "-" + FormatDuration(-since) : FormatDuration(since);
  }

  // The newest value of a series, as text; "" if it has ended or never was.
  std::string Latest(const std::string& selector) const {
    const auto expr = promql::Parse(selector);
    const auto result = promql_.Instant(**expr, map_, ToUnixMillis(clock_.WallNow()), {clock_});
    const auto* vector = result.ok() ? std::get_if<promql::Vector>(&result->value) : nullptr;
    if (vector == nullptr || vector->empty()) return "";
    return FormatDouble(vector->front().value);
  }

 private:
  static std::string Name(const model::Labels& labels) {
    const model::Labels rest = labels.Drop({"alertname", "job", "instance"});
    return std::string(labels.Get("alertname")) + (rest.empty() ? "" : rest.Text());
  }

  void SchedulePoll() {
    poller_->RunAt(clock_.SteadyNow() + kPoll, [this] {
      if (polling_) CommitValues();
      SchedulePoll();
    });
  }

  tocsin::testing::TemporaryFolder folder_;
  SimClock clock_;
  SimExecutors executors_;
  MapStore map_;
  ObservedStore store_;
  SlowQuerier querier_;
  promql::Engine promql_;
  ScriptedAlertSink sink_;
  ScriptedSources sources_;
  RuleEngine::Options options_;
  std::unique_ptr<Executor> poller_;
  bool polling_ = true;
  std::map<model::Labels, double> values_;
  std::set<model::Labels> ended_;  // Not brought at present.
  std::unique_ptr<Database> state_;
  std::unique_ptr<MetricRegistry> metrics_;
  std::unique_ptr<RuleEngine> engine_;
  WallTime zero_{};
};

}  // namespace tocsin::rules::testing
