#include "rules/promql/series_notation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "daemon/base/ascii.h"
#include "daemon/model/sample.h"
#include "rules/promql/lexer.h"
#include "rules/promql/parser.h"
#include "rules/promql/utf8.h"

namespace tocsin::promql {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsAlpha(char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Where the metric ends: behind its name, or behind the braces that follow at once.
std::size_t MetricEnd(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && (IsAlpha(text[at]) || IsDigit(text[at]) || text[at] == ':')) ++at;
  const bool histogram = text.substr(at).starts_with("{{");
  if (at == text.size() || text[at] != '{' || histogram) return at;
  char quote = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0) {
      if (c == '\\' && quote != '`') {
        ++at;
      } else if (c == quote) {
        quote = 0;
      }
    } else if (c == '"' || c == '\'' || c == '`') {
      quote = c;
    } else if (c == '}') {
      return at + 1;
    }
  }
  return text.size();
}

// The sequence behind a metric, token by token, as upstream's lexer and grammar take it.
class Sequence {
 public:
  Sequence(std::string_view text, std::size_t from) : text_(text), at_(from) { Advance(); }

  Result<std::vector<SequenceValue>> Read() {
    if (next_.kind != TokenKind::kEnd && !TakeIf(" ")) return UnexpectedValue("");
    while (next_.kind != TokenKind::kEnd) {
      TOCSIN_RETURN_IF_ERROR(Item());
      if (next_.kind != TokenKind::kEnd && !TakeIf(" ")) return Unexpected("");
    }
    return std::move(values_);
  }

 private:
  Error At(int start, std::string_view message) const {
    const auto [line, column] = LineAndColumn(text_, start);
    return {ErrorCode::kInvalidArgument,
            fmt::format("{}:{}: parse error: {}", line, column, message)};
  }
  // Of the next token; a lexer's error as it is. Between items, where upstream's grammar
  // could end, it knows no context.
  Error Unexpected(std::string_view where) const {
    if (next_.kind == TokenKind::kError) return At(next_.start, next_.word);
    return At(next_.start, fmt::format("unexpected {}{}", Describe(next_), where));
  }
  Error UnexpectedValue(std::string_view expected) const {
    return Unexpected(" in series values" + std::string(expected));
  }

  void Emit(TokenKind kind, std::size_t size) {
    const std::string_view text = text_.substr(at_, size);
    next_ = {kind, text, kind >= TokenKind::kPunctuation ? std::string(text) : "",
             static_cast<int>(at_), static_cast<int>(at_ + size)};
    at_ += size;
  }
  void Fail(std::string message) {
    next_ = {TokenKind::kError,
             {},
             std::move(message),
             static_cast<int>(at_),
             static_cast<int>(text_.size())};
  }
  void Advance();
  void Word();

  bool TakeIf(std::string_view word) {
    const bool space = word == " " && next_.kind == TokenKind::kPunctuation &&
                       !next_.text.empty() && IsSpace(next_.text[0]);
    if (!space && !next_.Is(word)) return false;
    Advance();
    return true;
  }

  Result<> Item();
  Result<double> Number();
  Result<std::int64_t> Times();
  Result<> Append(int start, SequenceValue value, double step, std::int64_t count);

  std::string_view text_;
  std::size_t at_;
  Token next_;
  std::vector<SequenceValue> values_;
};

void Sequence::Advance() {
  const std::string_view rest = text_.substr(at_);
  if (rest.empty()) return Emit(TokenKind::kEnd, 0);
  const char c = rest[0];
  if (IsSpace(c)) {
    Emit(TokenKind::kPunctuation, 1);
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
    return;
  }
  if (rest.starts_with("{{")) {
    return Fail("native histograms are not supported: series hold floats only");
  }
  if (c == '+' || c == '-') return Emit(TokenKind::kOperator, 1);
  if (c == 'x' || c == '_') return Emit(TokenKind::kPunctuation, 1);
  if (IsDigit(c) || (c == '.' && rest.size() > 1 && IsDigit(rest[1]))) {
    const NumberScan number = ScanNumber(rest, true);
    if (number.whole) return Emit(TokenKind::kNumber, number.size);
    return Fail("bad number syntax: " + GoQuote(rest.substr(0, number.size)));
  }
  if (IsAlpha(c)) return Word();
  Fail("unexpected character in series sequence: " + QuoteRune(DecodeRune(rest).rune));
}

