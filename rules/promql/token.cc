// How tokens and places are told to people.

#include <fmt/format.h>

#include <algorithm>

#include "rules/promql/lexer.h"
#include "rules/promql/utf8.h"

namespace tocsin::promql {

std::string Describe(const Token& token) {
  const auto quoted = [&token] {
    const std::string_view head = FirstRunes(token.text, 10);
    return head.size() < token.text.size() && token.text.size() > 10 ? GoQuote(head) + "..."
                                                                     : GoQuote(token.text);
  };
  switch (token.kind) {
    case TokenKind::kEnd: return "end of input";
    case TokenKind::kError: return token.word;
    case TokenKind::kIdentifier: return "identifier " + GoQuote(token.text);
    case TokenKind::kMetricIdentifier: return "metric identifier " + GoQuote(token.text);
    case TokenKind::kString: return "string " + quoted();
    case TokenKind::kNumber: return "number " + quoted();
    case TokenKind::kDuration: return "duration " + quoted();
    case TokenKind::kOperator: return fmt::format("<op:{}>", token.text);
    case TokenKind::kAggregator: return fmt::format("<aggr:{}>", token.text);
    case TokenKind::kKeyword: return fmt::format("<{}>", token.text);
    case TokenKind::kPunctuation:
    case TokenKind::kPreprocessor: break;
  }
  return quoted();
}

std::pair<int, int> LineAndColumn(std::string_view text, int offset) {
  const std::string_view before = text.substr(0, static_cast<std::size_t>(offset));
  const std::size_t last_break = before.rfind('\n');
  const int line = 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  const int column =
      last_break == std::string_view::npos ? offset + 1 : offset - static_cast<int>(last_break);
  return {line, column};
}

}  // namespace tocsin::promql
