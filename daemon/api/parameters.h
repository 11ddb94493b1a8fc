#pragma once

// What query endpoints read from a request: times, durations, selectors. Errors
// carry Prometheus' texts, ready for InvalidParameter().

#include <optional>
#include <string_view>
#include <vector>

#include "daemon/api/http_message.h"
#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/model/matcher.h"
#include "daemon/model/querier.h"

namespace tocsin::api {

// The answer to a form or a query string with a broken part, from the endpoints that
// refuse those.
std::optional<Response> BrokenForm(const Request& request);

// Unix seconds, as any float of Go's, or RFC 3339; to milliseconds.
Result<std::int64_t> ParseApiTime(std::string_view text);

// The parameter `name` as such a time; `otherwise` if it is absent or empty.
Result<std::int64_t> ParseApiTimeParameter(const Request& request, std::string_view name,
                                           std::int64_t otherwise);

// Seconds, as any float of Go's, or a Prometheus duration; to milliseconds, cut off.
Result<Millis> ParseApiDuration(std::string_view text);

// The parameters start and end; all of time if they are absent. A range may end
// before it starts: nothing is in it.
struct RangeParameters {
  model::TimeRange range;
  std::string_view wrong;  // Name of the parameter that is wrong, with `error`.
  Error error;
};
RangeParameters ParseApiRange(const Request& request);

// The match[] parameters, one set of matchers each.
Result<std::vector<std::vector<model::Matcher>>> ParseApiSelectors(const Request& request);

// `limit`: 0 or absent is no limit.
Result<std::size_t> ParseApiLimit(const Request& request);

// As Go's strconv.ParseBool: 1, t, T, true, True, TRUE and their opposites.
Result<bool> ParseApiBool(std::string_view text);

// `strconv.Atoi: parsing "x": invalid syntax`, or `value out of range`: how upstream refuses
// what is no number, or too large a one.
std::string NotANumber(std::string_view function, std::string_view text);

// A label name as paths spell it: U__ and _20_ for what URLs would twist (Prometheus'
// "values" escaping). Names spelled otherwise, and broken ones, stay as they are.
std::string UnescapeLabelName(const std::string& name);

}  // namespace tocsin::api
