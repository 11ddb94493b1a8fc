#pragma once

// The syntax tree of a PromQL expression, as the parser makes it: typed, checked
// and immutable. Nodes are shared: a subtree may be kept and evaluated alone.
// Thread-safe to read.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/model/matcher.h"

namespace tocsin::promql {

enum class ValueType { kScalar, kString, kVector, kMatrix };

// "scalar", "string", "instant vector", "range vector": as error texts say it.
std::string_view ValueTypeText(ValueType type);
// "scalar", "string", "vector", "matrix": as the query API says it.
std::string_view ValueTypeName(ValueType type);

// Bytes of the parsed text: [start, end), and where start is for people.
struct PositionRange {
  int start = 0;
  int end = 0;
  int line = 1;    // From 1.
  int column = 1;  // From 1, in bytes.
};

std::string PositionText(const PositionRange& position);  // "1:5"

enum class ExprKind {
  kNumber,
  kString,
  kVectorSelector,
  kMatrixSelector,
  kSubquery,
  kUnary,
  kBinary,
  kAggregate,
  kCall,
  kParen,
};

// What a chain of binary operators (`a + b + c …`) counts for at most in Expr::height:
// whoever walks a tree goes down its left operands in a loop.
inline constexpr int kChainHeight = 64;

struct Expr {
  const ExprKind kind;
  ValueType type;
  PositionRange position;
  int height = 1;               // Nodes on the longest way down, this one included.
  bool step_invariant = false;  // The same at every step of a range.

