// What the grammar cannot say: types of operands and arguments, clauses that
// exclude each other. Upstream's texts, in upstream's order.

#include <fmt/format.h>

#include <algorithm>

#include "rules/promql/functions.h"
#include "rules/promql/lexer.h"
#include "rules/promql/syntax.h"

namespace tocsin::promql {
namespace {

class TypeCheck {
 public:
  explicit TypeCheck(std::string_view text) : text_(text) {}

  // Checks the operands first, then the node.
  void Check(Expr& expr);

  std::string error;

 private:
  void Fail(int start, std::string_view message) {
    if (error.empty()) error = ParseErrorText(text_, start, message);
  }
  void Expect(const ExprPtr& expr, ValueType wanted, std::string_view context);
  void CheckChild(const ExprPtr& child) {
    // The parser has just made the tree and nobody else holds it yet.
    if (error.empty()) Check(const_cast<Expr&>(*child));
  }
  void CheckKind(Expr& expr);
  void Aggregate(AggregateExpr& node);
  void Chain(BinaryExpr& top);
  void Binary(BinaryExpr& node);
  void Call(CallExpr& node);
  void Selector(const VectorSelector& node);
  int OperatorStart(const BinaryExpr& node) const;

  std::string_view text_;
};

bool IsOperand(ValueType type) { return type == ValueType::kScalar || type == ValueType::kVector; }

void TypeCheck::Expect(const ExprPtr& expr, ValueType wanted, std::string_view context) {
  CheckChild(expr);
  if (expr->type == wanted) return;
  Fail(expr->position.start, fmt::format("expected type {} in {}, got {}", ValueTypeText(wanted),
                                         context, ValueTypeText(expr->type)));
}

// Of a node whose operands know it of themselves.
bool IsStepInvariant(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kNumber:
    case ExprKind::kString: return true;
    case ExprKind::kVectorSelector:
      return As<VectorSelector>(expr).shift.at != TimeShift::At::kNone;
    case ExprKind::kSubquery: return As<SubqueryExpr>(expr).shift.at != TimeShift::At::kNone;
    case ExprKind::kCall:
      if (As<CallExpr>(expr).function->traits.needs_step) return false;
      break;
    default: break;
  }
  const std::vector<ExprPtr> children = Children(expr);
  return std::all_of(children.begin(), children.end(),
                     [](const ExprPtr& child) { return child->step_invariant; });
}

void TypeCheck::Check(Expr& expr) {
  CheckKind(expr);
  expr.step_invariant = IsStepInvariant(expr);
}

void TypeCheck::CheckKind(Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kNumber:
    case ExprKind::kString: return;
    case ExprKind::kVectorSelector: return Selector(As<VectorSelector>(expr));
    case ExprKind::kMatrixSelector: return CheckChild(As<MatrixSelector>(expr).selector);
    case ExprKind::kParen: return CheckChild(As<ParenExpr>(expr).expr);
    case ExprKind::kAggregate: return Aggregate(static_cast<AggregateExpr&>(expr));
    case ExprKind::kBinary: return Chain(static_cast<BinaryExpr&>(expr));
    case ExprKind::kCall: return Call(static_cast<CallExpr&>(expr));
    case ExprKind::kUnary: {
      const ExprPtr& operand = As<UnaryExpr>(expr).expr;
      CheckChild(operand);
      if (!IsOperand(operand->type)) {
        Fail(expr.position.start,
             fmt::format("unary expression only allowed on expressions of type scalar or instant "
                         "vector, got \"{}\"",
                         ValueTypeText(operand->type)));
      }
      return;
    }
    case ExprKind::kSubquery: {
      const ExprPtr& inner = As<SubqueryExpr>(expr).expr;
      CheckChild(inner);
      if (inner->type != ValueType::kVector) {
        Fail(expr.position.start,
             fmt::format("subquery is only allowed on instant vector, got {} instead",
                         ValueTypeName(inner->type)));
      }
      return;
    }
  }
}

void TypeCheck::Aggregate(AggregateExpr& node) {
  Expect(node.expr, ValueType::kVector, "aggregation expression");
  if (node.param == nullptr) return;
  Expect(node.param, node.op == AggregateOp::kCountValues ? ValueType::kString : ValueType::kScalar,
         "aggregation parameter");
}

int TypeCheck::OperatorStart(const BinaryExpr& node) const {
  std::size_t at = static_cast<std::size_t>(node.lhs->position.end);
  while (at < text_.size() && std::string_view(" \t\r\n").find(text_[at]) != std::string::npos) {
    ++at;
  }
  return static_cast<int>(at);
}

