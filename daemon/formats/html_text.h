#pragma once

// Text within HTML. A pure function.

#include <string>
#include <string_view>

namespace tocsin::formats {

// For text and quoted attributes, in the words of Go's html/template.
std::string EscapeHtml(std::string_view text);

}  // namespace tocsin::formats
