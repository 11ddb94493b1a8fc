#pragma once

// Binary operators between two instant vectors: and, or, unless, and one-to-one or
// many-to-one matching for all others.

#include "rules/promql/evaluator.h"

namespace tocsin::promql {

// Errors, with upstream's texts: several series on the side that must be "one",
// several matches where one is allowed, results that are not unique.
bool MatchVectors(Evaluator& evaluator, const BinaryExpr& binary, const Steps& steps,
                  const SeriesSink& sink);

}  // namespace tocsin::promql
