#pragma once

// What a replay reads: a stretch of somebody else's history, held in memory while time
// passes over it, with what the replayed rules record laid over it. For replay.cc.
//
// Only the series that the rules' selectors match are loaded, each as far back as its
// selectors look. From `since` on, series that the rules themselves record are theirs
// alone; what history has of them counts only before. What lies outside of the window (a
// fixed time after `@`, a template's query) is answered from history directly.
//
// Not thread-safe: a replay is one thread.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/model/labels.h"
#include "daemon/model/matcher.h"
#include "daemon/model/querier.h"
#include "daemon/model/sample_sink.h"
#include "rules/promql/ast.h"

namespace tocsin::rules {

class HistoryWindow : public model::Querier, public model::SampleSink {
 public:
  // Samples in memory at a time, 16 bytes each.
  static constexpr std::int64_t kMaxSamples = 20'000'000;

  HistoryWindow(const model::Querier& history, WallTime since, std::set<std::string> recorded);
  ~HistoryWindow() override;

  // An expression that will be evaluated, up to `earlier` before its time.
  void Announce(const promql::Expr& expr, Millis lookback, Millis earlier);

  // Has what evaluations from `from` to `to` read, and forgets what is older.
  // Requires: `from` is not before the last call's `to`.
  // Errors: history's; kResourceExhausted above kMaxSamples.
  Result<> MoveTo(WallTime from, WallTime to);

  // kResourceExhausted once what the rules recorded did not fit into kMaxSamples.
  Result<> Fits() const;

  Result<std::unique_ptr<model::Selection>> Select(const std::vector<model::Matcher>& matchers,
                                                   model::TimeRange range) const override;
  Result<std::vector<std::string>> LabelNames(const std::vector<model::Matcher>& matchers,
                                              model::TimeRange range) const override;
  Result<std::vector<std::string>> LabelValues(const std::string& name,
                                               const std::vector<model::Matcher>& matchers,
                                               model::TimeRange range) const override;
  Result<model::SeriesRef> Resolve(const model::Labels& labels) override;
  Result<model::CommitOutcome> Commit(const model::CommitContext& context,
                                      std::span<const model::SeriesSample> samples) override;

 private:
  struct Series {
    model::Labels labels;
    model::SampleColumns samples;
    std::int64_t reach_ms = 0;  // How far back its selectors look.
    std::int64_t loaded_to_ms = 0;
    bool is_loaded = false;
  };
  struct Selector {
    std::vector<model::Matcher> matchers;
    std::int64_t before_ms = 0;  // Of the samples it needs, before an evaluation's time.
  };
  class WindowSelection;

  void Collect(const promql::Expr& expr, std::int64_t before_ms, std::int64_t after_ms);
  Series& FindOrMake(const model::Labels& labels);
  void Trim(std::int64_t from_ms);
  bool IsRecorded(const model::Labels& labels) const;

  const model::Querier& history_;
  const std::int64_t since_ms_;
  const std::set<std::string> recorded_;  // Metric names.
  std::int64_t lookback_ms_ = 0;
  std::int64_t longest_ms_ = 0;
  std::int64_t ahead_ms_ = 0;  // The farthest that one looks into the future.
  std::int64_t count_ = 0;     // Samples in memory, at most kMaxSamples.
  bool overflowed_ = false;    // Some were not kept.
  std::int64_t from_ms_ = 0;   // Of the window that is held.
  std::optional<std::int64_t> moved_to_ms_;
  std::map<std::string, Selector> selectors_;  // By their matchers' text.
  std::map<model::Labels, std::unique_ptr<Series>> series_;
  std::unordered_map<std::string, std::vector<const Series*>> by_metric_;
};

}  // namespace tocsin::rules
