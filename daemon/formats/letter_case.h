#pragma once

// Upper and lower case of UTF-8 text: ASCII, Latin, Greek and Cyrillic letters;
// others stay as they are. Independent of any locale. Pure functions.

#include <string>
#include <string_view>

namespace tocsin::formats {

std::string UpperCase(std::string_view text);
std::string LowerCase(std::string_view text);

}  // namespace tocsin::formats
