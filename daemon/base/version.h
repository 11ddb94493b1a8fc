#pragma once

// The program's version, as the build names it.

#include <string_view>

namespace tocsin {

std::string_view Version();

}  // namespace tocsin
