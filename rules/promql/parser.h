#pragma once

// PromQL text to syntax tree: Prometheus 3.x's stable language on floats and
// classic histograms. Pure functions; thread-safe.
//
// Errors are kInvalidArgument with upstream's text, line and column (in bytes,
// from 1): `1:5: parse error: unexpected "+" in aggregation`. An unknown function
// names the nearest one. Experimental functions and syntax are refused as
// Prometheus refuses them without the feature flag.

#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/model/labels.h"
#include "daemon/model/matcher.h"
#include "rules/promql/ast.h"

namespace tocsin::promql {

// Longer expressions, and deeper ones, are refused.
inline constexpr std::size_t kMaxExprBytes = 1 << 20;
inline constexpr int kMaxExprDepth = 500;
inline constexpr int kMaxExprChain = 50'000;  // Operators of one chain: `a + b + c …`.

Result<ExprPtr> Parse(std::string_view text);

// A vector selector without modifiers, as `match[]` parameters carry it.
Result<std::vector<model::Matcher>> ParseSelector(std::string_view text);

// A series as it is written: `name{a="b"}`, only equality, no duplicates.
Result<model::Labels> ParseMetric(std::string_view text);

}  // namespace tocsin::promql
