#pragma once

// What fits a parameter of a template's function, and what is said when nothing
// does. Internal to the template language. Pure functions.

#include <optional>
#include <string>

#include "daemon/formats/go_template_value.h"

namespace tocsin::formats {

// `value` as an argument of `type`, or nothing if it does not fit.
std::optional<GoValue> FitGoArgument(const GoValue& value, GoType type);

// Why not, in Go's words. `literal` is the constant as it is written, null if the
// value was computed; `nil`: the word nil stands there.
std::string MisfitText(const GoValue& value, GoType type, const std::string* literal, bool nil);

}  // namespace tocsin::formats
