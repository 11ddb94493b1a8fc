#include "rules/promql/syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "rules/promql/functions.h"
#include "rules/promql/operators.h"
#include "rules/promql/parser.h"
#include "rules/promql/utf8.h"

namespace tocsin::promql {
namespace {

bool IsFill(const Token& token) {
  return token.kind == TokenKind::kKeyword && token.word.starts_with("fill");
}

}  // namespace

std::string ParseErrorText(std::string_view text, int offset, std::string_view message) {
  const auto [line, column] = LineAndColumn(text, offset);
  return fmt::format("{}:{}: parse error: {}", line, column, message);
}

Syntax::Syntax(std::string_view text) : text_(text), line_starts_{0}, tokens_(Tokenize(text)) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') line_starts_.push_back(static_cast<int>(i) + 1);
  }
}

const Token& Syntax::Peek(std::size_t ahead) const {
  return tokens_[std::min(next_ + ahead, tokens_.size() - 1)];
}

const Token& Syntax::Take() {
  const Token& token = Peek();
  if (next_ + 1 < tokens_.size()) ++next_;
  last_end_ = token.end;
  return token;
}

bool Syntax::TakeIf(std::string_view word) {
  if (!Peek().Is(word)) return false;
  Take();
  return true;
}

PositionRange Syntax::Range(int start, int end) const {
  const auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), start);
  return {start, end, static_cast<int>(next - line_starts_.begin()), start - *(next - 1) + 1};
}

void Syntax::Fail(int start, std::string_view message) {
  if (error_.empty()) error_ = ParseErrorText(text_, start, message);
}

void Syntax::FailAhead(int start, std::string_view message) {
  const Token& next = Peek();
  if (next.kind == TokenKind::kError) return Fail(next.start, next.word);
  Fail(start, message);
}

void Syntax::StandsOver(Expr& node, const ExprPtr& child) {
  node.height = std::max(node.height, child->height + 1);
  CheckHeight(node, child);
}

void Syntax::StandsOverOperands(BinaryExpr& node) {
  node.operand_height = std::max(node.lhs->height, node.rhs->height);
  if (node.lhs->kind == ExprKind::kBinary) {
    const auto& before = As<BinaryExpr>(*node.lhs);
    node.chain = before.chain + 1;
    node.operand_height = std::max(before.operand_height, node.rhs->height);
  }
  if (node.chain > kMaxExprChain) {
    return Fail(node.position.start,
                fmt::format("expression has more than {} operators in a row", kMaxExprChain));
  }
  node.height = node.operand_height + std::min(node.chain, kChainHeight);
  CheckHeight(node, node.lhs);
  CheckHeight(node, node.rhs);
}

void Syntax::CheckHeight(const Expr& node, const ExprPtr& child) {
  if (node.height <= kMaxExprDepth || failed()) return;
  // What is wrong further down comes first, as upstream, which has no such limit, says it.
  error_ = CheckTypes(const_cast<Expr&>(*child), text_);
  if (error_.empty()) {
    Fail(node.position.start, fmt::format("expression is nested more than {} deep", kMaxExprDepth));
  }
}

// `unexpected <op:+> in grouping opts, expected label`; a lexer's error as it is.
void Syntax::Unexpected(std::string_view context, std::string_view expected) {
  const Token& token = Peek();
  if (token.kind == TokenKind::kError) return Fail(token.start, token.word);
  std::string message = "unexpected " + Describe(token);
  if (!context.empty()) message += fmt::format(" in {}", context);
  if (!expected.empty()) message += fmt::format(", expected {}", expected);
  Fail(token.start, message);
}

std::shared_ptr<Expr> Syntax::WholeExpression() {
  if (Peek().kind == TokenKind::kEnd) {
    Fail(0, "no expression found in input");
    return nullptr;
  }
  NodePtr node = Binary(0);
  if (!failed() && Peek().kind != TokenKind::kEnd) Unexpected("", "");
  return failed() ? nullptr : node;
}

std::shared_ptr<VectorSelector> Syntax::WholeSelector() {
  if (!IsMetricName(Peek()) && !Peek().Is("{")) {
    Unexpected("", "");
    return nullptr;
  }
  std::shared_ptr<VectorSelector> node = Selector();
  if (!failed() && Peek().kind != TokenKind::kEnd) Unexpected("", "");
  return failed() ? nullptr : node;
}

