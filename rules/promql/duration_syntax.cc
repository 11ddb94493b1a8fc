// Durations in brackets and behind `offset`.

#include <fmt/format.h>

#include <cmath>

#include "rules/promql/operators.h"
#include "rules/promql/parser.h"
#include "rules/promql/syntax.h"

namespace tocsin::promql {
namespace {

// Beyond this an int64 of nanoseconds overflows.
constexpr double kMaxDurationSeconds = 0x1p63 / 1e9;
constexpr std::string_view kExperimental = "experimental duration expression is not enabled";

bool IsArithmetic(const Operator& op) { return op.op <= BinaryOp::kPow; }

}  // namespace

std::int64_t MillisOf(double seconds) {
  return static_cast<std::int64_t>(std::round(seconds * 1e9) / 1e6);
}

bool Syntax::Expect(std::string_view word, const DurationPlace& place) {
  if (TakeIf(word)) return true;
  Unexpected(place.context, place.expected);
  return false;
}

// `step()`, `range()`, `min_of(1m, step())`, `max_of(…)`.
bool Syntax::DurationWord(const DurationPlace& place) {
  const Token& word = Take();
  if (!Expect("(", place)) return false;
  if (word.Is("min_of") || word.Is("max_of")) {
    const DurationPlace inside{true, place.context, place.expected};
    Duration argument;
    if (!DurationExpression(inside, 0, argument) || !Expect(",", place)) return false;
    if (!DurationExpression(inside, 0, argument)) return false;
  }
  if (!Expect(")", place)) return false;
  Fail(word.start, kExperimental);
  return false;
}

bool Syntax::DurationOperand(const DurationPlace& place, Duration& duration) {
  const Token& token = Peek();
  duration.start = token.start;
  if (token.Is("-") || token.Is("+")) {
    double sign = 1;
    while (Peek().Is("-") || Peek().Is("+")) sign = Take().Is("-") ? -sign : sign;
    // In brackets a power binds tighter than a sign, behind `offset` it is not read at all.
    const bool read = place.in_brackets ? DurationExpression(place, kPowPrecedence, duration)
                                        : DurationOperand(place, duration);
    duration = {token.start, sign * duration.seconds};
    return read;
  }
  if (token.Is("(")) {
    Take();
    if (!DurationExpression({true, place.context, place.expected}, 0, duration)) return false;
    if (!Expect(")", place)) return false;
    Fail(duration.start, kExperimental);
    return false;
  }
  if (token.kind == TokenKind::kPreprocessor) return DurationWord(place);
  if (token.kind != TokenKind::kNumber && token.kind != TokenKind::kDuration) {
    Unexpected(place.context, place.expected);
    return false;
  }
  const NodePtr number = Number();
  if (failed()) return false;
  duration.seconds = As<NumberLiteral>(*number).value;
  if (!(std::abs(duration.seconds) <= kMaxDurationSeconds)) {
    Fail(token.start, "duration out of range");
    return false;
  }
  return true;
}

bool Syntax::DurationExpression(const DurationPlace& place, int minimum_precedence,
                                Duration& duration) {
  if (++depth_ > kMaxExprDepth) {
    Fail(Peek().start, fmt::format("expression is nested more than {} deep", kMaxExprDepth));
    return false;
  }
  if (!DurationOperand(place, duration)) return false;
  const Token& token = Peek();
  const Operator* op = token.kind == TokenKind::kOperator ? FindOperator(token.word) : nullptr;
  if (op == nullptr || !IsArithmetic(*op) || op->precedence < minimum_precedence) {
    --depth_;
    return true;
  }
  Take();
  const bool to_the_right = op->op == BinaryOp::kPow;
  Duration right;
  if (!DurationExpression(place, op->precedence + (to_the_right ? 0 : 1), right)) return false;
  FailAhead(duration.start, kExperimental);
  return false;
}

std::int64_t Syntax::PositiveDuration(std::string_view context, std::string_view expected) {
  Duration duration;
  if (!DurationExpression({true, context, expected}, 0, duration)) return 0;
  if (duration.seconds <= 0) FailAhead(duration.start, "duration must be greater than 0");
  return failed() ? 0 : MillisOf(duration.seconds);
}

}  // namespace tocsin::promql
