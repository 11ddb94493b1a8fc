#include "daemon/api/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "daemon/api/json_text.h"
#include "daemon/base/ascii.h"
#include "daemon/base/go_numbers.h"
#include "daemon/base/text.h"
#include "rules/promql/lexer.h"
#include "rules/promql/parser.h"
#include "rules/promql/utf8.h"

namespace tocsin::api {
namespace {

constexpr double kMaxMillis = 9.2e18;
constexpr double kMaxSeconds = kMaxMillis / 1000;

// The ends of time as Go prints them: what clients send that mean "no limit".
constexpr std::string_view kEarliest = "-292273086-05-16T16:47:06Z";
constexpr std::string_view kLatest = "292277025-08-18T07:12:54.999999999Z";
constexpr std::int64_t kEarliestMillis = -9'223'309'901'257'974'000;
constexpr std::int64_t kLatestMillis = 9'223'309'901'257'974'999;

Error Invalid(std::string message) { return Error{ErrorCode::kInvalidArgument, message}; }

// Nothing for a "%" that begins no escape; `error` then says so, if it is the first.
std::optional<std::string> DecodeFormText(std::string_view text, std::string& error) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(text[i + 2]) : -1;
    if (low < 0) {
      if (error.empty()) error = "invalid URL escape " + promql::GoQuote(text.substr(i, 3));
      return std::nullopt;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// How Go's strconv words what it refuses.
std::string CannotConvert(std::string_view function, std::string_view text, std::string_view why) {
  return fmt::format("strconv.{}: parsing {}: {}", function, promql::GoQuote(text), why);
}

// RFC 3339 as Go's time.Parse takes it: an hour may have one digit and a fraction a comma,
// but "T" and "Z" are capitals and no second is the 60th.
Result<WallTime> ParseGoTime(std::string_view text) {
  constexpr std::size_t kHour = 11;
  constexpr std::size_t kSecond = 17;
  std::string plain(text);
  if (plain.size() > kHour + 1 && plain[kHour + 1] == ':') plain.insert(kHour, "0");
  if (plain.size() > kSecond + 2 && plain[kSecond + 2] == ',') plain[kSecond + 2] = '.';
  if (plain.find_first_of("tz") != plain.npos ||
      std::string_view(plain).substr(std::min(kSecond, plain.size()), 2) == "60") {
    return Invalid("no time");
  }
  return ParseTime(plain);
}

// Reads "20_" from the start of `text`, which follows an underscore, as U+0020.
bool ReadEscapedRune(std::string_view& text, std::string& out) {
  constexpr std::size_t kMaxHexDigits = 5;  // As upstream, though runes may have six.
  const std::size_t end = text.find('_');
  if (end == text.npos || end > kMaxHexDigits) return false;
  std::uint32_t rune = 0;
  for (const char c : text.substr(0, end)) {
    const int digit = HexDigit(c);
    if (digit < 0) return false;
    rune = rune * 16 + static_cast<std::uint32_t>(digit);
  }
  if (rune > 0x10ffff || (rune >= 0xd800 && rune <= 0xdfff)) return false;
  promql::AppendRune(rune, out);
  text.remove_prefix(end + 1);
  return true;
}

}  // namespace

Form ParseForm(std::string_view text) {
  Form form;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    if (pair.find(';') != pair.npos) {
      form.error = "invalid semicolon separator in query";
      continue;
    }
    const std::size_t equals = std::min(pair.find('='), pair.size());
    auto name = DecodeFormText(pair.substr(0, equals), form.error);
    if (!name) continue;
    auto value = DecodeFormText(pair.substr(std::min(equals + 1, pair.size())), form.error);
    if (value) form.params.emplace_back(*std::move(name), *std::move(value));
  }
  return form;
}

std::optional<std::string> Request::Param(std::string_view name) const {
  for (const auto& [key, value] : params) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::vector<std::string> Request::Params(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : params) {
    if (key == name) values.push_back(value);
  }
  return values;
}

std::string_view FindHeader(const std::vector<std::pair<std::string, std::string>>& headers,
                            std::string_view name) {
  const auto found = std::find_if(headers.begin(), headers.end(), [&](const auto& header) {
    return EqualIgnoringCase(header.first, name);
  });
  return found == headers.end() ? std::string_view() : found->second;
}

std::string Request::Header(std::string_view name) const {
  return std::string(FindHeader(headers, name));
}

std::optional<Response> BrokenForm(const Request& request) {
  if (request.form_error.empty()) return std::nullopt;
  return Failure(ErrorType::kBadData, "error parsing form values: " + request.form_error);
}

Result<std::int64_t> ParseApiTime(std::string_view text) {
  if (const auto seconds = ParseGoFloat(text); seconds.ok() && std::fabs(*seconds) < kMaxSeconds) {
    // The fraction is rounded by itself, as upstream does: of a sum "1.0005" would go up.
    double whole = 0;
    const double fraction = std::modf(*seconds, &whole);
    return static_cast<std::int64_t>(whole) * 1000 + std::llround(fraction * 1000);
  }
  if (const auto time = ParseGoTime(text); time.ok()) return ToUnixMillis(*time);
  if (text == kEarliest) return kEarliestMillis;
  if (text == kLatest) return kLatestMillis;
  return Invalid("cannot parse " + promql::GoQuote(text) + " to a valid timestamp");
}

Result<std::int64_t> ParseApiTimeParameter(const Request& request, std::string_view name,
                                           std::int64_t otherwise) {
  const auto text = request.Param(name);
  if (!text || text->empty()) return otherwise;
  const auto time = ParseApiTime(*text);
  if (time.ok()) return time;
  return time.error().WithContext("Invalid time value for '" + std::string(name) + "'");
}

Result<Millis> ParseApiDuration(std::string_view text) {
  if (const auto seconds = ParseGoFloat(text); seconds.ok()) {
    constexpr double kBeyondInt64 = 0x1p63;
    const double nanos = *seconds * 1e9;
    if (nanos > kBeyondInt64 || nanos < -kBeyondInt64) {
      return Invalid("cannot parse " + promql::GoQuote(text) +
                     " to a valid duration. It overflows int64");
    }
    // Go makes the least of integers of NaN.
    const bool fits = nanos >= -kBeyondInt64 && nanos < kBeyondInt64;
    const std::int64_t whole =
        fits ? static_cast<std::int64_t>(nanos) : std::numeric_limits<std::int64_t>::min();
    return Millis(whole / 1'000'000);
  }
  if (const auto duration = ParseDuration(text); duration.ok()) return *duration;
  return Invalid("cannot parse " + promql::GoQuote(text) + " to a valid duration");
}

RangeParameters ParseApiRange(const Request& request) {
  RangeParameters found;
  const auto start =
      ParseApiTimeParameter(request, "start", std::numeric_limits<std::int64_t>::min());
  const auto end = ParseApiTimeParameter(request, "end", std::numeric_limits<std::int64_t>::max());
  if (!start.ok() || !end.ok()) {
    found.wrong = start.ok() ? "end" : "start";
    found.error = start.ok() ? end.error() : start.error();
    return found;
  }
  found.range = {*start, *end};
  return found;
}

Result<std::vector<std::vector<model::Matcher>>> ParseApiSelectors(const Request& request) {
  std::vector<std::vector<model::Matcher>> selectors;
  for (const std::string& text : request.Params("match[]")) {
    TOCSIN_ASSIGN_OR_RETURN(auto matchers, promql::ParseSelector(text));
    const auto is_empty = [](const model::Matcher& matcher) { return matcher.MatchesEmpty(); };
    if (std::all_of(matchers.begin(), matchers.end(), is_empty)) {
      return Invalid("match[] must contain at least one non-empty matcher");
    }
    selectors.push_back(std::move(matchers));
  }
  return selectors;
}

Result<std::size_t> ParseApiLimit(const Request& request) {
  const auto text = request.Param("limit");
  if (!text || text->empty()) return std::size_t{0};
  const auto limit = ParseInt(*text);
  if (!limit) return Invalid(NotANumber("Atoi", *text));
  if (*limit < 0) return Invalid("limit must be non-negative");
  return static_cast<std::size_t>(*limit);
}

Result<bool> ParseApiBool(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return Invalid(CannotConvert("ParseBool", text, "invalid syntax"));
}

std::string NotANumber(std::string_view function, std::string_view text) {
  std::string_view digits = text;
  if (!digits.empty() && (digits[0] == '+' || digits[0] == '-')) digits.remove_prefix(1);
  const bool is_number = !digits.empty() && digits.find_first_not_of("0123456789") == digits.npos;
  return CannotConvert(function, text, is_number ? "value out of range" : "invalid syntax");
}

std::string UnescapeLabelName(const std::string& name) {
  constexpr std::string_view kPrefix = "U__";
  if (!name.starts_with(kPrefix)) return name;
  std::string_view rest = std::string_view(name).substr(kPrefix.size());
  std::string out;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c != '_') {
      out += c;
    } else if (rest.starts_with('_')) {
      out += '_';
      rest.remove_prefix(1);
    } else if (!ReadEscapedRune(rest, out)) {
      return name;
    }
  }
  return out;
}

}  // namespace tocsin::api
