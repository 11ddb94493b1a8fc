#include "daemon/model/matcher.h"

#include <re2/re2.h>

#include <algorithm>

namespace tocsin::model {
namespace {

constexpr std::size_t kMaxLiterals = 1000;

// The alternatives of a regular expression that is nothing but literals joined by
// "|", perhaps in one pair of parentheses; empty if it is anything else.
std::vector<std::string> LiteralAlternatives(std::string_view pattern) {
  if (pattern.starts_with("(?:") && pattern.ends_with(')')) {
    pattern = pattern.substr(3, pattern.size() - 4);
  } else if (pattern.starts_with('(') && pattern.ends_with(')')) {
    pattern = pattern.substr(1, pattern.size() - 2);
  }
  std::vector<std::string> literals(1);
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '|') {
      if (literals.size() == kMaxLiterals) return {};
      literals.emplace_back();
    } else if (c == '\\' && i + 1 < pattern.size() && std::ispunct(pattern[i + 1])) {
      literals.back() += pattern[++i];
    } else if (std::string_view("\\.+*?()[]{}^$").find(c) != std::string_view::npos) {
      return {};
    } else {
      literals.back() += c;
    }
  }
  return literals;
}

bool IsRegex(MatchOp op) { return op == MatchOp::kRegex || op == MatchOp::kNotRegex; }

}  // namespace

Result<Matcher> Matcher::Make(MatchOp op, std::string name, std::string value) {
  Matcher matcher;
  matcher.op_ = op;
  matcher.name_ = std::move(name);
  matcher.value_ = std::move(value);
  if (!IsRegex(op)) return matcher;
  RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  auto regex = std::make_shared<const RE2>("^(?s:" + matcher.value_ + ")$", options);
  if (!regex->ok()) {
    return Error{ErrorCode::kInvalidArgument,
                 "invalid regular expression \"" + matcher.value_ + "\": " + regex->error()};
  }
  matcher.regex_ = std::move(regex);
  if (op == MatchOp::kRegex) matcher.literals_ = LiteralAlternatives(matcher.value_);
  return matcher;
}

bool Matcher::Matches(std::string_view value) const {
  const auto found = [&] {
    if (!literals_.empty()) {
      return std::find(literals_.begin(), literals_.end(), value) != literals_.end();
    }
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
