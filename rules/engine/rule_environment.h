#pragma once

// What every running group uses of the outside. Internal to the engine.

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/executor.h"
#include "daemon/base/mutex.h"
#include "daemon/model/alert.h"
#include "rules/engine/alert_state_store.h"
#include "rules/engine/alerting_rule.h"
#include "rules/engine/recorded_inputs.h"
#include "rules/engine/rule_engine.h"
#include "rules/engine/rules_metrics.h"

namespace tocsin::rules {

class RemovedAlerts;

// Thread-safe.
struct RuleEnvironment {
  const Clock& clock;
  const promql::Engine& promql;
  const model::Querier& querier;
  model::SampleSink& samples;
  model::AlertSink& alerts;
  const model::SourceStates& sources;
  AlertStateStore& state;
  MetricRegistry& registry;
  RulesMetrics metrics;
  std::stop_token stop;   // The engine ends: queries are given up.
  WallTime started_at{};  // Set before any group runs.
  RemovedAlerts* removed = nullptr;
  Executor* repeats = nullptr;  // Nothing is evaluated there.

  std::shared_ptr<const RuleEngine::Options> options() const {
    MutexLock lock(mutex_);
    return options_;
  }
  void SetOptions(RuleEngine::Options options) {
    auto next = std::make_shared<const RuleEngine::Options>(std::move(options));
    MutexLock lock(mutex_);
    options_ = std::move(next);
  }

  // What the whole rule set records.
  std::shared_ptr<const RecordedInputs> recorded() const {
    MutexLock lock(mutex_);
    return recorded_;
  }
  void SetRecorded(RecordedInputs recorded) {
    auto next = std::make_shared<const RecordedInputs>(std::move(recorded));
    MutexLock lock(mutex_);
    recorded_ = std::move(next);
  }

  RuleEnvironment(const Clock& clock, const promql::Engine& promql, const model::Querier& querier,
                  model::SampleSink& samples, model::AlertSink& alerts,
                  const model::SourceStates& sources, AlertStateStore& state,
                  MetricRegistry& registry, RuleEngine::Options options)
      : clock(clock),
        promql(promql),
        querier(querier),
        samples(samples),
        alerts(alerts),
        sources(sources),
        state(state),
        registry(registry),
        metrics(registry) {
    SetOptions(std::move(options));
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const RuleEngine::Options> options_ GUARDED_BY(mutex_);
  std::shared_ptr<const RecordedInputs> recorded_ GUARDED_BY(mutex_) =
      std::make_shared<const RecordedInputs>();
};

// The alert as notify gets it at `at`. `expression` is its rule's, empty if unknown.
model::Alert ToModelAlert(const ActiveAlert& alert, const std::string& expression, WallTime at,
                          Millis interval, const RuleEngine::Options& options);

}  // namespace tocsin::rules
