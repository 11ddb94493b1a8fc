#pragma once

// What one running query carries through its evaluation: where it reads, what it
// may take, what it has to tell. Used by one thread.

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "daemon/base/result.h"
#include "daemon/model/querier.h"
#include "rules/promql/ast.h"
#include "rules/promql/engine.h"

namespace tocsin::promql {

class Query {
 public:
  Query(const PromqlConfig& config, const model::Querier& querier, const QueryContext& context,
        std::int64_t start_ms, std::int64_t end_ms);

  const model::Querier& querier() const { return querier_; }
  std::int64_t start_ms() const { return start_ms_; }  // What @ start() means.
  std::int64_t end_ms() const { return end_ms_; }
  std::int64_t lookback_ms() const { return lookback_ms_; }
  std::int64_t subquery_step_ms() const { return subquery_step_ms_; }
  bool closed_left() const { return closed_left_; }

  // The first failure holds. Always false, for `return query.Fail(…)`.
  bool Fail(Error error);
  bool failed() const { return error_.has_value(); }
  const Error& error() const { return *error_; }

  // False, with the query failed, when it was cancelled or is out of time. Cheap
  // enough to be asked for each series.
  bool GoOn();
  // The same after work that may have taken its time: always asks the clock.
  bool GoOnNow();

  // Counts `samples` as held; false, with the query failed, beyond max_samples.
  bool Hold(std::int64_t samples);
  void Release(std::int64_t samples) { held_ -= samples; }
  std::int64_t max_samples() const { return max_samples_; }

  void Warn(const std::string& text, const PositionRange& where);
  void Inform(const std::string& text, const PositionRange& where);
  void WarnQuantile(double quantile, const PositionRange& where);
  // Buckets between min_bucket and max_bucket were mended at `time_ms`; repeats of
  // the same text are told as one note.
  void InformMonotonicity(std::string_view metric, const PositionRange& where, std::int64_t time_ms,
                          double min_bucket, double max_bucket, double max_difference);

  QueryStats& stats() { return stats_; }
  // Moves stats and notes into `result`.
  void Report(QueryResult& result);

 private:
  // Each text once, with the last of its places: upstream, too, tells texts apart without
  // their place, and evaluates from left to right.
  using Notes = std::map<std::string, PositionRange>;
  static void Note(const std::string& text, const PositionRange& where, Notes& notes);

  struct Mended {
    PositionRange where;
    std::int64_t from_ms = 0;
    std::int64_t to_ms = 0;
    double min_bucket = 0;
    double max_bucket = 0;
    double max_difference = 0;
    std::int64_t samples = 0;
  };

  const model::Querier& querier_;
  const QueryContext& context_;
  SteadyTime deadline_;
  std::int64_t start_ms_;
  std::int64_t end_ms_;
  std::int64_t lookback_ms_;
  std::int64_t subquery_step_ms_;
  std::int64_t max_samples_;
  bool closed_left_;
  std::int64_t held_ = 0;
  std::uint32_t looks_ = 0;
  std::optional<Error> error_;
  Notes warnings_;
  Notes infos_;
  std::map<std::string, Mended> mended_;
  QueryStats stats_;
};

// Samples that a part of the evaluation holds; given back at its end.
class Held {
 public:
  explicit Held(Query& query) : query_(query) {}
  ~Held() { query_.Release(samples_); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  bool Add(std::int64_t samples) {
    samples_ += samples;
    return query_.Hold(samples);
  }
  void Remove(std::int64_t samples) {
    samples_ -= samples;
    query_.Release(samples);
  }

 private:
  Query& query_;
  std::int64_t samples_ = 0;
};

}  // namespace tocsin::promql
