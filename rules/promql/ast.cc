#include "rules/promql/ast.h"

#include <fmt/format.h>
#include <atomic>

#include <utility>

namespace tocsin::promql {

std::string_view ValueTypeText(ValueType type) {
  switch (type) {
    case ValueType::kScalar: return "scalar";
    case ValueType::kString: return "string";
    case ValueType::kVector: return "instant vector";
    case ValueType::kMatrix: return "range vector";
  }
  return {};
}

std::string_view ValueTypeName(ValueType type) {
  switch (type) {
    case ValueType::kScalar: return "scalar";
    case ValueType::kString: return "string";
    case ValueType::kVector: return "vector";
    case ValueType::kMatrix: return "matrix";
  }
  return {};
}

std::string_view CardText(VectorMatching::Card card) {
  switch (card) {
    case VectorMatching::Card::kOneToOne: return "one-to-one";
    case VectorMatching::Card::kManyToOne: return "many-to-one";
    case VectorMatching::Card::kOneToMany: return "one-to-many";
    case VectorMatching::Card::kManyToMany: return "many-to-many";
  }
  return {};
}

std::string PositionText(const PositionRange& position) {
  return fmt::format("{}:{}", position.line, position.column);
}

const Expr& Unparen(const Expr& expr) {
  const Expr* inner = &expr;
  while (inner->kind == ExprKind::kParen) inner = As<ParenExpr>(*inner).expr.get();
  return *inner;
}

std::vector<ExprPtr> Children(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kNumber:
    case ExprKind::kString:
    case ExprKind::kVectorSelector: return {};
    case ExprKind::kMatrixSelector: return {As<MatrixSelector>(expr).selector};
    case ExprKind::kSubquery: return {As<SubqueryExpr>(expr).expr};
    case ExprKind::kUnary: return {As<UnaryExpr>(expr).expr};
    case ExprKind::kParen: return {As<ParenExpr>(expr).expr};
    case ExprKind::kBinary: return {As<BinaryExpr>(expr).lhs, As<BinaryExpr>(expr).rhs};
    case ExprKind::kCall: return As<CallExpr>(expr).args;
    case ExprKind::kAggregate: {
      const auto& aggregate = As<AggregateExpr>(expr);
      if (aggregate.param == nullptr) return {aggregate.expr};
      return {aggregate.param, aggregate.expr};
    }
  }
  return {};
}

BinaryExpr::~BinaryExpr() {
  ExprPtr left = std::move(lhs);
  while (left != nullptr && left->kind == ExprKind::kBinary && left.use_count() == 1) {
    // Nobody else holds the node, which the parser made as one that may change; who held it
    // last has done reading.
    std::atomic_thread_fence(std::memory_order_acquire);
    left = std::move(const_cast<BinaryExpr&>(As<BinaryExpr>(*left)).lhs);
  }
}

std::vector<const BinaryExpr*> ChainOf(const BinaryExpr& top) {
  std::vector<const BinaryExpr*> chain = {&top};
  while (chain.back()->lhs->kind == ExprKind::kBinary) {
    chain.push_back(&As<BinaryExpr>(*chain.back()->lhs));
  }
  return chain;
}

void ForEachNode(const Expr& expr, const std::function<void(const Expr&)>& visit) {
  std::vector<const Expr*> ahead = {&expr};
  while (!ahead.empty()) {
    const Expr& next = *ahead.back();
    ahead.pop_back();
    visit(next);
    const std::vector<ExprPtr> children = Children(next);
    for (auto child = children.rbegin(); child != children.rend(); ++child) {
      ahead.push_back(child->get());
    }
  }
}

std::vector<std::vector<model::Matcher>> SelectorsOf(const Expr& expr) {
  std::vector<std::vector<model::Matcher>> all;
  ForEachNode(expr, [&all](const Expr& node) {
    if (node.kind == ExprKind::kVectorSelector) all.push_back(As<VectorSelector>(node).matchers);
  });
  return all;
}

ExprPtr ComparedSide(const ExprPtr& expr) {
  const ExprPtr* at = &expr;
  while (true) {
    if ((*at)->kind == ExprKind::kParen) {
      at = &As<ParenExpr>(**at).expr;
      continue;
    }
    if ((*at)->kind != ExprKind::kBinary) return nullptr;
    const auto& binary = As<BinaryExpr>(**at);
    if (binary.op == BinaryOp::kAnd || binary.op == BinaryOp::kUnless) {
      at = &binary.lhs;
      continue;
    }
    if (!IsComparison(binary.op) || binary.return_bool) return nullptr;
    return binary.lhs->type == ValueType::kVector ? binary.lhs : binary.rhs;
  }
}

}  // namespace tocsin::promql
