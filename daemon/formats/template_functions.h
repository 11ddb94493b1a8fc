#pragma once

// The template functions that Prometheus' rule templates and Alertmanager's
// notification templates share. Each room adds its own (query, toJson, …) to the
// table it gets here.

#include <string>
#include <string_view>

#include "daemon/base/result.h"
#include "daemon/formats/go_template_value.h"

namespace tocsin::formats {

// toUpper toLower title match reReplaceAll stripPort stripDomain safeHtml
// urlQueryEscape humanize humanize1024 humanizeDuration humanizePercentage
// humanizeTimestamp toTime toDuration parseDuration: as Prometheus documents them.
GoFunctions CommonTemplateFunctions();

// 1234567 → "1.235M"; as Prometheus prints it.
std::string Humanize(double value);
std::string Humanize1024(double value);
std::string HumanizeDuration(double seconds);
std::string HumanizePercentage(double ratio);

// Regular-expression replacement over the whole text; $1 and ${name} refer to groups.
// Errors: kInvalidArgument for a bad expression.
Result<std::string> ReplaceAllRegex(std::string_view pattern, std::string_view replacement,
                                    std::string_view text);

// The first letter of each word in upper case.
std::string TitleCase(std::string_view text);

// Go's url.QueryEscape: space becomes "+".
std::string UrlQueryEscape(std::string_view text);

// A number or a text that is one, as the functions above accept it.
// Errors: kInvalidArgument.
Result<double> ToNumber(const GoValue& value);

}  // namespace tocsin::formats
