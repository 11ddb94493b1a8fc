#include "daemon/formats/go_template_lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/base/ascii.h"
#include "daemon/formats/go_template_printf.h"

namespace tocsin::formats {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

constexpr std::array<std::pair<std::string_view, GoToken>, 10> kKeywords = {{
    {"block", GoToken::kBlock},
    {"break", GoToken::kBreak},
    {"continue", GoToken::kContinue},
    {"define", GoToken::kDefine},
    {"else", GoToken::kElse},
    {"end", GoToken::kEnd},
    {"if", GoToken::kIf},
    {"range", GoToken::kRange},
    {"template", GoToken::kTemplate},
    {"with", GoToken::kWith},
}};

bool IsSpace(char c) { return kSpaces.find(c) != std::string_view::npos; }
// Letters beyond ASCII count as letters, as in Go.
bool IsAlphaNumeric(char c) {
  return c == '_' || IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<unsigned char>(c) >= 0x80;
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<GoLexeme> Run() {
    while (!done_) {
      if (inside_) {
        Action();
      } else {
        Text();
      }
    }
    return std::move(out_);
  }

 private:
  bool StartsWith(std::string_view prefix) const {
    return text_.substr(at_, prefix.size()) == prefix;
  }
  char Peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  void Emit(GoToken token, std::size_t length) {
    out_.push_back({token, std::string(text_.substr(at_, length)), static_cast<int>(at_), line_});
    Skip(length);
  }

  void Skip(std::size_t length) {
    line_ += static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         text_.begin() + static_cast<std::ptrdiff_t>(at_ + length),
                                         '\n'));
    at_ += length;
  }

  void Fail(std::string message) {
    out_.push_back({GoToken::kError, std::move(message), static_cast<int>(at_), line_});
    done_ = true;
  }

  void Text() {
    const auto open = text_.find("{{", at_);
    if (open == std::string_view::npos) {
      if (at_ < text_.size()) Emit(GoToken::kText, text_.size() - at_);
      Emit(GoToken::kEof, 0);
      done_ = true;
      return;
    }
    const bool trims =
        text_.substr(open + 2, 1) == "-" && open + 3 < text_.size() && IsSpace(text_[open + 3]);
    std::size_t end = open;
    if (trims) {
      while (end > at_ && IsSpace(text_[end - 1])) --end;
    }
    if (end > at_) Emit(GoToken::kText, end - at_);
    Skip(open - at_);
    LeftDelim(trims);
  }

  void LeftDelim(bool trims) {
    const std::size_t after = at_ + 2 + (trims ? 2 : 0);
    if (text_.substr(after, 2) == "/*") {
      Comment(after);
      return;
    }
    out_.push_back({GoToken::kLeftDelim, "{{", static_cast<int>(at_), line_});
    Skip(after - at_);
    inside_ = true;
    parens_ = 0;
  }

  void Comment(std::size_t begin) {
    const auto close = text_.find("*/", begin + 2);
    if (close == std::string_view::npos) return Fail("unclosed comment");
    Skip(close + 2 - at_);
    const bool trims = IsSpace(Peek()) && text_.substr(at_ + 1, 3) == "-}}";
    if (trims) Skip(2);
    if (!StartsWith("}}")) return Fail("comment ends before closing delimiter");
    Skip(2);
    if (trims) TrimAfter();
  }

  void TrimAfter() {
    std::size_t end = at_;
    while (end < text_.size() && IsSpace(text_[end])) ++end;
    Skip(end - at_);
  }

  void RightDelim(bool trims) {
    if (parens_ > 0) return Fail("unclosed left paren");
    if (trims) Skip(2);
    Emit(GoToken::kRightDelim, 2);
    if (trims) TrimAfter();
    inside_ = false;
  }

  void Action() {
    if (IsSpace(Peek()) && at_ < text_.size() && text_.substr(at_ + 1, 3) == "-}}") {
      return RightDelim(true);
    }
    if (StartsWith("}}")) return RightDelim(false);
    if (at_ >= text_.size()) return Fail("unclosed action");
    const char c = Peek();
    if (IsSpace(c)) return Space();
    switch (c) {
      case '=': return Emit(GoToken::kAssign, 1);
      case ':':
        if (Peek(1) != '=') return Fail("expected :=");
        return Emit(GoToken::kDeclare, 2);
      case '|': return Emit(GoToken::kPipe, 1);
      case ',': return Emit(GoToken::kComma, 1);
      case '"': return Quoted();
      case '`': return RawQuoted();
      case '\'': return CharConstant();
      case '$': return Variable();
      case '(': ++parens_; return Emit(GoToken::kLeftParen, 1);
      case ')':
        if (--parens_ < 0) return Fail("unexpected right paren");
        return Emit(GoToken::kRightParen, 1);
      default: break;
    }
    if (c == '.' && !IsDigit(Peek(1))) return Field();
    if (c == '.' || IsDigit(c) || ((c == '+' || c == '-') && NumberFollows())) return Number();
    if (IsAlphaNumeric(c)) return Word();
    Fail(fmt::format("unrecognized character in action: U+{:04X} '{}'",
                     static_cast<unsigned char>(c), c));
  }

  bool NumberFollows() const { return IsDigit(Peek(1)) || (Peek(1) == '.' && IsDigit(Peek(2))); }

  void Space() {
    std::size_t length = 0;
    while (at_ + length < text_.size() && IsSpace(Peek(length))) {
      // The last space belongs to the trim marker.
      if (text_.substr(at_ + length + 1, 3) == "-}}") break;
      ++length;
    }
    Emit(GoToken::kSpace, length);
  }

  // The length of letters and digits from `begin` on.
  std::size_t WordLength(std::size_t begin) const {
    std::size_t length = 0;
    while (IsAlphaNumeric(Peek(begin + length))) ++length;
    return length;
  }

  // What may stand right after a field, a variable, a word or a number.
  bool AtTerminator(std::size_t length) const {
    const char c = Peek(length);
    if (at_ + length >= text_.size() || IsSpace(c)) return true;
    if (std::string_view(".,|:()=").find(c) != std::string_view::npos) return true;
    return text_.substr(at_ + length, 2) == "}}";
  }

  void Finish(GoToken token, std::size_t length) {
    if (!AtTerminator(length)) {
      return Fail(fmt::format("bad character U+{:04X} '{}'",
                              static_cast<unsigned char>(Peek(length)), Peek(length)));
    }
    Emit(token, length);
  }

  void Field() {
    const std::size_t length = WordLength(1);
    if (length == 0) return Finish(GoToken::kDot, 1);
    Finish(GoToken::kField, length + 1);
  }

  void Variable() { Finish(GoToken::kVariable, WordLength(1) + 1); }

  void Word() {
    const std::size_t length = WordLength(0);
    const std::string_view word = text_.substr(at_, length);
    GoToken token = GoToken::kIdentifier;
    if (word == "true" || word == "false") token = GoToken::kBool;
    if (word == "nil") token = GoToken::kNil;
    for (const auto& [name, keyword] : kKeywords) {
      if (word == name) token = keyword;
    }
    Finish(token, length);
  }

  void Number() {
    std::size_t length = Peek() == '+' || Peek() == '-' ? 1 : 0;
    const bool hex = Peek(length) == '0' && (Peek(length + 1) == 'x' || Peek(length + 1) == 'X');
    while (at_ + length < text_.size()) {
      const char c = Peek(length);
      const char before = Peek(length == 0 ? 0 : length - 1);
      const bool exponent = !hex && (before == 'e' || before == 'E') && (c == '+' || c == '-');
      if (!IsAlphaNumeric(c) && c != '.' && !exponent) break;
      ++length;
    }
    Emit(GoToken::kNumber, length);
  }

  void Quoted() {
    std::size_t length = 1;
    for (;; ++length) {
      if (at_ + length >= text_.size() || Peek(length) == '\n') {
        return Fail("unterminated quoted string");
      }
      if (Peek(length) == '\\') {
        ++length;
      } else if (Peek(length) == '"') {
        return Emit(GoToken::kString, length + 1);
      }
    }
  }

  void RawQuoted() {
    const auto close = text_.find('`', at_ + 1);
    if (close == std::string_view::npos) return Fail("unterminated raw quoted string");
    Emit(GoToken::kRawString, close + 1 - at_);
  }

  void CharConstant() {
    std::size_t length = 1;
    for (;; ++length) {
      if (at_ + length >= text_.size() || Peek(length) == '\n') {
        return Fail("unterminated character constant");
      }
      if (Peek(length) == '\\') {
        ++length;
      } else if (Peek(length) == '\'') {
        return Emit(GoToken::kChar, length + 1);
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  int parens_ = 0;
  bool inside_ = false;
  bool done_ = false;
  std::vector<GoLexeme> out_;
};

}  // namespace

std::string GoLexeme::Shown() const {
  if (token == GoToken::kEof) return "EOF";
  if (token == GoToken::kError) return text;
  if (IsGoKeyword(token)) return "<" + text + ">";
  if (text.size() > 10) return GoQuote(text.substr(0, 10)) + "...";
  return GoQuote(text);
}

std::vector<GoLexeme> LexGoTemplate(std::string_view text) { return Lexer(text).Run(); }

}  // namespace tocsin::formats
