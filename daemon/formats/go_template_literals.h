#pragma once

// Go's literals in a template's text: quoted strings, runes and numbers.
// Internal to the template language. Pure functions.

#include <optional>
#include <string>
#include <string_view>

#include "daemon/formats/go_template_value.h"

namespace tocsin::formats {

// "…" with Go's escapes, or `…` as it stands; nothing if it is malformed.
std::optional<std::string> UnquoteGo(std::string_view literal);

// An integer (decimal, 0x, 0o, 0b, underscores) or a float, as an untyped constant.
std::optional<GoValue> ParseGoNumber(std::string_view text);

// 'x' as the constant of its code point.
std::optional<GoValue> ParseGoRune(std::string_view literal);

}  // namespace tocsin::formats
