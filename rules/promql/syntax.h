#pragma once

// The parser proper: tokens to nodes by precedence climbing, with upstream's error
// contexts. Internal to the room; parser.h is the way in.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rules/promql/ast.h"
#include "rules/promql/lexer.h"

namespace tocsin::promql {

// Reads one expression. A method that fails records the first error and returns
// null (or an empty value); failed() then holds and callers unwind.
class Syntax {
 public:
  explicit Syntax(std::string_view text);

  std::shared_ptr<Expr> WholeExpression();
  std::shared_ptr<VectorSelector> WholeSelector();

  bool failed() const { return !error_.empty(); }
  const std::string& error() const { return error_; }  // "1:5: parse error: …".

 private:
  using NodePtr = std::shared_ptr<Expr>;

  struct Modifiers {  // Between an operator and its right side.
    bool return_bool = false;
    VectorMatching matching;
  };

  const Token& Peek(std::size_t ahead = 0) const;
  const Token& Take();
  bool TakeIf(std::string_view word);
  PositionRange Range(int start, int end) const;
  void Fail(int start, std::string_view message);
  // As Fail(), for what upstream's parser notices only once it has read one token more:
  // if that is none, it says so first.
  void FailAhead(int start, std::string_view message);
  // Records that `node` stands over `child`; fails if that makes it too high.
  void StandsOver(Expr& node, const ExprPtr& child);
  // The same of a binary operator and its operands.
  void StandsOverOperands(BinaryExpr& node);
  void CheckHeight(const Expr& node, const ExprPtr& child);
  void Unexpected(std::string_view context, std::string_view expected);

  NodePtr Binary(int minimum_precedence);
  NodePtr Unary();
  NodePtr Postfix(NodePtr node);
  NodePtr Primary();
  NodePtr Number();
  NodePtr Parenthesized();
  NodePtr Call();
  std::vector<ExprPtr> Arguments();
  NodePtr Aggregation();
  bool AggregationModifier(AggregateExpr& node);
  // `looked_ahead`: no modifier closed the aggregation.
  NodePtr FinishAggregation(const Token& name, std::shared_ptr<AggregateExpr> node,
                            std::vector<ExprPtr> arguments, bool looked_ahead);
  // `start`: of the left side, where errors are placed.
  bool BinaryModifiers(int start, Modifiers& modifiers);
  bool GroupModifier(Modifiers& modifiers);
  std::vector<std::string> GroupingLabels();

  std::shared_ptr<VectorSelector> Selector();
  void Matchers(VectorSelector& selector);
  void OneMatcher(VectorSelector& selector);
  NodePtr RangeOrSubquery(NodePtr node);
  NodePtr Offset(NodePtr node);
  NodePtr At(NodePtr node);
  TimeShift* ShiftOf(Expr& node, std::string_view modifier, int** end);
  bool IsMetricName(const Token& token) const;
  bool StartsExpression(const Token& token) const;

  // Durations (duration_syntax.cc): numbers of seconds, with signs. Arithmetic and words
  // are read as far as upstream's parser reads them before it says that they are experimental.
  struct DurationPlace {
    bool in_brackets = false;
    std::string_view context;  // Of Unexpected().
    std::string_view expected;
  };
  struct Duration {
    int start = 0;
    double seconds = 0;
  };
  // False if they failed.
  bool DurationOperand(const DurationPlace& place, Duration& duration);
  bool DurationExpression(const DurationPlace& place, int minimum_precedence, Duration& duration);
  bool DurationWord(const DurationPlace& place);
  bool Expect(std::string_view word, const DurationPlace& place);
  // In brackets: more than 0. In milliseconds; 0 if it failed.
  std::int64_t PositiveDuration(std::string_view context, std::string_view expected);

  std::string_view text_;
  std::vector<int> line_starts_;
  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  int last_end_ = 0;           // Of the token taken last.
  int aggregation_depth_ = 0;  // Upstream's generic error names the aggregation it is in.
  int depth_ = 0;
  std::string error_;
};

// Types of operands, arguments and matching clauses. Returns the first error, in
// the form of Syntax::error(), or an empty text. Fills in what only types decide
// (BinaryExpr::matching, MatchOp many-to-many) and Expr::step_invariant.
std::string CheckTypes(Expr& expr, std::string_view text);

std::int64_t MillisOf(double seconds);

std::string ParseErrorText(std::string_view text, int offset, std::string_view message);

}  // namespace tocsin::promql
