#include "daemon/store/bit_column.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace tocsin::store {
namespace {

constexpr int kWordBits = 64;
constexpr int kWidestLoad = 57;  // A shifted value of this width lies within one 8-byte load.
constexpr std::uint8_t kHasExtras = 0x80;
constexpr std::size_t kMedianSamples = 9;

// The middle one of a few values spread over the column.
std::int64_t NearMedian(const std::int64_t* values, std::size_t count) {
  std::array<std::int64_t, kMedianSamples> picked{};
  const std::size_t picks = std::min(count, kMedianSamples);
  for (std::size_t i = 0; i < picks; ++i) picked[i] = values[i * count / picks];
  std::nth_element(picked.begin(), picked.begin() + picks / 2, picked.begin() + picks);
  return picked[picks / 2];
}

std::size_t VarintBytes(int bits) { return static_cast<std::size_t>(std::max(1, (bits + 6) / 7)); }

int BitWidth(std::uint64_t code) { return static_cast<int>(std::bit_width(code)); }

// The width that makes packed values and exceptions together smallest.
int CheapestWidth(const std::array<std::uint16_t, kWordBits + 1>& of_width, std::size_t count) {
  int widest = kWordBits;
  while (widest > 0 && of_width[widest] == 0) --widest;
  const auto packed = [count](int width) { return (count * width + 7) / 8; };
  int best = widest > kWidestLoad ? kWordBits : widest;
  std::size_t best_bytes = packed(best);
  std::size_t exception_bytes = 2;
  for (int width = widest - 1; width >= 0; --width) {
    exception_bytes += of_width[width + 1] * (1 + VarintBytes(width + 1));
    const int usable = width > kWidestLoad ? kWordBits : width;
    if (packed(usable) + exception_bytes < best_bytes) {
      best = usable;
      best_bytes = packed(usable) + exception_bytes;
    }
  }
  return best;
}

void Pack(const std::uint64_t* codes, std::size_t count, int width, std::string& out) {
  if (width == 0) return;
  if (width == kWordBits) {
    out.append(reinterpret_cast<const char*>(codes), count * sizeof(codes[0]));
    return;
  }
  std::array<char, kMaxColumnValues * sizeof(std::uint64_t) + sizeof(std::uint64_t)> packed{};
  std::size_t bit = 0;
  for (std::size_t i = 0; i < count; ++i, bit += width) {
    if (BitWidth(codes[i]) > width) continue;  // An exception: zero in its place.
    std::uint64_t word;
    std::memcpy(&word, packed.data() + bit / 8, sizeof(word));
    word |= codes[i] << (bit % 8);
    std::memcpy(packed.data() + bit / 8, &word, sizeof(word));
  }
  out.append(packed.data(), (bit + 7) / 8);
}

void Unpack(std::string_view packed, std::uint64_t* codes, std::size_t count, int width) {
  if (width == 0) {
    std::fill(codes, codes + count, 0);
    return;
  }
  if (width == kWordBits) {
    std::memcpy(codes, packed.data(), count * sizeof(codes[0]));
    return;
  }
  const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
  std::size_t whole = 0;  // Values whose 8-byte load ends within `packed`.
  if (packed.size() >= sizeof(std::uint64_t)) {
    whole = std::min(count, ((packed.size() - sizeof(std::uint64_t)) * 8 + 7) / width + 1);
  }
  std::size_t bit = 0;
  for (std::size_t i = 0; i < whole; ++i, bit += width) {
    std::uint64_t word;
    std::memcpy(&word, packed.data() + bit / 8, sizeof(word));
    codes[i] = (word >> (bit % 8)) & mask;
  }
  for (std::size_t i = whole; i < count; ++i, bit += width) {
    std::uint64_t word = 0;
    std::memcpy(&word, packed.data() + bit / 8, std::min(sizeof(word), packed.size() - bit / 8));
    codes[i] = (word >> (bit % 8)) & mask;
  }
}

int CommonZeroBits(const std::uint64_t* codes, std::size_t count) {
  std::uint64_t any = 0;
  for (std::size_t i = 0; i < count; ++i) any |= codes[i];
  return any == 0 ? 0 : std::countr_zero(any);
}

}  // namespace

