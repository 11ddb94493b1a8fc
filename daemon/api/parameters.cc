#include "daemon/api/parameters.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "daemon/base/text.h"
#include "rules/promql/parser.h"

namespace tocsin::api {
namespace {

constexpr double kMaxMillis = 9.2e18;

Error Invalid(std::string message) { return Error{ErrorCode::kInvalidArgument, message}; }

}  // namespace

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

std::string Request::Header(std::string_view name) const {
  const auto same = [&](const std::string& key) {
    return std::equal(key.begin(), key.end(), name.begin(), name.end(),
                      [](char a, char b) { return std::tolower(a) == std::tolower(b); });
  };
  for (const auto& [key, value] : headers) {
    if (same(key)) return value;
  }
  return {};
}

Result<std::int64_t> ParseApiTime(std::string_view text) {
  if (const auto seconds = ParseDouble(text); seconds && std::isfinite(*seconds)) {
    const double millis = std::round(*seconds * 1000);
    if (std::fabs(millis) < kMaxMillis) return static_cast<std::int64_t>(millis);
  }
  if (const auto time = ParseTime(text); time.ok()) return ToUnixMillis(*time);
  return Invalid("cannot parse \"" + std::string(text) + "\" to a valid timestamp");
}

Result<Millis> ParseApiDuration(std::string_view text) {
  if (const auto seconds = ParseDouble(text)) {
    const double millis = *seconds * 1000;
    if (!(std::fabs(millis) < kMaxMillis / 1e6)) {
      return Invalid("cannot parse \"" + std::string(text) +
                     "\" to a valid duration. It overflows int64");
    }
    return Millis(static_cast<std::int64_t>(std::round(millis)));
  }
  if (const auto duration = ParseDuration(text); duration.ok()) return *duration;
  return Invalid("cannot parse \"" + std::string(text) + "\" to a valid duration");
}

RangeParameters ParseApiRange(const Request& request) {
  RangeParameters found;
  found.range.from_ms = std::numeric_limits<std::int64_t>::min();
  found.range.to_ms = std::numeric_limits<std::int64_t>::max();
  for (const std::string_view name : {"start", "end"}) {
    const auto text = request.Param(name);
    if (!text || text->empty()) continue;
    const auto time = ParseApiTime(*text);
    if (!time.ok()) {
      found.wrong = name;
      found.error = time.error();
      return found;
    }
    (name == "start" ? found.range.from_ms : found.range.to_ms) = *time;
  }
  if (found.range.to_ms < found.range.from_ms) {
    found.wrong = "end";
    found.error = Invalid("end timestamp must not be before start time");
  }
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
  if (!limit) return Invalid("cannot parse \"" + *text + "\" to a valid limit");
  if (*limit < 0) return Invalid("limit must be non-negative");
  return static_cast<std::size_t>(*limit);
}

}  // namespace tocsin::api
