#include "rules/promql/ast.h"

#include <fmt/format.h>

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

std::vector<std::vector<model::Matcher>> SelectorsOf(const Expr& expr) {
  if (expr.kind == ExprKind::kVectorSelector) return {As<VectorSelector>(expr).matchers};
  std::vector<std::vector<model::Matcher>> all;
  for (const ExprPtr& child : Children(expr)) {
    for (std::vector<model::Matcher>& matchers : SelectorsOf(*child)) {
      all.push_back(std::move(matchers));
    }
  }
  return all;
}

ExprPtr ComparedSide(const ExprPtr& expr) {
  if (expr->kind == ExprKind::kParen) return ComparedSide(As<ParenExpr>(*expr).expr);
  if (expr->kind != ExprKind::kBinary) return nullptr;
  const auto& binary = As<BinaryExpr>(*expr);
  if (binary.op == BinaryOp::kAnd || binary.op == BinaryOp::kUnless) {
    return ComparedSide(binary.lhs);
  }
  if (!IsComparison(binary.op) || binary.return_bool) return nullptr;
  return binary.lhs->type == ValueType::kVector ? binary.lhs : binary.rhs;
}

}  // namespace tocsin::promql