  Expr(ExprKind kind, ValueType type) : kind(kind), type(type) {}
  virtual ~Expr() = default;
  Expr(const Expr&) = delete;
  Expr& operator=(const Expr&) = delete;
};

using ExprPtr = std::shared_ptr<const Expr>;

struct NumberLiteral : Expr {
  NumberLiteral() : Expr(ExprKind::kNumber, ValueType::kScalar) {}
  double value = 0;
  bool is_duration = false;  // Written as "5m"; the value is in seconds.
};

struct StringLiteral : Expr {
  StringLiteral() : Expr(ExprKind::kString, ValueType::kString) {}
  std::string value;  // Unescaped.
};

// `offset` and `@`, which a selector or a subquery may carry.
struct TimeShift {
  enum class At { kNone, kTime, kStart, kEnd };
  At at = At::kNone;
  std::int64_t at_ms = 0;      // For kTime.
  std::int64_t offset_ms = 0;  // Positive looks into the past.
};

struct VectorSelector : Expr {
  VectorSelector() : Expr(ExprKind::kVectorSelector, ValueType::kVector) {}
  std::string name;                      // Written before the braces; may be empty.
  std::vector<model::Matcher> matchers;  // All of them, __name__ included.
  TimeShift shift;
};

struct MatrixSelector : Expr {
  MatrixSelector() : Expr(ExprKind::kMatrixSelector, ValueType::kMatrix) {}
  ExprPtr selector;  // A VectorSelector, which carries the shift.
  std::int64_t range_ms = 0;
};

struct SubqueryExpr : Expr {
  SubqueryExpr() : Expr(ExprKind::kSubquery, ValueType::kMatrix) {}
  ExprPtr expr;
  std::int64_t range_ms = 0;
  std::int64_t step_ms = 0;  // 0: the engine's default.
  TimeShift shift;
};

enum class UnaryOp { kPlus, kMinus };

struct UnaryExpr : Expr {
  UnaryExpr() : Expr(ExprKind::kUnary, ValueType::kScalar) {}
  UnaryOp op = UnaryOp::kPlus;
  ExprPtr expr;
};

enum class BinaryOp {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  kAtan2,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAnd,
  kOr,
  kUnless,
};

std::string_view BinaryOpText(BinaryOp op);  // "+", "==", "unless".
inline bool IsComparison(BinaryOp op) {
  return op >= BinaryOp::kEqual && op <= BinaryOp::kGreaterEqual;
}
inline bool IsSetOp(BinaryOp op) { return op >= BinaryOp::kAnd; }

struct VectorMatching {
  enum class Card { kOneToOne, kManyToOne, kOneToMany, kManyToMany };
  Card card = Card::kOneToOne;
  bool on = false;                   // labels are `on`'s; otherwise `ignoring`'s.
  std::vector<std::string> labels;   // As written.
  std::vector<std::string> include;  // Of group_left or group_right.
};

std::string_view CardText(VectorMatching::Card card);  // "one-to-one".

struct BinaryExpr : Expr {
  BinaryExpr() : Expr(ExprKind::kBinary, ValueType::kScalar) {}
  ~BinaryExpr() override;  // Takes a chain apart in a loop.
  BinaryOp op = BinaryOp::kAdd;
  ExprPtr lhs;
  ExprPtr rhs;
  bool return_bool = false;
  std::optional<VectorMatching> matching;  // Between two vectors only.
  int chain = 1;           // Operators from here down the left operands, this one included.
  int operand_height = 1;  // Of the chain's highest operand.
};

// The operators of the chain whose last one is `top`, from it down the left operands.
std::vector<const BinaryExpr*> ChainOf(const BinaryExpr& top);

enum class AggregateOp {
  kSum,
  kAvg,
  kCount,
  kMin,
  kMax,
  kGroup,
  kStddev,
  kStdvar,
  kTopk,
  kBottomk,
  kQuantile,
  kCountValues,
};

std::string_view AggregateOpText(AggregateOp op);
inline bool TakesParameter(AggregateOp op) { return op >= AggregateOp::kTopk; }

struct AggregateExpr : Expr {
  AggregateExpr() : Expr(ExprKind::kAggregate, ValueType::kVector) {}
  AggregateOp op = AggregateOp::kSum;
  ExprPtr expr;
  ExprPtr param;                      // Of topk, bottomk, quantile, count_values; else null.
  std::vector<std::string> grouping;  // As written.
  bool without = false;
};

struct Function;  // functions.h: one row per function.

struct CallExpr : Expr {
  CallExpr() : Expr(ExprKind::kCall, ValueType::kVector) {}
  const Function* function = nullptr;
  std::string name;
  std::vector<ExprPtr> args;
};

struct ParenExpr : Expr {
  ParenExpr() : Expr(ExprKind::kParen, ValueType::kScalar) {}
  ExprPtr expr;
};

// The node as its own type. Requires: the kind fits.
template <class T>
const T& As(const Expr& expr) {
  return static_cast<const T&>(expr);
}

// The expression inside any number of parentheses.
const Expr& Unparen(const Expr& expr);

// The node's operands, in the order they are written (the parameter of an
// aggregation first).
std::vector<ExprPtr> Children(const Expr& expr);

// Calls `visit` for `expr` and all below it, in reading order, a node before its operands.
void ForEachNode(const Expr& expr, const std::function<void(const Expr&)>& visit);

// The canonical text, as Prometheus prints it: `sum by (job) (rate(m{a="b"}[5m]))`.
std::string Text(const Expr& expr);

// As Text, but broken over lines and indented, as /api/v1/format_query answers. On one line
// if that took more than 32 MiB of indentation: a chain of some thousand operators.
std::string PrettyText(const Expr& expr);

// The matchers of each selector in `expr`, __name__ included, in reading order:
// what a commit must match for the expression to change.
std::vector<std::vector<model::Matcher>> SelectorsOf(const Expr& expr);

// For a condition such as `m > 5`, `5 < m`, `a > b` or `m > 5 and x`: the vector
// whose value the condition would show (`m`, `m`, `a`, `m`), so that the value of
// an alert that has just resolved can be read. Null when there is none.
ExprPtr ComparedSide(const ExprPtr& expr);

}  // namespace tocsin::promql
