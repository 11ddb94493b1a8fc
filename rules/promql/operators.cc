#include "rules/promql/operators.h"

namespace tocsin::promql {

const Operator* FindOperator(std::string_view word) {
  for (const Operator& op : kOperators) {
    if (op.text == word) return &op;
  }
  return nullptr;
}

std::string_view BinaryOpText(BinaryOp wanted) {
  for (const Operator& op : kOperators) {
    if (op.op == wanted) return op.text;
  }
  return {};
}

std::string_view AggregateOpText(AggregateOp wanted) {
  for (const Aggregator& aggregator : kAggregators) {
    if (aggregator.op == wanted) return aggregator.text;
  }
  return {};
}

}  // namespace tocsin::promql
