#pragma once

// How a value is printed within HTML. Internal to the template language.

#include <string>
#include <string_view>

namespace tocsin::formats {

// `value` escaped for the place behind `before`: for text and quoted attributes, and as
// an address if it begins the value of an attribute href or src.
std::string HtmlValue(std::string_view value, std::string_view before);

}  // namespace tocsin::formats
