#pragma once

// Colour, on a terminal only and only if NO_COLOR is not set (https://no-color.org).

#include <string>
#include <string_view>

namespace tocsin::app {

enum class Colour { kRed, kYellow, kGreen, kFaint, kBold };

// `text` in that colour on standard output, or plain where that is no terminal.
std::string InColour(Colour colour, std::string_view text);

}  // namespace tocsin::app
