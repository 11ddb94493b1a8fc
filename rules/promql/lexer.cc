#include "rules/promql/lexer.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "rules/promql/keywords.h"
#include "rules/promql/utf8.h"

namespace tocsin::promql {
namespace {

constexpr int kEndOfText = -1;
constexpr std::size_t kUsualTokens = 16;

bool IsSpace(int c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsDigit(int c) { return c >= '0' && c <= '9'; }
bool IsAlpha(int c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsAlphaNumeric(int c) { return IsAlpha(c) || IsDigit(c); }

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<Token> Run() {
    tokens_.reserve(kUsualTokens);
    while (!done_) {
      start_ = position_;
      if (at_duration_) {
        AtDuration();
      } else if (in_braces_) {
        InsideBraces();
      } else {
        Statement();
      }
    }
    return std::move(tokens_);
  }

 private:
  int Peek(int ahead = 0) const {
    const std::size_t at = static_cast<std::size_t>(position_ + ahead);
    return at < text_.size() ? static_cast<unsigned char>(text_[at]) : kEndOfText;
  }
  // The code point at the position, for messages.
  std::string QuotedRune(int at) const {
    if (static_cast<std::size_t>(at) >= text_.size()) return "'\ufffd'";
    return QuoteRune(DecodeRune(text_.substr(static_cast<std::size_t>(at))).rune);
  }

  void Emit(TokenKind kind, int size) {
    position_ = start_ + size;
    const std::string_view text =
        text_.substr(static_cast<std::size_t>(start_), static_cast<std::size_t>(size));
    std::string word;
    if (kind >= TokenKind::kPunctuation) word = LowerCase(text);
    tokens_.push_back({kind, text, std::move(word), start_, position_});
  }
  void Fail(std::string message) {
    tokens_.push_back(
        {TokenKind::kError, {}, std::move(message), start_, static_cast<int>(text_.size())});
    done_ = true;
  }
  // As Fail(), but the place is behind the character that is wrong, as upstream says it.
  void FailBehind(std::string message) {
    ++start_;
    Fail(std::move(message));
  }
  void End() {
    tokens_.push_back({TokenKind::kEnd, {}, {}, start_, start_});
    done_ = true;
  }

  bool SkipSpaceOrComment() {
    const int c = Peek();
    if (IsSpace(c)) {
      while (IsSpace(Peek())) ++position_;
      return true;
    }
    if (c == '#') {
      while (Peek() != kEndOfText && Peek() != '\n' && Peek() != '\r') ++position_;
      return true;
    }
    return false;
  }

  void Statement();
  void Bang();
  void WordToken();
  void InsideBraces();
  void AtDuration();
  void BracketWord();
  bool DurationWord();
  void NumberOrDuration();
  bool ScanDuration();
  void StringToken();
  std::optional<std::string> Escape(int quote);
  bool FollowedByParenthesis(int at) const;

  std::string_view text_;
  std::vector<Token> tokens_;
  int position_ = 0;
  int start_ = 0;
  int parenthesis_depth_ = 0;
  bool in_braces_ = false;
  bool in_brackets_ = false;
  bool at_duration_ = false;   // In brackets, before the next number.
  bool got_colon_ = false;     // In these brackets.
  bool got_duration_ = false;  // In any brackets so far, as upstream counts.
  bool done_ = false;
};

void Lexer::Statement() {
  if (SkipSpaceOrComment()) return;
  const int c = Peek();
  const int next = Peek(1);
  switch (c) {
    case kEndOfText:
      if (parenthesis_depth_ != 0) return Fail("unclosed left parenthesis");
      return in_brackets_ ? Fail("unclosed left bracket") : End();
    case ',': return Emit(TokenKind::kPunctuation, 1);
    case '*':
    case '/':
    case '%':
    case '+':
    case '-':
    case '^':
    case '@': return Emit(TokenKind::kOperator, 1);
    case '=':
      if (next == '=') return Emit(TokenKind::kOperator, 2);
      if (next == '~') return Fail("unexpected character after '=': '~'");
      return Emit(TokenKind::kPunctuation, 1);
    case '!': return Bang();
    case '<':
    case '>': return Emit(TokenKind::kOperator, next == '=' ? 2 : 1);
    case '"':
    case '\'':
    case '`': return StringToken();
    case '(': ++parenthesis_depth_; return Emit(TokenKind::kPunctuation, 1);
    case ')':
      if (--parenthesis_depth_ < 0) return FailBehind("unexpected right parenthesis ')'");
      return Emit(TokenKind::kPunctuation, 1);
    case '{': in_braces_ = true; return Emit(TokenKind::kPunctuation, 1);
    case '[':
      if (in_brackets_) return Fail("unexpected left bracket '['");
      in_brackets_ = at_duration_ = true;
      got_colon_ = false;
      return Emit(TokenKind::kPunctuation, 1);
    case ']':
      if (!in_brackets_) return Fail("unexpected right bracket ']'");
      in_brackets_ = false;
      return Emit(TokenKind::kPunctuation, 1);
    default: break;
  }
  if (IsDigit(c) || (c == '.' && IsDigit(next))) return NumberOrDuration();
  if (IsAlpha(c) || c == ':') return in_brackets_ ? BracketWord() : WordToken();
  Fail("unexpected character: " + QuotedRune(position_));
}

void Lexer::Bang() {
  if (Peek(1) == '=') return Emit(TokenKind::kOperator, 2);
  Fail("unexpected character after '!': " + QuotedRune(position_ + 1));
}

bool Lexer::FollowedByParenthesis(int at) const {
  std::size_t i = static_cast<std::size_t>(at);
  while (i < text_.size() && IsSpace(static_cast<unsigned char>(text_[i]))) ++i;
  return i < text_.size() && text_[i] == '(';
}

void Lexer::WordToken() {
  int size = 0;
  while (IsAlphaNumeric(Peek(size)) || Peek(size) == ':') ++size;
  const std::string_view text =
      text_.substr(static_cast<std::size_t>(start_), static_cast<std::size_t>(size));
  const std::string lower = LowerCase(text);
  for (const Word& word : kWords) {
    if (word.text != lower) continue;
    // A metric may be called "fill": only "fill (" is the modifier.
    if (lower.starts_with("fill") && !FollowedByParenthesis(start_ + size)) break;
    return Emit(word.kind, size);
  }
  Emit(text.find(':') == std::string_view::npos ? TokenKind::kIdentifier
                                                : TokenKind::kMetricIdentifier,
       size);
}

void Lexer::InsideBraces() {
  if (SkipSpaceOrComment()) return;
  const int c = Peek();
  const int next = Peek(1);
  switch (c) {
    case kEndOfText: return Fail("unexpected end of input inside braces");
    case ',': return Emit(TokenKind::kPunctuation, 1);
    case '"':
    case '\'':
    case '`': return StringToken();
    case '=': return next == '~' ? Emit(TokenKind::kOperator, 2) : Emit(TokenKind::kPunctuation, 1);
    case '!':
      if (next == '~' || next == '=') return Emit(TokenKind::kOperator, 2);
      return Fail("unexpected character after '!' inside braces: " + QuotedRune(position_ + 1));
    case '{': return Fail("unexpected left brace '{'");
    case '}': in_braces_ = false; return Emit(TokenKind::kPunctuation, 1);
    default: break;
  }
  if (IsAlpha(c)) {
    int size = 0;
    while (IsAlphaNumeric(Peek(size))) ++size;
    return Emit(TokenKind::kIdentifier, size);
  }
  Fail("unexpected character inside braces: " + QuotedRune(position_));
}

// step, range, min_of or max_of, which only duration expressions have.
bool Lexer::DurationWord() {
  int size = 0;
  while (IsAlpha(Peek(size))) ++size;
  const std::string word =
      LowerCase(text_.substr(static_cast<std::size_t>(start_), static_cast<std::size_t>(size)));
  if (word != "step" && word != "range" && word != "min_of" && word != "max_of") return false;
  Emit(TokenKind::kPreprocessor, size);
  return true;
}

// In brackets, behind a number.
void Lexer::BracketWord() {
  if (Peek() != ':') {
    if (!DurationWord()) {
      Fail(fmt::format("unexpected character: {}, expected ':'", QuotedRune(position_)));
    }
    return;
  }
  if (got_colon_) return Fail("unexpected colon ':'");
  got_colon_ = true;
  Emit(TokenKind::kPunctuation, 1);
}

void Lexer::AtDuration() {
  const int c = Peek();
  switch (c) {
    case ' ':
    case '\t':
    case '\n':
    case '\r': ++position_; return;
    case kEndOfText: return Fail("unexpected end of input in duration expression");
    case ']':
      in_brackets_ = at_duration_ = got_colon_ = false;
      return Emit(TokenKind::kPunctuation, 1);
    case ':':
      if (!got_duration_) {
        return FailBehind("unexpected colon before duration in duration expression");
      }
      if (got_colon_) return FailBehind("unexpected repeated colon in duration expression");
      got_colon_ = true;
      return Emit(TokenKind::kPunctuation, 1);
    case '(': ++parenthesis_depth_; return Emit(TokenKind::kPunctuation, 1);
    case ')':
      if (--parenthesis_depth_ < 0) return FailBehind("unexpected right parenthesis ')'");
      return Emit(TokenKind::kPunctuation, 1);
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case '^': return Emit(TokenKind::kOperator, 1);
    case ',': return Emit(TokenKind::kPunctuation, 1);
    default: break;
  }
  if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) {
    got_duration_ = true;
    at_duration_ = false;
    return NumberOrDuration();
  }
  if (DurationWord()) return;
  Fail("unexpected character in duration expression: " + QuotedRune(position_));
}

void Lexer::NumberOrDuration() {
  const NumberScan number = ScanNumber(text_.substr(static_cast<std::size_t>(start_)), false);
  position_ = start_ + static_cast<int>(number.size);
  if (number.whole) return Emit(TokenKind::kNumber, position_ - start_);
  if (ScanDuration()) return Emit(TokenKind::kDuration, position_ - start_);
  Fail(fmt::format("bad number or duration syntax: {}",
                   GoQuote(text_.substr(static_cast<std::size_t>(start_),
                                        static_cast<std::size_t>(position_ - start_)))));
}

// Goes on where ScanNumber() stopped: at the first unit.
bool Lexer::ScanDuration() {
  const auto accept = [this](std::string_view set) {
    const int c = Peek();
    if (c == kEndOfText || set.find(static_cast<char>(c)) == std::string_view::npos) return false;
    ++position_;
    return true;
  };
  if (!accept("smhdwy")) return false;
  accept("s");
  while (accept("0123456789")) {
    while (accept("0123456789")) {
    }
    if (!accept("smhdw")) return false;
    accept("s");
  }
  if (!IsAlphaNumeric(Peek())) return true;
  ++position_;
  return false;
}

void Lexer::StringToken() {
  const int quote = Peek();
  const bool raw = quote == '`';
  ++position_;
  while (true) {
    const int c = Peek();
    if (c == kEndOfText || (c == '\n' && !raw)) {
      return Fail(raw ? "unterminated raw string" : "unterminated quoted string");
    }
    if (c == quote) break;
    if (c == '\\' && !raw) {
      if (std::optional<std::string> problem = Escape(quote)) return Fail(*std::move(problem));
      continue;
    }
    const Rune rune = DecodeRune(text_.substr(static_cast<std::size_t>(position_)));
    if (rune.rune == kReplacementRune) return Fail("invalid UTF-8 rune");
    position_ += rune.size;
  }
  Emit(TokenKind::kString, position_ + 1 - start_);
}

// Passes one escape sequence; returns what is wrong with it.
std::optional<std::string> Lexer::Escape(int quote) {
  ++position_;  // The backslash.
  const int c = Peek();
  if (c == kEndOfText) return "escape sequence not terminated";
  int digits = 0;
  std::uint32_t base = 16;
  std::uint32_t limit = 0x10FFFF;
  if (c == quote ||
      std::string_view("abfnrtv\\").find(static_cast<char>(c)) != std::string_view::npos) {
    ++position_;
    return std::nullopt;
  }
  if (c >= '0' && c <= '7') {
    digits = 3;
    base = 8;
    limit = 255;
  } else if (c == 'x' || c == 'u' || c == 'U') {
    ++position_;
    digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
    if (c == 'x') limit = 255;
  } else {
    const Rune rune = DecodeRune(text_.substr(static_cast<std::size_t>(position_)));
    return "unknown escape sequence " + DescribeRune(rune.rune);
  }
  std::uint64_t value = 0;
  for (; digits > 0; --digits) {
    const int digit = Peek();
    if (digit == kEndOfText) return "escape sequence not terminated";
    const std::optional<int> number = HexDigit(digit);
    if (!number || static_cast<std::uint32_t>(*number) >= base) {
      const Rune rune = DecodeRune(text_.substr(static_cast<std::size_t>(position_)));
      return fmt::format("illegal character {} in escape sequence", DescribeRune(rune.rune));
    }
    value = value * base + static_cast<std::uint32_t>(*number);
    ++position_;
  }
  if (value > limit || (value >= 0xD800 && value < 0xE000)) {
    return "escape sequence is an invalid Unicode code point";
  }
  return std::nullopt;
}

}  // namespace

std::vector<Token> Tokenize(std::string_view text) { return Lexer(text).Run(); }

}  // namespace tocsin::promql
