// Selectors and what may follow an expression: [range], [range:step], offset, @.

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "rules/promql/syntax.h"

namespace tocsin::promql {
namespace {

constexpr std::string_view kDurationWords = "number, duration, step(), or range()";

}  // namespace

std::shared_ptr<VectorSelector> Syntax::Selector() {
  auto node = std::make_shared<VectorSelector>();
  const int start = Peek().start;
  if (!Peek().Is("{")) node->name = std::string(Take().text);
  if (Peek().Is("{")) Matchers(*node);
  if (failed()) return nullptr;
  if (!node->name.empty()) {
    node->matchers.push_back(
        model::Matcher::Make(model::MatchOp::kEqual, std::string(model::kMetricName), node->name)
            .value());
  }
  node->position = Range(start, last_end_);
  return node;
}

void Syntax::Matchers(VectorSelector& selector) {
  Take();  // "{".
  if (TakeIf("}")) return;
  while (true) {
    OneMatcher(selector);
    if (failed()) return;
    if (TakeIf("}")) return;
    if (!TakeIf(",")) return Unexpected("label matching", "\",\" or \"}\"");
    if (TakeIf("}")) return;
  }
}

void Syntax::OneMatcher(VectorSelector& selector) {
  const Token& label = Peek();
  if (label.kind != TokenKind::kIdentifier && label.kind != TokenKind::kString) {
    return Unexpected("label matching", "identifier or \"}\"");
  }
  const bool quoted = label.kind == TokenKind::kString;
  const std::string name = quoted ? Unquote(label.text) : std::string(label.text);
  Take();
  model::MatchOp op = model::MatchOp::kEqual;
  if (Peek().Is("=")) {
  } else if (Peek().Is("!=")) {
    op = model::MatchOp::kNotEqual;
  } else if (Peek().Is("=~")) {
    op = model::MatchOp::kRegex;
  } else if (Peek().Is("!~")) {
    op = model::MatchOp::kNotRegex;
  } else if (quoted) {  // {"metric.name"}
    selector.matchers.push_back(
        model::Matcher::Make(op, std::string(model::kMetricName), name).value());
    return;
  } else {
    return Unexpected("label matching", "label matching operator");
  }
  Take();
  const Token& value = Peek();
  if (value.kind != TokenKind::kString) return Unexpected("label matching", "string");
  Take();
  Result<model::Matcher> matcher = model::Matcher::Make(op, name, Unquote(value.text));
  if (!matcher.ok()) return Fail(label.start, matcher.error().message);
  selector.matchers.push_back(std::move(matcher).value());
}

Syntax::NodePtr Syntax::Postfix(NodePtr node) {
  while (!failed()) {
    const Token& token = Peek();
    if (token.Is("[")) {
      node = RangeOrSubquery(std::move(node));
    } else if (token.Is("offset")) {
      node = Offset(std::move(node));
    } else if (token.Is("@")) {
      node = At(std::move(node));
    } else if (token.Is("anchored") || token.Is("smoothed")) {
      Fail(node->position.start,
           fmt::format("{} modifier is experimental and not enabled", token.word));
    } else {
      return node;
    }
  }
  return nullptr;
}

Syntax::NodePtr Syntax::RangeOrSubquery(NodePtr node) {
  const int bracket = Take().start;
  const std::int64_t range_ms = PositiveDuration("subquery or range selector", kDurationWords);
  if (failed()) return nullptr;
  if (TakeIf("]")) {
    if (node->kind != ExprKind::kVectorSelector) {
      Fail(bracket, "ranges only allowed for vector selectors");
      return nullptr;
    }
    const TimeShift& shift = As<VectorSelector>(*node).shift;
    if (shift.offset_ms != 0) Fail(bracket, "no offset modifiers allowed before range");
    if (shift.at != TimeShift::At::kNone) Fail(bracket, "no @ modifiers allowed before range");
    if (failed()) return nullptr;
    auto matrix = std::make_shared<MatrixSelector>();
    matrix->position = Range(node->position.start, last_end_);
    StandsOver(*matrix, node);
    matrix->selector = std::move(node);
    matrix->range_ms = range_ms;
    return matrix;
  }
  if (!TakeIf(":")) {
    Unexpected("subquery or range", "\":\" or \"]\"");
    return nullptr;
  }
  auto subquery = std::make_shared<SubqueryExpr>();
  subquery->range_ms = range_ms;
  if (!Peek().Is("]")) {
    subquery->step_ms =
        PositiveDuration("subquery selector", "number, duration, step(), range(), or \"]\"");
    if (failed()) return nullptr;
  }
  if (!TakeIf("]")) {
    Unexpected("subquery selector", "\"]\"");
    return nullptr;
  }
  subquery->position = Range(node->position.start, last_end_);
  StandsOver(*subquery, node);
  subquery->expr = std::move(node);
  return subquery;
}

// The shift that `modifier` sets, and where the node's end is kept.
TimeShift* Syntax::ShiftOf(Expr& node, std::string_view modifier, int** end) {
  *end = &node.position.end;
  switch (node.kind) {
    case ExprKind::kVectorSelector: return &static_cast<VectorSelector&>(node).shift;
    case ExprKind::kSubquery: return &static_cast<SubqueryExpr&>(node).shift;
    case ExprKind::kMatrixSelector: {
      // The parser is the only holder of the node so far.
      const Expr& selector = *static_cast<MatrixSelector&>(node).selector;
      return &const_cast<VectorSelector&>(As<VectorSelector>(selector)).shift;
    }
    default: break;
  }
  Fail(node.position.start,
       fmt::format("{} modifier must be preceded by an instant vector selector or range vector "
                   "selector or a subquery",
                   modifier));
  return nullptr;
}

Syntax::NodePtr Syntax::Offset(NodePtr node) {
  Take();
  Duration duration;
  if (!DurationOperand({false, "offset", kDurationWords}, duration)) return nullptr;
  int* end = nullptr;
  TimeShift* shift = ShiftOf(*node, "offset", &end);
  if (shift == nullptr) return nullptr;
  if (shift->offset_ms != 0) {
    Fail(node->position.start, "offset may not be set multiple times");
    return nullptr;
  }
  shift->offset_ms = MillisOf(duration.seconds);
  *end = last_end_;
  return node;
}

Syntax::NodePtr Syntax::At(NodePtr node) {
  Take();
  TimeShift::At at = TimeShift::At::kTime;
  double seconds = 0;
  if (Peek().Is("start") || Peek().Is("end")) {
    at = Take().word == "start" ? TimeShift::At::kStart : TimeShift::At::kEnd;
    if (!TakeIf("(") || !TakeIf(")")) {
      Unexpected("@", "timestamp");
      return nullptr;
    }
  } else {
    const bool minus = Peek().Is("-");
    if (minus || Peek().Is("+")) Take();
    if (Peek().kind != TokenKind::kNumber && Peek().kind != TokenKind::kDuration) {
      Unexpected("@", "timestamp");
      return nullptr;
    }
    const NodePtr number = Number();
    if (failed()) return nullptr;
    seconds = As<NumberLiteral>(*number).value * (minus ? -1 : 1);
    if (!(std::abs(seconds) < 9.2e15)) {  // Milliseconds would not fit.
      Fail(node->position.start, fmt::format("timestamp out of bounds for @ modifier: {}",
                                             std::isfinite(seconds) ? fmt::format("{:f}", seconds)
                                                                    : FormatFixed(seconds)));
      return nullptr;
    }
  }
  int* end = nullptr;
  TimeShift* shift = ShiftOf(*node, "@", &end);
  if (shift == nullptr) return nullptr;
  if (shift->at != TimeShift::At::kNone) {
    Fail(node->position.start, "@ <timestamp> may not be set multiple times");
    return nullptr;
  }
  shift->at = at;
  shift->at_ms = static_cast<std::int64_t>(std::round(seconds * 1000));
  *end = last_end_;
  return node;
}

}  // namespace tocsin::promql
