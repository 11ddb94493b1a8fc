#include "daemon/notify/matcher_text.h"

#include <fmt/format.h>

#include <cctype>
#include <optional>

#include "daemon/base/text.h"

namespace tocsin::notify {
namespace {

using model::Matcher;
using model::MatchOp;

// Reads matchers from the left. A quoted part may hold anything; a plain name ends
// at the operator, a plain value at a comma, a closing brace or the end.
class MatcherScanner {
 public:
  explicit MatcherScanner(std::string_view text) : text_(text) {}

  Result<std::vector<Matcher>> ReadAll() {
    std::vector<Matcher> matchers;
    SkipSpace();
    const bool braced = Take('{');
    SkipSpace();
    while (!AtEnd() && !(braced && Peek() == '}')) {
      TOCSIN_ASSIGN_OR_RETURN(Matcher matcher, ReadOne());
      matchers.push_back(std::move(matcher));
      SkipSpace();
      if (!Take(',')) break;
      SkipSpace();
    }
    if (braced && !Take('}')) return Bad("expected \"}\" or \",\"");
    SkipSpace();
    if (!AtEnd()) return Bad(fmt::format("unexpected \"{}\"", text_.substr(at_)));
    return matchers;
  }

 private:
  Result<Matcher> ReadOne() {
    TOCSIN_ASSIGN_OR_RETURN(std::string name, ReadName());
    SkipSpace();
    const auto op = ReadOperator();
    if (!op) return Bad("expected one of =, !=, =~, !~ after the label name");
    SkipSpace();
    TOCSIN_ASSIGN_OR_RETURN(std::string value, ReadValue());
    return Matcher::Make(*op, std::move(name), std::move(value));
  }

  Result<std::string> ReadName() {
    if (!AtEnd() && Peek() == '"') return ReadQuoted();
    const std::size_t begin = at_;
    while (!AtEnd() && std::string_view("=!~,{}\"").find(Peek()) == std::string_view::npos &&
           !IsSpace(Peek())) {
      ++at_;
    }
    if (at_ == begin) return Bad("expected a label name");
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::optional<MatchOp> ReadOperator() {
    const std::string_view rest = text_.substr(at_);
    for (const MatchOp op :
         {MatchOp::kRegex, MatchOp::kNotRegex, MatchOp::kNotEqual, MatchOp::kEqual}) {
      if (!rest.starts_with(model::MatchOpText(op))) continue;
      at_ += model::MatchOpText(op).size();
      return op;
    }
    return std::nullopt;
  }

  Result<std::string> ReadValue() {
    if (!AtEnd() && Peek() == '"') return ReadQuoted();
    const std::size_t begin = at_;
    while (!AtEnd() && Peek() != ',' && Peek() != '}' && Peek() != '"') ++at_;
    if (!AtEnd() && Peek() == '"') return Bad("unexpected quote within a value");
    return std::string(TrimSpace(text_.substr(begin, at_ - begin)));
  }

  Result<std::string> ReadQuoted() {
    std::string out;
    for (++at_; !AtEnd(); ++at_) {
      if (Peek() == '"') {
        ++at_;
        return out;
      }
      if (Peek() != '\\') {
        out += Peek();
        continue;
      }
      if (++at_ == text_.size()) break;
      switch (Peek()) {
        case 'n': out += '\n'; break;
        case '"': out += '"'; break;
        case '\\': out += '\\'; break;
        default: (out += '\\') += Peek();  // As Alertmanager: "\." stays as it is.
      }
    }
    return Bad("a quote is not closed");
  }

  static bool IsSpace(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }
  bool AtEnd() const { return at_ == text_.size(); }
  char Peek() const { return text_[at_]; }
  bool Take(char c) {
    if (AtEnd() || Peek() != c) return false;
    ++at_;
    return true;
  }
  void SkipSpace() {
    while (!AtEnd() && IsSpace(Peek())) ++at_;
  }
  Error Bad(std::string_view what) const {
    return {ErrorCode::kInvalidArgument, fmt::format("bad matcher {}: {}", text_, what)};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<Matcher> ParseMatcher(std::string_view text) {
  TOCSIN_ASSIGN_OR_RETURN(std::vector<Matcher> matchers, ParseMatchers(text));
  if (matchers.size() == 1) return std::move(matchers.front());
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("bad matcher {}: expected exactly one matcher", text)};
}

Result<std::vector<Matcher>> ParseMatchers(std::string_view text) {
  return MatcherScanner(text).ReadAll();
}

std::string MatchersText(const std::vector<Matcher>& matchers) {
  std::string out = "{";
  for (const Matcher& matcher : matchers) {
    if (out.size() > 1) out += ',';
    out += matcher.Text();
  }
  return out + "}";
}

}  // namespace tocsin::notify
