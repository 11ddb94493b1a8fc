#pragma once

// The PromQL engine: evaluates a parsed expression over a model::Querier, at one
// time or at every step of a range. The rules and the query API call it.
//
// It works by series: each series is read once, its windows slide over the
// columns, and a result column per series flows to the operator above, so that
// memory follows the answer and not the input. An instant query is a range of
// one step.
//
// Thread-safe: one Engine serves any number of threads; at most
// PromqlConfig::max_concurrency queries evaluate at a time.

#include <condition_variable>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"
#include "daemon/base/result.h"
#include "daemon/model/labels.h"
#include "daemon/model/querier.h"
#include "daemon/model/sample.h"
#include "rules/promql/ast.h"
#include "rules/promql/promql_config.h"

namespace tocsin::promql {

struct Scalar {
  std::int64_t time_ms = 0;
  double value = 0;
};

struct String {
  std::int64_t time_ms = 0;
  std::string value;
};

struct VectorSample {
  model::Labels labels;
  std::int64_t time_ms = 0;
  double value = 0;
};
using Vector = std::vector<VectorSample>;

struct MatrixRow {
  model::Labels labels;
  model::SampleColumns samples;
};
using Matrix = std::vector<MatrixRow>;

struct QueryStats {
  std::int64_t samples_read = 0;  // Samples that windows and lookbacks touched, per step.
  std::int64_t peak_samples = 0;  // Most samples held at a time.
  std::int64_t series_read = 0;
};

// An instant query answers with the type of its expression. A vector keeps the
// order that sort(), topk() and bottomk() gave it. A range query answers a Matrix,
// sorted by labels, rows without samples left out.
struct QueryResult {
  std::variant<Scalar, String, Vector, Matrix> value;
  std::vector<std::string> warnings;  // "PromQL warning: … (1:20)", sorted, no repeats.
  std::vector<std::string> infos;     // "PromQL info: … (1:6)".
  QueryStats stats;
};

struct QueryContext {
  const Clock& clock;
  // The earlier of this and now + PromqlConfig::timeout holds.
  SteadyTime deadline = SteadyTime::max();
  std::stop_token stop = {};
  // Instead of PromqlConfig::lookback, for this query.
  std::optional<Millis> lookback = std::nullopt;
};

class Engine {
 public:
  explicit Engine(PromqlConfig config);

  // Evaluates `expr` at `time_ms`. `querier` is read from this thread only.
  // Errors, each with upstream's text:
  //   kInvalidArgument    the data does not fit the expression ("found duplicate
  //                       series for the match group …");
  //   kDeadlineExceeded   "query timed out in expression evaluation";
  //   kCancelled          "query was canceled in query execution";
  //   kResourceExhausted  "query processing would load too many samples into
  //                       memory in query execution";
  //   kIoError, kCorruption from the querier.
  Result<QueryResult> Instant(const Expr& expr, const model::Querier& querier, std::int64_t time_ms,
                              const QueryContext& context) const;

  // Evaluates `expr` at start_ms, start_ms + step_ms, … up to end_ms.
  // Requires: step_ms > 0 and start_ms <= end_ms.
  // Errors: as Instant; kInvalidArgument if `expr` is neither scalar nor vector.
  Result<QueryResult> Range(const Expr& expr, const model::Querier& querier, std::int64_t start_ms,
                            std::int64_t end_ms, std::int64_t step_ms,
                            const QueryContext& context) const;

  const PromqlConfig& config() const { return config_; }

 private:
  class Turn;

  PromqlConfig config_;
  mutable Mutex mutex_;
  mutable ConditionVariable turn_came_;
  mutable int running_ GUARDED_BY(mutex_) = 0;
};

}  // namespace tocsin::promql
