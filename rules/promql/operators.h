#pragma once

// The operators and aggregations: one table each, one row per word.

#include <array>
#include <string_view>

#include "rules/promql/ast.h"

namespace tocsin::promql {

struct Operator {
  std::string_view text;
  BinaryOp op;
  int precedence;
};

inline constexpr int kUnaryPrecedence = 5;  // As "*": -a * b is (-a) * b.
inline constexpr int kPowPrecedence = 6;    // Binds to the right, and tighter than a sign.

inline constexpr auto kOperators = std::to_array<Operator>({
    {"or", BinaryOp::kOr, 1},
    {"and", BinaryOp::kAnd, 2},
    {"unless", BinaryOp::kUnless, 2},
    {"==", BinaryOp::kEqual, 3},
    {"!=", BinaryOp::kNotEqual, 3},
    {"<", BinaryOp::kLess, 3},
    {"<=", BinaryOp::kLessEqual, 3},
    {">", BinaryOp::kGreater, 3},
    {">=", BinaryOp::kGreaterEqual, 3},
    {"+", BinaryOp::kAdd, 4},
    {"-", BinaryOp::kSub, 4},
    {"*", BinaryOp::kMul, kUnaryPrecedence},
    {"/", BinaryOp::kDiv, 5},
    {"%", BinaryOp::kMod, 5},
    {"atan2", BinaryOp::kAtan2, 5},
    {"^", BinaryOp::kPow, kPowPrecedence},
});

// The row of an operator's word in lower case; null if there is none.
const Operator* FindOperator(std::string_view word);

struct Aggregator {
  std::string_view text;
  AggregateOp op;
};

inline constexpr auto kAggregators = std::to_array<Aggregator>({
    {"sum", AggregateOp::kSum},
    {"avg", AggregateOp::kAvg},
    {"count", AggregateOp::kCount},
    {"min", AggregateOp::kMin},
    {"max", AggregateOp::kMax},
    {"group", AggregateOp::kGroup},
    {"stddev", AggregateOp::kStddev},
    {"stdvar", AggregateOp::kStdvar},
    {"topk", AggregateOp::kTopk},
    {"bottomk", AggregateOp::kBottomk},
    {"quantile", AggregateOp::kQuantile},
    {"count_values", AggregateOp::kCountValues},
});

}  // namespace tocsin::promql
