#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace tocsin::demo {

// Characters of a UTF-8 text: its bytes without the continuation bytes.
inline std::size_t CharacterCount(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
  }));
}

}  // namespace tocsin::demo
