#pragma once

// Functions of whole series, and those that answer scalars (functions.h, SeriesBody
// and ScalarBody).

#include <span>

#include "rules/promql/evaluator.h"

namespace tocsin::promql {

bool AbsentVector(Evaluator& evaluator, const CallExpr& call, const Steps& steps,
                  const SeriesSink& sink);
bool AbsentOverTime(Evaluator& evaluator, const CallExpr& call, const Steps& steps,
                    const SeriesSink& sink);
bool LabelReplace(Evaluator& evaluator, const CallExpr& call, const Steps& steps,
                  const SeriesSink& sink);
bool LabelJoin(Evaluator& evaluator, const CallExpr& call, const Steps& steps,
               const SeriesSink& sink);
bool SortAscending(Evaluator& evaluator, const CallExpr& call, const Steps& steps,
                   const SeriesSink& sink);
bool SortDescending(Evaluator& evaluator, const CallExpr& call, const Steps& steps,
                    const SeriesSink& sink);
bool Timestamp(Evaluator& evaluator, const CallExpr& call, const Steps& steps,
               const SeriesSink& sink);
bool VectorOf(Evaluator& evaluator, const CallExpr& call, const Steps& steps,
              const SeriesSink& sink);
// histogram_count and its like see native histograms only: floats fall away.
bool NoFloats(Evaluator& evaluator, const CallExpr& call, const Steps& steps,
              const SeriesSink& sink);

// histogram.cc
bool HistogramQuantile(Evaluator& evaluator, const CallExpr& call, const Steps& steps,
                       const SeriesSink& sink);
bool HistogramFraction(Evaluator& evaluator, const CallExpr& call, const Steps& steps,
                       const SeriesSink& sink);

bool Pi(Evaluator& evaluator, const CallExpr& call, const Steps& steps, std::span<double> out);
bool ScalarOf(Evaluator& evaluator, const CallExpr& call, const Steps& steps,
              std::span<double> out);
bool Time(Evaluator& evaluator, const CallExpr& call, const Steps& steps, std::span<double> out);

}  // namespace tocsin::promql
