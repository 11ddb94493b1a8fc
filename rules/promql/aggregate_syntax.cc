// Aggregations: `sum by (job) (…)`.

#include <fmt/format.h>

#include <utility>

#include "rules/promql/operators.h"
#include "rules/promql/syntax.h"

namespace tocsin::promql {

Syntax::NodePtr Syntax::Aggregation() {
  const Token& name = Take();
  auto node = std::make_shared<AggregateExpr>();
  node->position = Range(name.start, name.end);
  for (const Aggregator& aggregator : kAggregators) {
    if (aggregator.text == name.word) node->op = aggregator.op;
  }
  const bool modifier_first = AggregationModifier(*node);
  if (failed()) return nullptr;
  if (!Peek().Is("(")) {
    Unexpected("aggregation", "");
    return nullptr;
  }
  ++aggregation_depth_;
  std::vector<ExprPtr> arguments = Arguments();
  --aggregation_depth_;
  if (failed()) return nullptr;
  const bool modifier_last = !modifier_first && AggregationModifier(*node);
  if (failed()) return nullptr;
  return FinishAggregation(name, std::move(node), std::move(arguments),
                           !modifier_first && !modifier_last);
}

bool Syntax::AggregationModifier(AggregateExpr& node) {
  node.without = Peek().Is("without");
  if (!node.without && !Peek().Is("by")) return false;
  Take();
  node.grouping = GroupingLabels();
  return true;
}

Syntax::NodePtr Syntax::FinishAggregation(const Token& name, std::shared_ptr<AggregateExpr> node,
                                          std::vector<ExprPtr> arguments, bool looked_ahead) {
  node->position.end = last_end_;
  const bool experimental = name.Is("limitk") || name.Is("limit_ratio");
  const std::size_t wanted = TakesParameter(node->op) ? 2 : 1;
  std::string message;
  if (arguments.empty()) {
    message = "no arguments for aggregate expression provided";
  } else if (experimental) {
    message = fmt::format(
        "{}() is experimental and must be enabled with "
        "--enable-feature=promql-experimental-functions",
        name.word);
  } else if (arguments.size() != wanted) {
    message = fmt::format(
        "wrong number of arguments for aggregate expression provided, expected {}, got {}", wanted,
        arguments.size());
  }
  if (!message.empty()) {
    if (looked_ahead) {
      FailAhead(name.start, message);
    } else {
      Fail(name.start, message);
    }
    return nullptr;
  }
  for (const ExprPtr& argument : arguments) StandsOver(*node, argument);
  if (wanted == 2) node->param = std::move(arguments[0]);
  node->expr = std::move(arguments[wanted - 1]);
  return node;
}

}  // namespace tocsin::promql
