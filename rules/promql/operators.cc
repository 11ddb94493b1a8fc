#include "rules/promql/operators.h"

namespace tocsin::promql {

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