// `stale`, `Inf`, `NaN`; any other is an error of its own, but a word of the language is told
// as such.
void Sequence::Word() {
  std::size_t end = at_;
  while (end < text_.size() && (IsAlpha(text_[end]) || IsDigit(text_[end]) || text_[end] == ':')) {
    ++end;
  }
  const std::size_t size = end - at_;
  const Token word = Tokenize(text_.substr(at_, size)).front();
  Emit(word.kind, size);
}

Result<> Sequence::Item() {
  const int start = next_.start;
  if (TakeIf("_")) {
    if (!TakeIf("x")) return Append(start, {0, true}, 0, 1);
    TOCSIN_ASSIGN_OR_RETURN(const std::int64_t times, Times());
    return Append(start, {0, true}, 0, times);
  }
  double value = 0;
  if (next_.kind == TokenKind::kIdentifier) {
    if (next_.text != "stale") return UnexpectedValue(", expected number or \"stale\"");
    value = model::StaleMarker();
    Advance();
  } else {
    const bool begins = next_.kind == TokenKind::kNumber || next_.Is("+") || next_.Is("-");
    if (!begins) return Unexpected("");
    TOCSIN_ASSIGN_OR_RETURN(value, Number());
  }
  double step = 0;
  if (next_.Is("+") || next_.Is("-")) {
    TOCSIN_ASSIGN_OR_RETURN(step, Number());
    if (!next_.Is("x")) return UnexpectedValue("");
  }
  if (!TakeIf("x")) return Append(start, {value, false}, 0, 1);
  TOCSIN_ASSIGN_OR_RETURN(const std::int64_t times, Times());
  return Append(start, {value, false}, step, times + 1);
}

// With or without a sign.
Result<double> Sequence::Number() {
  const double sign = next_.Is("-") ? -1 : 1;
  if (next_.Is("-") || next_.Is("+")) Advance();
  if (next_.kind != TokenKind::kNumber) return UnexpectedValue("");
  const auto value = ParseNumberLiteral(next_.text);
  if (!value.ok()) return At(next_.start, value.error().message);
  Advance();
  return sign * *value;
}

// Behind "x". Bounded so that one more can be counted.
Result<std::int64_t> Sequence::Times() {
  if (next_.kind != TokenKind::kNumber) return UnexpectedValue("");
  const std::string_view text = next_.text;
  std::uint64_t count = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool whole = end == text.data() + text.size() && problem != std::errc::invalid_argument;
  if (!whole || problem != std::errc()) {
    return At(next_.start,
              fmt::format("invalid repetition in series values: strconv.ParseUint: parsing {}: {}",
                          GoQuote(text), whole ? "value out of range" : "invalid syntax"));
  }
  Advance();
  return static_cast<std::int64_t>(
      std::min(count, static_cast<std::uint64_t>(kMaxSequenceSamples)));
}

Result<> Sequence::Append(int start, SequenceValue value, double step, std::int64_t count) {
  if (count > kMaxSequenceSamples - static_cast<std::int64_t>(values_.size())) {
    return At(start, fmt::format("a sequence may have at most {} samples", kMaxSequenceSamples));
  }
  for (std::int64_t i = 0; i < count; ++i) {
    values_.push_back(value);
    if (step != 0) value.value += step;
  }
  return {};
}

}  // namespace

Result<SeriesDescription> ParseSeriesDescription(std::string_view text) {
  SeriesDescription description;
  const std::size_t end = MetricEnd(text);
  TOCSIN_ASSIGN_OR_RETURN(description.labels, ParseMetric(text.substr(0, end)));
  TOCSIN_ASSIGN_OR_RETURN(description.values, Sequence(text, end).Read());
  return description;
}

}  // namespace tocsin::promql
