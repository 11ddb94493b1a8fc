#pragma once

// Evaluates expressions by series: each operator asks the one below for its
// columns and hands its own on, so that a series is read once and few are held.
// Used by one thread, for one query.

#include <cstdint>
#include <span>
#include <vector>

#include "rules/promql/ast.h"
#include "rules/promql/column.h"
#include "rules/promql/functions.h"
#include "rules/promql/query.h"

namespace tocsin::promql {

// Every method returns false when the query has failed; Query says why.
class Evaluator {
 public:
  explicit Evaluator(Query& query) : query_(query) {}

  Query& query() { return query_; }

  // The columns of an instant vector. Requires: the type is kVector.
  bool Series(const Expr& expr, const Steps& steps, const SeriesSink& sink);

  // One value per step. Requires: the type is kScalar; out has steps.count places.
  bool Scalars(const Expr& expr, const Steps& steps, std::span<double> out);

  // Series(), kept. `held` counts what is kept.
  bool Collect(const Expr& expr, const Steps& steps, Block& block, Held& held);

  // `body` over the windows of the call's range vector.
  bool WindowCall(const CallExpr& call, WindowBody body, const Steps& steps,
                  const SeriesSink& sink);

  // The samples of a range vector at one time: what `m[5m]` alone answers.
  bool Samples(const Expr& expr, std::int64_t time_ms, Matrix& out);

  // As Series() for a selector, but with each sample's own time, in seconds.
  bool SampleTimes(const VectorSelector& selector, const Steps& steps, const SeriesSink& sink);

 private:
  friend class WindowReader;

  // Where a selector looks from at `time_ms`: @ and offset applied.
  std::int64_t Reference(const TimeShift& shift, std::int64_t time_ms) const;
  std::int64_t AtTime(const TimeShift& shift) const;

  bool Once(const Expr& expr, const Steps& steps, const SeriesSink& sink);
  bool Chain(const BinaryExpr& top, const Steps& steps, const SeriesSink& sink);
  bool Selector(const VectorSelector& selector, const Steps& steps, bool times,
                const SeriesSink& sink);
  bool Unary(const UnaryExpr& unary, const Steps& steps, const SeriesSink& sink);
  bool Call(const CallExpr& call, const Steps& steps, const SeriesSink& sink);
  bool ValueCall(const CallExpr& call, ValueBody body, const Steps& steps, const SeriesSink& sink);
  bool ScalarArguments(const CallExpr& call, const Steps& steps,
                       std::vector<std::vector<double>>& columns);
  bool SubqueryBlock(const SubqueryExpr& subquery, const Steps& outer, Steps& inner, Block& block,
                     Held& held);

  bool Aggregate(const AggregateExpr& aggregate, const Steps& steps, const SeriesSink& sink);
  bool Binary(const BinaryExpr& binary, const Steps& steps, const SeriesSink& sink);
  bool ScalarBinary(const BinaryExpr& binary, const Steps& steps, std::span<double> out);

  Query& query_;
  // The part of a long chain that has been evaluated, and its columns; or null.
  const Expr* prepared_ = nullptr;
  Block* prepared_columns_ = nullptr;
};

// Joins series of equal labels that never have a value at the same step. False, with
// the query failed, if two do.
bool MergeEqualLabels(Query& query, Block& block, const Steps& steps);

// Without __name__, __type__ and __unit__.
model::Labels DropMetadata(const model::Labels& labels);

// One value of a binary operator; Absent() where a comparison does not hold.
double ApplyArithmetic(BinaryOp op, double left, double right);
bool Compare(BinaryOp op, double left, double right);

// The q-quantile of `values`, which it reorders.
double Quantile(double q, std::vector<double>& values);

}  // namespace tocsin::promql