Syntax::NodePtr Syntax::Binary(int minimum_precedence) {
  if (++depth_ > kMaxExprDepth) {
    Fail(Peek().start, fmt::format("expression is nested more than {} deep", kMaxExprDepth));
    return nullptr;
  }
  NodePtr left = Unary();
  while (!failed()) {
    const Token& token = Peek();
    const Operator* op = token.kind == TokenKind::kOperator ? FindOperator(token.word) : nullptr;
    if (op == nullptr || op->precedence < minimum_precedence) break;
    Take();
    Modifiers modifiers;
    if (!BinaryModifiers(left->position.start, modifiers)) break;
    const bool to_the_right = op->op == BinaryOp::kPow;
    NodePtr right = Binary(to_the_right ? op->precedence : op->precedence + 1);
    if (failed()) break;
    auto node = std::make_shared<BinaryExpr>();
    node->op = op->op;
    node->position = left->position;
    node->position.end = right->position.end;
    node->lhs = std::move(left);
    node->rhs = std::move(right);
    StandsOverOperands(*node);
    node->return_bool = modifiers.return_bool;
    node->matching = std::move(modifiers.matching);
    const bool scalars =
        node->lhs->type == ValueType::kScalar && node->rhs->type == ValueType::kScalar;
    node->type = scalars ? ValueType::kScalar : ValueType::kVector;
    left = std::move(node);
  }
  --depth_;
  return failed() ? nullptr : left;
}

Syntax::NodePtr Syntax::Unary() {
  const Token& sign = Peek();
  const bool minus = sign.Is("-");
  if (!minus && !sign.Is("+")) return Postfix(Primary());
  const int start = Take().start;
  NodePtr operand = Binary(kPowPrecedence);
  if (failed()) return nullptr;
  if (operand->kind == ExprKind::kNumber) {
    auto& number = static_cast<NumberLiteral&>(*operand);
    if (minus) number.value = -number.value;
    number.position = Range(start, number.position.end);
    return operand;
  }
  auto node = std::make_shared<UnaryExpr>();
  node->op = minus ? UnaryOp::kMinus : UnaryOp::kPlus;
  node->type = operand->type;
  node->position = Range(start, operand->position.end);
  StandsOver(*node, operand);
  node->expr = std::move(operand);
  return node;
}

Syntax::NodePtr Syntax::Primary() {
  const Token& token = Peek();
  switch (token.kind) {
    case TokenKind::kNumber:
    case TokenKind::kDuration: return Number();
    case TokenKind::kString: {
      auto node = std::make_shared<StringLiteral>();
      node->value = Unquote(Take().text);
      node->position = Range(token.start, token.end);
      return node;
    }
    case TokenKind::kAggregator:
      if (Peek(1).Is("(") || Peek(1).Is("by") || Peek(1).Is("without")) return Aggregation();
      break;
    case TokenKind::kIdentifier:
    case TokenKind::kPreprocessor:
      if (Peek(1).Is("(")) return Call();
      break;
    default: break;
  }
  if (token.Is("(")) return Parenthesized();
  if (token.Is("{") || IsMetricName(token)) return Selector();
  Unexpected(aggregation_depth_ > 0 ? "aggregation" : "", "");
  return nullptr;
}

// Keywords that stand where a metric may stand are metrics.
bool Syntax::IsMetricName(const Token& token) const {
  switch (token.kind) {
    case TokenKind::kIdentifier:
    case TokenKind::kMetricIdentifier:
    case TokenKind::kAggregator:
    case TokenKind::kPreprocessor: return true;
    case TokenKind::kKeyword:
      return token.Is("by") || token.Is("without") || token.Is("offset") || token.Is("anchored") ||
             token.Is("smoothed");
    case TokenKind::kOperator: return token.Is("and") || token.Is("or") || token.Is("unless");
    default: return false;
  }
}

bool Syntax::StartsExpression(const Token& token) const {
  switch (token.kind) {
    case TokenKind::kNumber:
    case TokenKind::kDuration:
    case TokenKind::kString: return true;
    default: break;
  }
  return IsMetricName(token) || token.Is("(") || token.Is("{") || token.Is("+") || token.Is("-");
}

Syntax::NodePtr Syntax::Number() {
  const Token& token = Take();
  auto node = std::make_shared<NumberLiteral>();
  node->position = Range(token.start, token.end);
  if (token.kind == TokenKind::kDuration) {
    const Result<std::int64_t> ms = ParseDurationLiteral(token.text);
    if (!ms.ok()) {
      Fail(token.start, ms.error().message);
      return nullptr;
    }
    node->value = static_cast<double>(*ms) / 1000;
    node->is_duration = true;
    return node;
  }
  const Result<double> value = ParseNumberLiteral(token.text);
  if (!value.ok()) {
    Fail(token.start, value.error().message);
    return nullptr;
  }
  node->value = *value;
  return node;
}

