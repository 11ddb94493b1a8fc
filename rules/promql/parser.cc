#include "rules/promql/parser.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "rules/promql/syntax.h"

namespace tocsin::promql {
namespace {

Error ParseError(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

Result<> CheckSize(std::string_view text) {
  if (text.size() <= kMaxExprBytes) return {};
  return ParseError(fmt::format("expression of {} bytes is longer than the limit of {} bytes",
                                text.size(), kMaxExprBytes));
}

// A token list for `{a="b"}`, which is a smaller language than a selector.
class MetricSyntax {
 public:
  explicit MetricSyntax(std::string_view text) : text_(text), tokens_(Tokenize(text)) {}

  Result<model::Labels> Read() {
    std::vector<std::pair<std::string, std::string>> labels;
    const Token& name = Peek();
    const bool named = name.kind != TokenKind::kEnd && name.kind != TokenKind::kError &&
                       name.kind != TokenKind::kPunctuation && name.kind != TokenKind::kString &&
                       name.kind != TokenKind::kNumber && name.kind != TokenKind::kDuration;
    if (named) labels.emplace_back(model::kMetricName, Take().text);
    if (Peek().Is("{")) {
      TOCSIN_RETURN_IF_ERROR(Braces(labels));
    }
    if (Peek().kind != TokenKind::kEnd) return Unexpected("", "");
    std::set<std::string_view> names;
    for (const auto& [label, value] : labels) {
      if (names.insert(label).second) continue;
      return ParseError(fmt::format("label name {} is not unique", GoQuote(label)));
    }
    return model::Labels::FromMap(labels);
  }

 private:
  using Pairs = std::vector<std::pair<std::string, std::string>>;

  const Token& Peek() const { return tokens_[next_]; }
  const Token& Take() {
    const Token& token = tokens_[next_];
    if (next_ + 1 < tokens_.size()) ++next_;
    return token;
  }
  Error Unexpected(std::string_view context, std::string_view expected) const {
    const Token& token = Peek();
    std::string message = token.word;
    if (token.kind != TokenKind::kError) {
      message = "unexpected " + Describe(token);
      if (!context.empty()) message += fmt::format(" in {}, expected {}", context, expected);
    }
    return ParseError(ParseErrorText(text_, token.start, message));
  }

  Result<> Braces(Pairs& labels) {
    Take();
    while (!Peek().Is("}")) {
      const Token& name = Peek();
      if (name.kind != TokenKind::kIdentifier && name.kind != TokenKind::kString) {
        return Unexpected("label set", "identifier or \"}\"");
      }
      const bool quoted = name.kind == TokenKind::kString;
      std::string label = quoted ? Unquote(Take().text) : std::string(Take().text);
      if (!Peek().Is("=")) {
        if (!quoted) return Unexpected("label set", "\"=\"");
        labels.emplace_back(model::kMetricName, std::move(label));
      } else {
        Take();
        if (Peek().kind != TokenKind::kString) return Unexpected("label set", "string");
        labels.emplace_back(std::move(label), Unquote(Take().text));
      }
      if (Peek().Is("}")) break;
      if (!Peek().Is(",")) return Unexpected("label set", "\",\" or \"}\"");
      Take();
    }
    Take();
    return {};
  }

  std::string_view text_;
  std::vector<Token> tokens_;
  std::size_t next_ = 0;
};

}  // namespace

Result<ExprPtr> Parse(std::string_view text) {
  TOCSIN_RETURN_IF_ERROR(CheckSize(text));
  Syntax syntax(text);
  std::shared_ptr<Expr> expr = syntax.WholeExpression();
  if (syntax.failed()) return ParseError(syntax.error());
  std::string mistyped = CheckTypes(*expr, text);
  if (!mistyped.empty()) return ParseError(std::move(mistyped));
  return ExprPtr(std::move(expr));
}

Result<std::vector<model::Matcher>> ParseSelector(std::string_view text) {
  TOCSIN_RETURN_IF_ERROR(CheckSize(text));
  Syntax syntax(text);
  const std::shared_ptr<VectorSelector> selector = syntax.WholeSelector();
  if (syntax.failed()) return ParseError(syntax.error());
  return selector->matchers;
}

Result<model::Labels> ParseMetric(std::string_view text) {
  TOCSIN_RETURN_IF_ERROR(CheckSize(text));
  return MetricSyntax(text).Read();
}

}  // namespace tocsin::promql
