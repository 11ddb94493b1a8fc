#include "daemon/formats/letter_case.h"

#include <array>
#include <cstdint>

namespace tocsin::formats {
namespace {

// Lower-case letters from `first` to `last` whose upper case is `distance` below.
struct Range {
  std::uint32_t first;
  std::uint32_t last;
  std::uint32_t distance;
};

constexpr std::array<Range, 7> kRanges = {{
    {'a', 'z', 32},
    {0xE0, 0xF6, 32},  // Latin-1, without the division sign.
    {0xF8, 0xFE, 32},
    {0x3B1, 0x3C1, 32},  // Greek, without the final sigma.
    {0x3C3, 0x3C9, 32},
    {0x430, 0x44F, 32},  // Cyrillic.
    {0x450, 0x45F, 80},
}};

// In Latin Extended-A upper and lower case alternate, from even or from odd codes.
bool EvenUpper(std::uint32_t c) {
  return (c >= 0x100 && c <= 0x12F) || (c >= 0x132 && c <= 0x137) || (c >= 0x14A && c <= 0x177);
}
bool OddUpper(std::uint32_t c) { return (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E); }

std::uint32_t Upper(std::uint32_t c) {
  for (const Range& range : kRanges) {
    if (c >= range.first && c <= range.last) return c - range.distance;
  }
  if (EvenUpper(c)) return c & ~1U;
  if (OddUpper(c)) return c % 2 == 0 ? c - 1 : c;
  return c;
}

std::uint32_t Lower(std::uint32_t c) {
  for (const Range& range : kRanges) {
    const std::uint32_t lower = c + range.distance;
    if (lower >= range.first && lower <= range.last) return lower;
  }
  if (EvenUpper(c)) return c | 1U;
  if (OddUpper(c)) return c % 2 == 1 ? c + 1 : c;
  return c;
}

// The letters above are all of one or two bytes.
std::string Map(std::string_view text, std::uint32_t (*map)(std::uint32_t)) {
  std::string out(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto lead = static_cast<unsigned char>(out[i]);
    if (lead < 0x80) {
      out[i] = static_cast<char>(map(lead));
    } else if (lead >= 0xC2 && lead < 0xE0 && i + 1 < out.size()) {
      const auto next = static_cast<unsigned char>(out[i + 1]);
      const std::uint32_t code = map(((lead & 0x1FU) << 6) | (next & 0x3FU));
      if (code < 0x80) continue;
      out[i] = static_cast<char>(0xC0 | (code >> 6));
      out[i + 1] = static_cast<char>(0x80 | (code & 0x3F));
      ++i;
    }
  }
  return out;
}

}  // namespace

std::string UpperCase(std::string_view text) { return Map(text, Upper); }
std::string LowerCase(std::string_view text) { return Map(text, Lower); }

}  // namespace tocsin::formats