Syntax::NodePtr Syntax::Parenthesized() {
  const int start = Take().start;
  NodePtr inner = Binary(0);
  if (failed()) return nullptr;
  if (!TakeIf(")")) {
    Unexpected(aggregation_depth_ > 0 ? "aggregation" : "", "");
    return nullptr;
  }
  auto node = std::make_shared<ParenExpr>();
  node->type = inner->type;
  node->position = Range(start, last_end_);
  StandsOver(*node, inner);
  node->expr = std::move(inner);
  return node;
}

Syntax::NodePtr Syntax::Call() {
  const Token& name = Take();
  auto node = std::make_shared<CallExpr>();
  node->name = std::string(name.text);
  node->args = Arguments();
  if (failed()) return nullptr;
  node->function = FindFunction(node->name);
  if (node->function == nullptr) {
    Fail(name.start, fmt::format("unknown function with name {}{}", GoQuote(node->name),
                                 FunctionSuggestion(node->name)));
    return nullptr;
  }
  if (node->function->experimental) {
    Fail(name.start, fmt::format("function {} is not enabled", GoQuote(node->name)));
    return nullptr;
  }
  node->type = node->function->returns;
  node->position = Range(name.start, last_end_);
  for (const ExprPtr& argument : node->args) StandsOver(*node, argument);
  return node;
}

// `(a, b)`, the parentheses included.
std::vector<ExprPtr> Syntax::Arguments() {
  std::vector<ExprPtr> arguments;
  Take();  // "(".
  if (TakeIf(")")) return arguments;
  while (true) {
    NodePtr argument = Binary(0);
    if (failed()) return {};
    arguments.push_back(std::move(argument));
    if (TakeIf(")")) return arguments;
    const int comma = Peek().start;
    if (!TakeIf(",")) {
      Unexpected(aggregation_depth_ > 0 ? "aggregation" : "", "");
      return {};
    }
    if (!StartsExpression(Peek())) {
      FailAhead(comma, "trailing commas not allowed in function call args");
      return {};
    }
  }
}

bool Syntax::BinaryModifiers(int start, Modifiers& modifiers) {
  modifiers.return_bool = TakeIf("bool");
  modifiers.matching.on = Peek().Is("on") && Peek().kind == TokenKind::kKeyword;
  if (modifiers.matching.on || Peek().Is("ignoring")) {
    Take();
    modifiers.matching.labels = GroupingLabels();
    if (failed() || !GroupModifier(modifiers)) return false;
  }
  if (IsFill(Peek())) {
    Fail(start, "binop fill modifiers are experimental and not enabled");
  }
  return !failed();
}

bool Syntax::GroupModifier(Modifiers& modifiers) {
  const bool left = Peek().Is("group_left");
  if (!left && !Peek().Is("group_right")) return true;
  Take();
  modifiers.matching.card =
      left ? VectorMatching::Card::kManyToOne : VectorMatching::Card::kOneToMany;
  if (Peek().Is("(") || !(StartsExpression(Peek()) || IsFill(Peek()))) {
    modifiers.matching.include = GroupingLabels();
  }
  return !failed();
}

std::vector<std::string> Syntax::GroupingLabels() {
  std::vector<std::string> labels;
  if (!TakeIf("(")) {
    Unexpected("grouping opts", "\"(\"");
    return {};
  }
  if (TakeIf(")")) return labels;
  while (true) {
    const Token& token = Peek();
    if (token.kind == TokenKind::kString) {
      labels.push_back(Unquote(token.text));
      if (!IsLabelName(labels.back())) {
        Fail(token.start, "invalid label name for grouping: " + GoQuote(labels.back()));
        return {};
      }
    } else if (!token.Is("without") &&  // Alone among the language's words.
               (IsMetricName(token) || token.kind == TokenKind::kKeyword || token.Is("atan2"))) {
      labels.emplace_back(token.text);
    } else {
      Unexpected("grouping opts", "label");
      return {};
    }
    Take();
    if (TakeIf(")")) return labels;
    if (!TakeIf(",")) {
      Unexpected("grouping opts", "\",\" or \")\"");
      return {};
    }
    if (TakeIf(")")) return labels;
  }
}

}  // namespace tocsin::promql
