#include "daemon/base/go_numbers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "daemon/base/ascii.h"

namespace tocsin {
namespace {

Error InvalidSyntax() { return Error{ErrorCode::kInvalidArgument, "invalid syntax"}; }
Error OutOfRange() { return Error{ErrorCode::kInvalidArgument, "value out of range"}; }

bool IsSign(char c) { return c == '+' || c == '-'; }

bool HasPrefix(std::string_view digits, std::string_view letters) {
  return digits.size() >= 2 && digits[0] == '0' && letters.find(ToLower(digits[1])) != letters.npos;
}

// Go's rule: only between digits, or between a prefix such as "0x" and a digit.
bool UnderscoresSeparateDigits(std::string_view unsigned_text) {
  enum class Seen { kDigit, kUnderscore, kOther };
  const bool prefixed = HasPrefix(unsigned_text, "box");
  const bool hex = HasPrefix(unsigned_text, "x");
  Seen seen = prefixed ? Seen::kDigit : Seen::kOther;
  for (const char c : unsigned_text.substr(prefixed ? 2 : 0)) {
    const bool digit = hex ? IsHexDigit(c) : IsDigit(c);
    if (c == '_' && seen != Seen::kDigit) return false;
    if (c != '_' && !digit && seen == Seen::kUnderscore) return false;
    seen = c == '_' ? Seen::kUnderscore : digit ? Seen::kDigit : Seen::kOther;
  }
  return seen != Seen::kUnderscore;
}

std::string WithoutUnderscores(std::string_view text) {
  std::string out(text);
  std::erase(out, '_');
  return out;
}

// Of a number that no double holds: whether it is too large for that, not too small.
bool IsLarge(std::string_view digits, bool hex) {
  const std::size_t mark = std::min(digits.find_first_of(hex ? "pP" : "eE"), digits.size());
  const std::string_view mantissa = digits.substr(0, mark);
  const auto dot = static_cast<std::int64_t>(std::min(mantissa.find('.'), mantissa.size()));
  const auto first = static_cast<std::int64_t>(mantissa.find_first_not_of("0."));
  std::string_view exponent = digits.substr(std::min(mark + 1, digits.size()));
  const bool negative = exponent.starts_with('-');
  if (!exponent.empty() && IsSign(exponent[0])) exponent.remove_prefix(1);
  std::int64_t power = 0;
  const auto [end, problem] =
      std::from_chars(exponent.data(), exponent.data() + exponent.size(), power);
  constexpr std::int64_t kBeyondAll = std::numeric_limits<std::int64_t>::max() / 2;
  if (problem == std::errc::result_out_of_range) power = kBeyondAll;
  return (dot - first) * (hex ? 4 : 1) + (negative ? -power : power) > 0;
}

// `digits` without sign, underscores and "0x".
Result<double> ReadFloat(std::string_view digits, bool hex) {
  if (digits.empty()) return InvalidSyntax();
  const bool begins = hex ? IsHexDigit(digits[0]) : IsDigit(digits[0]);
  if (!begins && digits[0] != '.') return InvalidSyntax();
  if (hex && digits.find_first_of("pP") == digits.npos) return InvalidSyntax();
  double value = 0;
  const char* end = digits.data() + digits.size();
  const auto [at, problem] = std::from_chars(
      digits.data(), end, value, hex ? std::chars_format::hex : std::chars_format::general);
  if (at != end || problem == std::errc::invalid_argument) return InvalidSyntax();
  if (problem == std::errc()) return value;
  if (IsLarge(digits, hex)) return OutOfRange();
  return 0.0;
}

}  // namespace

Result<double> ParseGoFloat(std::string_view text) {
  const bool with_sign = !text.empty() && IsSign(text[0]);
  const double sign = text.starts_with('-') ? -1 : 1;
  const std::string_view number = text.substr(with_sign ? 1 : 0);
  if (EqualIgnoringCase(number, "inf") || EqualIgnoringCase(number, "infinity")) {
    return sign * std::numeric_limits<double>::infinity();
  }
  if (EqualIgnoringCase(text, "nan")) return std::numeric_limits<double>::quiet_NaN();
  if (!UnderscoresSeparateDigits(number)) return InvalidSyntax();
  const bool hex = HasPrefix(number, "x");
  TOCSIN_ASSIGN_OR_RETURN(const double value,
                          ReadFloat(WithoutUnderscores(number.substr(hex ? 2 : 0)), hex));
  return sign * value;
}

Result<std::int64_t> ParseGoInt(std::string_view text) {
  const bool with_sign = !text.empty() && IsSign(text[0]);
  const std::string_view number = text.substr(with_sign ? 1 : 0);
  if (number.empty() || !UnderscoresSeparateDigits(number)) return InvalidSyntax();
  int base = 10;
  std::string digits = WithoutUnderscores(number);
  if (digits.size() >= 3 && HasPrefix(digits, "box")) {
    const char letter = ToLower(digits[1]);
    base = letter == 'b' ? 2 : letter == 'o' ? 8 : 16;
    digits.erase(0, 2);
  } else if (digits.size() >= 2 && digits[0] == '0') {
    base = 8;
  }
  std::uint64_t magnitude = 0;
  const char* end = digits.data() + digits.size();
  const auto [at, problem] = std::from_chars(digits.data(), end, magnitude, base);
  if (at != end || problem == std::errc::invalid_argument) return InvalidSyntax();
  const bool negative = text.starts_with('-');
  const std::uint64_t most = (std::uint64_t{1} << 63) - (negative ? 0 : 1);
  if (problem == std::errc::result_out_of_range || magnitude > most) return OutOfRange();
  return static_cast<std::int64_t>(negative ? ~magnitude + 1 : magnitude);
}

std::optional<double> ParseYamlNumber(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const bool with_sign = IsSign(text[0]);
  const std::string_view unsigned_text = text.substr(with_sign ? 1 : 0);
  for (const std::string_view infinite : {".inf", ".Inf", ".INF"}) {
    const double infinity = std::numeric_limits<double>::infinity();
    if (unsigned_text == infinite) return text[0] == '-' ? -infinity : infinity;
  }
  for (const std::string_view none : {".nan", ".NaN", ".NAN"}) {
    if (text == none) return std::numeric_limits<double>::quiet_NaN();
  }
  if (!with_sign && !IsDigit(text[0]) && text[0] != '.') return std::nullopt;
  if (text[0] == '.') {
    const auto value = ParseGoFloat(text);
    return value.ok() ? std::optional(*value) : std::nullopt;
  }
  const std::string plain = WithoutUnderscores(text);
  if (const auto whole = ParseGoInt(plain); whole.ok()) return static_cast<double>(*whole);
  if (plain.find_first_not_of("0123456789+-.eE") != plain.npos) return std::nullopt;
  const auto value = ParseGoFloat(plain);
  return value.ok() ? std::optional(*value) : std::nullopt;
}

}  // namespace tocsin