void TypeCheck::Chain(BinaryExpr& top) {
  const std::vector<const BinaryExpr*> chain = ChainOf(top);
  CheckChild(chain.back()->lhs);
  for (auto node = chain.rbegin(); node != chain.rend() && error.empty(); ++node) {
    auto& binary = const_cast<BinaryExpr&>(**node);
    CheckChild(binary.rhs);
    Binary(binary);
    binary.step_invariant = IsStepInvariant(binary);
  }
}

// Of an operator whose operands are checked.
void TypeCheck::Binary(BinaryExpr& node) {
  const ValueType left = node.lhs->type;
  const ValueType right = node.rhs->type;
  const int start = node.position.start;
  VectorMatching& matching = *node.matching;
  if (node.return_bool && !IsComparison(node.op)) {
    Fail(OperatorStart(node), "bool modifier can only be used on comparison operators");
  }
  if (IsComparison(node.op) && !node.return_bool && left == ValueType::kScalar &&
      right == ValueType::kScalar) {
    Fail(OperatorStart(node), "comparisons between scalars must use BOOL modifier");
  }
  if (IsSetOp(node.op) && matching.card == VectorMatching::Card::kOneToOne) {
    matching.card = VectorMatching::Card::kManyToMany;
  }
  for (const std::string& label : matching.labels) {
    const auto& include = matching.include;
    if (matching.on && std::find(include.begin(), include.end(), label) != include.end()) {
      Fail(OperatorStart(node),
           fmt::format("label {} must not occur in ON and GROUP clause at once", GoQuote(label)));
    }
  }
  for (const ExprPtr& side : {node.lhs, node.rhs}) {
    if (!IsOperand(side->type)) {
      Fail(side->position.start,
           "binary expression must contain only scalar and instant vector types");
    }
  }
  if (left != ValueType::kVector || right != ValueType::kVector) {
    if (!matching.labels.empty()) {
      Fail(start, "vector matching only allowed between instant vectors");
    }
    node.matching.reset();
  } else if (IsSetOp(node.op) && matching.card != VectorMatching::Card::kManyToMany) {
    Fail(start, fmt::format("no grouping allowed for \"{}\" operation", BinaryOpText(node.op)));
  }
  if ((left == ValueType::kScalar || right == ValueType::kScalar) && IsSetOp(node.op)) {
    Fail(start, fmt::format("set operator \"{}\" not allowed in binary scalar expression",
                            BinaryOpText(node.op)));
  }
}

void TypeCheck::Call(CallExpr& node) {
  const Function& function = *node.function;
  const int declared = static_cast<int>(function.arguments.size());
  const int given = static_cast<int>(node.args.size());
  const std::string name = GoQuote(function.name);
  const int start = node.position.start;
  if (function.variadic == 0 && given != declared) {
    Fail(start,
         fmt::format("expected {} argument(s) in call to {}, got {}", declared, name, given));
  }
  if (function.variadic != 0 && given < declared - 1) {
    Fail(start, fmt::format("expected at least {} argument(s) in call to {}, got {}", declared - 1,
                            name, given));
  }
  if (function.variadic > 0 && given > declared - 1 + function.variadic) {
    Fail(start, fmt::format("expected at most {} argument(s) in call to {}, got {}",
                            declared - 1 + function.variadic, name, given));
  }
  for (int i = 0; i < given && error.empty(); ++i) {
    const ValueType wanted =
        function.arguments[static_cast<std::size_t>(std::min(i, declared - 1))];
    Expect(node.args[static_cast<std::size_t>(i)], wanted,
           fmt::format("call to function {}", name));
  }
}

void TypeCheck::Selector(const VectorSelector& node) {
  if (!node.name.empty()) {
    for (std::size_t i = 0; i + 1 < node.matchers.size(); ++i) {
      if (node.matchers[i].name() == model::kMetricName) {
        Fail(node.position.start,
             fmt::format("metric name must not be set twice: {} or {}", GoQuote(node.name),
                         GoQuote(node.matchers[i].value())));
      }
    }
    return;
  }
  for (const model::Matcher& matcher : node.matchers) {
    if (!matcher.MatchesEmpty()) return;
  }
  Fail(node.position.start, "vector selector must contain at least one non-empty matcher");
}

}  // namespace

std::string CheckTypes(Expr& expr, std::string_view text) {
  TypeCheck check(text);
  check.Check(expr);
  return check.error;
}

}  // namespace tocsin::promql
