#pragma once

// Go's fmt verbs over GoValue: what printf, print and println of a template do.
// Wrong verbs and missing or extra arguments show in the text as Go shows them
// (`%!d(string=x)`), never as an error. Pure functions; thread-safe.

#include <span>
#include <string>
#include <string_view>

#include "daemon/formats/go_template_value.h"

namespace tocsin::formats {

// Widths and precisions above this are refused as `%!(BADWIDTH)`, as in Go.
inline constexpr int kMaxGoWidth = 1'000'000;

std::string GoSprintf(std::string_view format, std::span<const GoValue> args);

// Operands with spaces between those that are not both strings.
std::string GoSprint(std::span<const GoValue> args);
// Operands with spaces between all, and a line break.
std::string GoSprintln(std::span<const GoValue> args);

// `value` as Go's %v shows a float64: the shortest digits that read back the same,
// with an exponent below 1e-04 and from 1e+06 on.
std::string GoFloatText(double value);

// Go's double-quoted literal.
std::string GoQuote(std::string_view text);

}  // namespace tocsin::formats