void EncodeColumn(ColumnKind kind, const std::int64_t* values, std::size_t count,
                  std::string& out) {
  std::array<std::uint64_t, kMaxColumnValues> codes;
  std::int64_t reference = 0;
  if (kind == ColumnKind::kSigned) {
    reference = count == 0 ? 0 : NearMedian(values, count);
    PutVarint(ZigZag(reference), out);
  }
  for (std::size_t i = 0; i < count; ++i) {
    codes[i] = static_cast<std::uint64_t>(WrappingSubtract(values[i], reference));
  }
  const int shift = CommonZeroBits(codes.data(), count);
  std::array<std::uint16_t, kWordBits + 1> of_width{};
  for (std::size_t i = 0; i < count; ++i) {
    codes[i] = kind == ColumnKind::kSigned ? ZigZag(static_cast<std::int64_t>(codes[i]) >> shift)
                                           : codes[i] >> shift;
    ++of_width[static_cast<std::size_t>(BitWidth(codes[i]))];
  }
  const int width = CheapestWidth(of_width, count);
  std::size_t exceptions = 0;
  for (int wider = width + 1; wider <= kWordBits; ++wider) {
    exceptions += of_width[static_cast<std::size_t>(wider)];
  }
  const bool extras = shift != 0 || exceptions != 0;
  out.push_back(static_cast<char>(width | (extras ? kHasExtras : 0)));
  if (extras) {
    out.push_back(static_cast<char>(shift));
    out.push_back(static_cast<char>(exceptions));
    for (std::size_t i = 0; exceptions != 0 && i < count; ++i) {
      if (BitWidth(codes[i]) <= width) continue;
      out.push_back(static_cast<char>(i));
      PutVarint(codes[i], out);
    }
  }
  Pack(codes.data(), count, width, out);
}

bool DecodeColumn(ColumnKind kind, ByteReader& reader, std::int64_t* values, std::size_t count) {
  const std::int64_t reference = kind == ColumnKind::kSigned ? UnZigZag(reader.Varint()) : 0;
  const auto head = reader.ReadWord<std::uint8_t>();
  const int width = head & ~kHasExtras;
  int shift = 0;
  std::size_t exceptions = 0;
  std::array<std::uint8_t, kMaxColumnValues> at;
  std::array<std::uint64_t, kMaxColumnValues> exact;
  if ((head & kHasExtras) != 0) {
    shift = reader.ReadWord<std::uint8_t>();
    exceptions = reader.ReadWord<std::uint8_t>();
    if (shift >= kWordBits || exceptions > count) return false;
    for (std::size_t i = 0; i < exceptions; ++i) {
      at[i] = reader.ReadWord<std::uint8_t>();
      exact[i] = reader.Varint();
      if (at[i] >= count) return false;
    }
  }
  if (width > kWidestLoad && width != kWordBits) return false;
  const std::string_view packed = reader.Bytes((count * static_cast<std::size_t>(width) + 7) / 8);
  if (!reader.ok()) return false;
  if (width == 0 && exceptions == 0) {
    std::fill(values, values + count, reference);
    return true;
  }
  auto* codes = reinterpret_cast<std::uint64_t*>(values);  // Signed and unsigned may alias.
  Unpack(packed, codes, count, width);
  for (std::size_t i = 0; i < exceptions; ++i) codes[at[i]] = exact[i];
  if (kind == ColumnKind::kUnsigned) {
    for (std::size_t i = 0; i < count; ++i) codes[i] <<= shift;
    return true;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto difference = static_cast<std::uint64_t>(UnZigZag(codes[i])) << shift;
    codes[i] = static_cast<std::uint64_t>(reference) + difference;
  }
  return true;
}

}  // namespace tocsin::store
