#include "daemon/model/matcher.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cctype>

#include "daemon/base/text.h"

namespace tocsin::model {
namespace {

bool IsPunctuation(char c) { return std::ispunct(static_cast<unsigned char>(c)) != 0; }

// The alternatives of a regular expression that is nothing but literals joined by
// "|", perhaps in one pair of parentheses, sorted; empty if it is anything else.
std::vector<std::string> LiteralAlternatives(std::string_view pattern) {
  if (ValidUtf8(pattern) != pattern) return {};
  if (pattern.starts_with("(?:") && pattern.ends_with(')')) {
    pattern = pattern.substr(3, pattern.size() - 4);
  } else if (pattern.starts_with('(') && pattern.ends_with(')')) {
    pattern = pattern.substr(1, pattern.size() - 2);
  }
  std::vector<std::string> literals(1);
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '|') {
      literals.emplace_back();
    } else if (c == '\\' && i + 1 < pattern.size() && IsPunctuation(pattern[i + 1])) {
      literals.back() += pattern[++i];
    } else if (std::string_view("\\.+*?()[]{}^$").find(c) != std::string_view::npos) {
      return {};
    } else {
      literals.back() += c;
    }
  }
  std::sort(literals.begin(), literals.end());
  literals.erase(std::unique(literals.begin(), literals.end()), literals.end());
  return literals;
}

// As Go's regexp/syntax calls what RE2 found.
std::string_view GoName(RE2::ErrorCode code) {
  switch (code) {
    case RE2::ErrorBadEscape: return "invalid escape sequence";
    case RE2::ErrorBadCharClass: return "invalid character class";
    case RE2::ErrorBadCharRange: return "invalid character class range";
    case RE2::ErrorMissingBracket: return "missing closing ]";
    case RE2::ErrorMissingParen: return "missing closing )";
    case RE2::ErrorUnexpectedParen: return "unexpected )";
    case RE2::ErrorTrailingBackslash: return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument: return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize: return "invalid repeat count";
    case RE2::ErrorRepeatOp: return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp: return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8: return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture: return "invalid named capture";
    case RE2::ErrorPatternTooLarge: return "expression too large";
    default: return "internal error";
  }
}

// RE2 knows \C, any byte; Go does not.
bool MatchesBytes(std::string_view pattern) {
  for (std::size_t i = 0; i + 1 < pattern.size(); ++i) {
    if (pattern[i] != '\\') continue;
    ++i;
    if (pattern[i] == 'C') return true;
    if (pattern[i] == 'Q') i = std::min(pattern.find("\\E", i), pattern.size());
  }
  return false;
}

Error Refused(std::string_view why, std::string_view what) {
  constexpr std::size_t kShown = 200;
  std::string shown = ValidUtf8(what.substr(0, kShown));
  if (what.size() > kShown) shown += "…";
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("error parsing regexp: {}: `{}`", why, shown)};
}

Result<std::shared_ptr<const RE2>> Compile(const std::string& pattern) {
  if (MatchesBytes(pattern)) return Refused("invalid escape sequence", "\\C");
  RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  auto regex = std::make_shared<const RE2>(pattern, options);
  if (regex->ok()) return regex;
  const bool whole = regex->error_code() == RE2::ErrorPatternTooLarge;
  return Refused(GoName(regex->error_code()), whole ? pattern : regex->error_arg());
}

bool IsRegex(MatchOp op) { return op == MatchOp::kRegex || op == MatchOp::kNotRegex; }

}  // namespace

Result<Matcher> Matcher::Make(MatchOp op, std::string name, std::string value) {
  Matcher matcher;
  matcher.op_ = op;
  matcher.name_ = std::move(name);
  matcher.value_ = std::move(value);
  if (!IsRegex(op)) return matcher;
  matcher.alternatives_ = LiteralAlternatives(matcher.value_);
  if (matcher.alternatives_.empty()) {
    TOCSIN_ASSIGN_OR_RETURN(matcher.regex_, Compile(matcher.value_));
  }
  return matcher;
}

bool Matcher::Matches(std::string_view value) const {
  const auto found = [&] {
    if (!regex_) return std::binary_search(alternatives_.begin(), alternatives_.end(), value);
    return RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *regex_);
  };
  switch (op_) {
    case MatchOp::kEqual: return value == value_;
    case MatchOp::kNotEqual: return value != value_;
    case MatchOp::kRegex: return found();
    case MatchOp::kNotRegex: return !found();
  }
  return false;
}

const std::vector<std::string>& Matcher::Literals() const {
  static const std::vector<std::string> kNone;
  return op_ == MatchOp::kRegex ? alternatives_ : kNone;
}

std::string Matcher::Text() const {
  std::string out = IsPlainLabelName(name_) ? name_ : QuoteLabelValue(name_);
  out += MatchOpText(op_);
  out += QuoteLabelValue(value_);
  return out;
}

bool MatchesAll(const std::vector<Matcher>& matchers, const Labels& labels) {
  return std::all_of(matchers.begin(), matchers.end(),
                     [&](const Matcher& matcher) { return matcher.Matches(labels); });
}

std::string_view MatchOpText(MatchOp op) {
  switch (op) {
    case MatchOp::kEqual: return "=";
    case MatchOp::kNotEqual: return "!=";
    case MatchOp::kRegex: return "=~";
    case MatchOp::kNotRegex: return "!~";
  }
  return "=";
}

}  // namespace tocsin::model
