// Binary operators: scalars with each other, a vector with a scalar, vectors with
// each other (vector_matching.cc).

#include <cmath>
#include <vector>

#include "rules/promql/evaluator.h"
#include "rules/promql/vector_matching.h"

namespace tocsin::promql {

double ApplyArithmetic(BinaryOp op, double left, double right) {
  switch (op) {
    case BinaryOp::kAdd: return left + right;
    case BinaryOp::kSub: return left - right;
    case BinaryOp::kMul: return left * right;
    case BinaryOp::kDiv: return left / right;
    case BinaryOp::kMod: return std::fmod(left, right);
    case BinaryOp::kPow: return std::pow(left, right);
    case BinaryOp::kAtan2: return std::atan2(left, right);
    default: return model::NormalNaN();
  }
}

bool Compare(BinaryOp op, double left, double right) {
  switch (op) {
    case BinaryOp::kEqual: return left == right;
    case BinaryOp::kNotEqual: return left != right;
    case BinaryOp::kLess: return left < right;
    case BinaryOp::kLessEqual: return left <= right;
    case BinaryOp::kGreater: return left > right;
    case BinaryOp::kGreaterEqual: return left >= right;
    default: return false;
  }
}

namespace {

// The operator is fixed before the loop, so that the loop is about values only.
template <BinaryOp op>
bool FilterColumn(std::span<double> values, std::span<const double> scalars, bool scalar_left,
                  bool return_bool) {
  bool any = false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (IsAbsent(values[i])) continue;
    const bool holds =
        scalar_left ? Compare(op, scalars[i], values[i]) : Compare(op, values[i], scalars[i]);
    if (return_bool) {
      values[i] = holds ? 1 : 0;
    } else if (!holds) {
      values[i] = Absent();
      continue;
    }
    any = true;
  }
  return any;
}

using Filter = bool (*)(std::span<double>, std::span<const double>, bool, bool);

Filter FilterOf(BinaryOp op) {
  switch (op) {
    case BinaryOp::kEqual: return FilterColumn<BinaryOp::kEqual>;
    case BinaryOp::kNotEqual: return FilterColumn<BinaryOp::kNotEqual>;
    case BinaryOp::kLess: return FilterColumn<BinaryOp::kLess>;
    case BinaryOp::kLessEqual: return FilterColumn<BinaryOp::kLessEqual>;
    case BinaryOp::kGreater: return FilterColumn<BinaryOp::kGreater>;
    default: return FilterColumn<BinaryOp::kGreaterEqual>;
  }
}

}  // namespace

bool Evaluator::ScalarBinary(const BinaryExpr& binary, const Steps& steps, std::span<double> out) {
  const std::vector<const BinaryExpr*> chain = ChainOf(binary);
  std::vector<double> right(steps.Size());
  if (!Scalars(*chain.back()->lhs, steps, out)) return false;
  for (auto node = chain.rbegin(); node != chain.rend(); ++node) {
    const BinaryOp op = (*node)->op;
    if (!Scalars(*(*node)->rhs, steps, right)) return false;
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = IsComparison(op) ? (Compare(op, out[i], right[i]) ? 1 : 0)
                                : ApplyArithmetic(op, out[i], right[i]);
    }
  }
  return true;
}

bool Evaluator::Binary(const BinaryExpr& binary, const Steps& steps, const SeriesSink& sink) {
  const bool scalar_left = binary.lhs->type == ValueType::kScalar;
  if (!scalar_left && binary.rhs->type == ValueType::kVector) {
    return MatchVectors(*this, binary, steps, sink);
  }
  std::vector<double> scalars(steps.Size());
  if (!Scalars(scalar_left ? *binary.lhs : *binary.rhs, steps, scalars)) return false;
  const Expr& vector = scalar_left ? *binary.rhs : *binary.lhs;
  if (IsComparison(binary.op)) {
    const Filter filter = FilterOf(binary.op);
    return Series(vector, steps, [&](SeriesColumn& column) {
      if (!filter(column.values, scalars, scalar_left, binary.return_bool)) return true;
      column.drop_name |= binary.return_bool;
      return sink(column);
    });
  }
  return Series(vector, steps, [&](SeriesColumn& column) {
    for (std::size_t i = 0; i < scalars.size(); ++i) {
      double& value = column.values[i];
      if (IsAbsent(value)) continue;
      value = scalar_left ? ApplyArithmetic(binary.op, scalars[i], value)
                          : ApplyArithmetic(binary.op, value, scalars[i]);
    }
    column.drop_name = true;
    return sink(column);
  });
}

}  // namespace tocsin::promql
