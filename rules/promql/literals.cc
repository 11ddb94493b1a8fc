// Numbers, durations and strings as PromQL writes them.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>

#include "daemon/base/go_numbers.h"
#include "daemon/base/text.h"
#include "rules/promql/lexer.h"
#include "rules/promql/utf8.h"

namespace tocsin::promql {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t ms;
};

constexpr auto kUnits = std::to_array<Unit>({
    {"y", 365LL * 24 * 3600 * 1000},
    {"w", 7LL * 24 * 3600 * 1000},
    {"d", 24LL * 3600 * 1000},
    {"h", 3600LL * 1000},
    {"m", 60LL * 1000},
    {"s", 1000},
    {"ms", 1},
});

bool IsUnit(std::string_view name) {
  return std::any_of(kUnits.begin(), kUnits.end(),
                     [name](const Unit& unit) { return unit.name == name; });
}

// Upstream counts durations in nanoseconds of an int64.
constexpr std::int64_t kMaxDurationMs = std::numeric_limits<std::int64_t>::max() / 1'000'000;

Error Invalid(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

void AppendEscaped(const Rune& rune, std::string_view bytes, std::string& out) {
  switch (rune.rune) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\a': out += "\\a"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\v': out += "\\v"; return;
    default: break;
  }
  if (rune.rune == kReplacementRune && rune.size == 1) {
    out += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[0]));
  } else if (rune.rune < 0x20 || rune.rune == 0x7F) {
    out += fmt::format("\\x{:02x}", rune.rune);
  } else if ((rune.rune >= 0x80 && rune.rune <= 0xA0) || rune.rune == 0xAD ||
             (rune.rune >= 0x2000 && rune.rune <= 0x200F) ||
             (rune.rune >= 0x2028 && rune.rune <= 0x202F) || rune.rune == 0xFEFF) {
    out += fmt::format("\\u{:04x}", rune.rune);
  } else {
    out += bytes.substr(0, static_cast<std::size_t>(rune.size));
  }
}

}  // namespace

NumberScan ScanNumber(std::string_view text, bool in_series) {
  std::size_t at = 0;
  const auto is = [&](std::string_view set) {
    return at < text.size() && set.find(text[at]) != std::string_view::npos;
  };
  const auto accept = [&](std::string_view set) {
    if (!is(set)) return false;
    ++at;
    return true;
  };
  std::string_view digits = "0123456789";
  if (!in_series && accept("0") && accept("xX")) {
    accept("_");
    digits = "0123456789abcdefABCDEF";
  }
  const bool hexadecimal = digits.size() > 10;
  accept(".");
  accept(digits);
  bool dot = false;
  bool exponent = false;
  while (true) {
    if (accept(".")) {
      // Fractions of hexadecimal numbers are not in the language.
      if (dot || accept("_.") || hexadecimal) return {at, false};
      dot = true;
    } else if (!hexadecimal && accept("eE")) {
      if (exponent) return {at, false};
      exponent = true;
      accept("+-");
      if (accept("._eE") || at == text.size()) return {at, false};
    } else if (accept("_")) {
      if (accept("._eE") || at == text.size()) return {at, false};
    } else if (!accept(digits)) {
      break;
    }
  }
  if (at == text.size() || (in_series && text[at] == 'x')) return {at, at > 0};
  const bool more = text[at] == '_' || std::isalnum(static_cast<unsigned char>(text[at])) != 0;
  return {at, at > 0 && !more};
}

Result<double> ParseNumberLiteral(std::string_view text) {
  if (const auto whole = ParseGoInt(text); whole.ok()) return static_cast<double>(*whole);
  const auto value = ParseGoFloat(text);
  if (value.ok()) return value;
  return Invalid(fmt::format("error parsing number: strconv.ParseFloat: parsing {}: {}",
                             GoQuote(text), value.error().message));
}

Result<std::int64_t> ParseDurationLiteral(std::string_view text) {
  const Error invalid = Invalid("not a valid duration string: " + GoQuote(text));
  std::int64_t total = 0;
  std::size_t next_unit = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    std::int64_t amount = 0;
    const char* begin = text.data() + at;
    const auto [stop, problem] = std::from_chars(begin, text.data() + text.size(), amount);
    if (problem == std::errc::result_out_of_range) return Invalid("duration out of range");
    if (problem != std::errc() || stop == begin) return invalid;
    at = static_cast<std::size_t>(stop - text.data());
    std::size_t size = 0;
    while (at + size < text.size() && (text[at + size] < '0' || text[at + size] > '9')) ++size;
    const std::string_view name = text.substr(at, size);
    if (name.empty()) return invalid;
    if (!IsUnit(name)) {
      return Invalid(fmt::format("unknown unit {} in duration {}", GoQuote(name), GoQuote(text)));
    }
    while (next_unit < kUnits.size() && kUnits[next_unit].name != name) ++next_unit;
    if (next_unit == kUnits.size()) return invalid;  // Units go from the largest down.
    const std::int64_t unit = kUnits[next_unit++].ms;
    if (amount > (kMaxDurationMs - total) / unit) return Invalid("duration out of range");
    total += amount * unit;
    at += size;
  }
  return total;
}

std::string Unquote(std::string_view quoted) {
  const char quote = quoted.front();
  const std::string_view body = quoted.substr(1, quoted.size() - 2);
  if (quote == '`') return std::string(body);
  std::string value;
  value.reserve(body.size());
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\') {
      value += body[i];
      continue;
    }
    const char c = body[++i];
    constexpr std::string_view kNames = "abfnrtv";
    constexpr std::string_view kValues = "\a\b\f\n\r\t\v";
    if (const std::size_t name = kNames.find(c); name != std::string_view::npos) {
      value += kValues[name];
      continue;
    }
    const bool octal = c >= '0' && c <= '7';
    const int digits = octal ? 3 : c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0) {
      value += c;
      continue;
    }
    if (octal) --i;
    std::uint32_t number = 0;
    for (int d = 0; d < digits; ++d) {
      number = number * (octal ? 8 : 16) + static_cast<std::uint32_t>(*HexDigit(body[++i]));
    }
    if (octal || c == 'x') {
      value += static_cast<char>(number);
    } else {
      AppendRune(number, value);
    }
  }
  return value;
}

std::string GoQuote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    AppendEscaped(rune, text, out);
    text.remove_prefix(static_cast<std::size_t>(rune.size));
  }
  return out + "\"";
}

std::string FormatShortest(double value) {
  if (!std::isfinite(value) || value == 0) return FormatFixed(value);
  const double magnitude = std::abs(value);
  const auto format = magnitude < 1e-4 || magnitude >= 1e6 ? std::chars_format::scientific
                                                           : std::chars_format::fixed;
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format);
  return {buffer.data(), end.ptr};
}

std::string FormatFixed(double value) {
  if (!std::isfinite(value) || value == 0) {
    return std::signbit(value) && value == 0 ? "-0" : FormatDouble(value);
  }
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::scientific);
  std::string_view text(buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data()));
  std::string out;
  if (text.front() == '-') {
    out = "-";
    text.remove_prefix(1);
  }
  const std::size_t e = text.find('e');
  int exponent = 0;
  const std::string_view power = text.substr(e + (text[e + 1] == '+' ? 2 : 1));
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  std::string digits(1, text[0]);
  if (e > 2) digits += text.substr(2, e - 2);
  if (exponent < 0) {
    return out + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  }
  const std::size_t whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) return out + digits + std::string(whole - digits.size(), '0');
  return out + digits.substr(0, whole) + "." + digits.substr(whole);
}

}  // namespace tocsin::promql
