#include "daemon/base/base64.h"

#include <algorithm>
#include <cstdint>

namespace tocsin {
namespace {

std::string_view DigitsOf(Base64Alphabet alphabet) {
  return alphabet == Base64Alphabet::kUrl
             ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
             : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

}  // namespace

std::string EncodeBase64(std::string_view bytes, Base64Alphabet alphabet) {
  const std::string_view digits = DigitsOf(alphabet);
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (int j = 0; j < 4; ++j) out += digits[group >> (18 - 6 * j) & 63];
    for (std::size_t j = bytes.size() - i; j < 3; ++j) out[out.size() - (3 - j)] = '=';
  }
  return out;
}

Result<std::string> DecodeBase64(std::string_view text, Base64Alphabet alphabet) {
  const std::string_view digits = DigitsOf(alphabet);
  const auto wrong = [](std::size_t at) {
    return Error{ErrorCode::kInvalidArgument,
                 "illegal base64 data at input byte " + std::to_string(at)};
  };
  const std::size_t end = std::min(text.find('='), text.size());
  std::string out;
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < end; ++i) {
    const std::size_t digit = digits.find(text[i]);
    if (digit == digits.npos) return wrong(i);
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    // Each digit but the first of four completes a byte.
    if (i % 4 != 0) out += static_cast<char>(bits >> (2 * (3 - i % 4)) & 0xFF);
  }
  const bool is_padded = text.size() % 4 == 0 && text.size() - end <= 2 &&
                         text.find_first_not_of('=', end) == text.npos;
  if (!is_padded) return wrong(end);
  return out;
}

}  // namespace tocsin
