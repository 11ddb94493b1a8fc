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

// How many codes need each width.
class WidthCounts {
 public:
  WidthCounts(const std::uint64_t* codes, std::size_t count) {
    // In turns: counting the same width again waits for the count before.
    for (std::size_t i = 0; i < count; ++i) {
      ++counts_[i % kTurns][static_cast<std::size_t>(BitWidth(codes[i]))];
    }
  }
  std::size_t Of(int width) const {
    std::size_t count = 0;
    for (const auto& counts : counts_) count += counts[static_cast<std::size_t>(width)];
    return count;
  }

 private:
  static constexpr std::size_t kTurns = 4;
  static_assert(kMaxColumnValues <= UINT8_MAX);
  std::array<std::array<std::uint8_t, kWordBits + 1>, kTurns> counts_{};
};

struct Width {
  int bits = 0;
  std::size_t exceptions = 0;
};

// The width that makes packed values and exceptions together smallest.
Width CheapestWidth(const std::uint64_t* codes, std::size_t count) {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < count; ++i) all |= codes[i];
  const int widest = BitWidth(all);
  const auto packed = [count](int width) { return (count * width + 7) / 8; };
  Width best{widest > kWidestLoad ? kWordBits : widest, 0};
  std::size_t best_bytes = packed(best.bits);
  constexpr std::size_t kExtrasBytes = 2;
  if (best_bytes <= kExtrasBytes) return best;
  const WidthCounts of_width(codes, count);
  std::size_t exceptions = 0;
  std::size_t exception_bytes = kExtrasBytes;
  for (int width = widest - 1; width >= 0; --width) {
    const std::size_t wider = of_width.Of(width + 1);
    exceptions += wider;
    exception_bytes += wider * (1 + VarintBytes(width + 1));
    if (exception_bytes >= best_bytes) break;
    const int usable = width > kWidestLoad ? kWordBits : width;
    if (packed(usable) + exception_bytes < best_bytes) {
      best = {usable, usable == kWordBits ? 0 : exceptions};
      best_bytes = packed(usable) + exception_bytes;
    }
  }
  return best;
}

// Packs the codes behind those that `out` ends with, `packed_before` of the same width.
void Pack(const std::uint64_t* codes, std::size_t count, int width, std::size_t packed_before,
          std::string& out) {
  if (width == 0) return;
  if (width == kWordBits) {
    out.append(reinterpret_cast<const char*>(codes), count * sizeof(codes[0]));
    return;
  }
  const auto bits = static_cast<std::size_t>(width);
  const std::size_t begin = out.size() - (packed_before * bits + 7) / 8;
  const std::size_t size = ((packed_before + count) * bits + 7) / 8;
  out.resize(begin + size + sizeof(std::uint64_t));  // Room for the last whole word.
  char* packed = out.data() + begin;
  std::size_t bit = packed_before * bits;
  for (std::size_t i = 0; i < count; ++i, bit += bits) {
    if (BitWidth(codes[i]) > width) continue;  // An exception: zero in its place.
    std::uint64_t word;
    std::memcpy(&word, packed + bit / 8, sizeof(word));
    word |= codes[i] << (bit % 8);
    std::memcpy(packed + bit / 8, &word, sizeof(word));
  }
  out.resize(begin + size);
}

// put(i, code) for the codes first to last - 1, i counted from 0.
template <class Put>
void Unpack(std::string_view packed, std::size_t first, std::size_t last, int width, Put put) {
  const std::uint64_t mask =
      width == kWordBits ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
  const auto bits = static_cast<std::size_t>(width);
  std::size_t whole = first;  // Up to here the 8-byte load ends within `packed`.
  if (packed.size() >= sizeof(std::uint64_t) && width > 0) {
    const std::size_t loads = ((packed.size() - sizeof(std::uint64_t)) * 8 + 7) / bits + 1;
    whole = std::clamp(loads, first, last);
  }
  std::size_t bit = first * bits;
  for (std::size_t i = first; i < whole; ++i, bit += bits) {
    std::uint64_t word;
    std::memcpy(&word, packed.data() + bit / 8, sizeof(word));
    put(i - first, (word >> (bit % 8)) & mask);
  }
  for (std::size_t i = whole; i < last; ++i, bit += bits) {
    std::uint64_t word = 0;
    std::memcpy(&word, packed.data() + bit / 8, std::min(sizeof(word), packed.size() - bit / 8));
    put(i - first, (word >> (bit % 8)) & mask);
  }
}

// A column but for its packed values.
struct ColumnHead {
  std::int64_t reference = 0;
  int width = 0;
  int shift = 0;
  std::size_t exceptions = 0;
  std::string_view exception_bytes;
  std::string_view packed;
};

bool ReadHead(ColumnKind kind, ByteReader& reader, std::size_t count, ColumnHead& head) {
  if (kind == ColumnKind::kSigned) head.reference = UnZigZag(reader.Varint());
  const auto width = reader.ReadWord<std::uint8_t>();
  head.width = width & ~kHasExtras;
  if ((width & kHasExtras) != 0) {
    head.shift = reader.ReadWord<std::uint8_t>();
    head.exceptions = reader.ReadWord<std::uint8_t>();
    if (head.shift >= kWordBits || head.exceptions > count) return false;
    const char* begin = reader.at();
    for (std::size_t i = 0; i < head.exceptions; ++i) {
      if (reader.ReadWord<std::uint8_t>() >= count) return false;
      reader.Varint();
    }
    head.exception_bytes = {begin, static_cast<std::size_t>(reader.at() - begin)};
  }
  if (head.width > kWidestLoad && head.width != kWordBits) return false;
  head.packed = reader.Bytes((count * static_cast<std::size_t>(head.width) + 7) / 8);
  return reader.ok();
}

}  // namespace

void EncodeColumn(ColumnKind kind, const std::int64_t* values, std::size_t count,
                  std::string& out) {
  const bool is_signed = kind == ColumnKind::kSigned;
  std::int64_t reference = 0;
  if (is_signed) {
    reference = count == 0 ? 0 : NearMedian(values, count);
    PutVarint(ZigZag(reference), out);
  }
  std::array<std::uint64_t, kMaxColumnValues> codes;
  std::uint64_t any = 0;
  for (std::size_t i = 0; i < count; ++i) {
    codes[i] = static_cast<std::uint64_t>(WrappingSubtract(values[i], reference));
    any |= codes[i];
  }
  if (any == 0) {  // All the same, as the times of a steady poll are.
    out.push_back(0);
    return;
  }
  const int shift = std::countr_zero(any);
  for (std::size_t i = 0; i < count; ++i) {
    codes[i] = is_signed ? ZigZag(static_cast<std::int64_t>(codes[i]) >> shift) : codes[i] >> shift;
  }
  const Width width = CheapestWidth(codes.data(), count);
  const bool extras = shift != 0 || width.exceptions != 0;
  out.push_back(static_cast<char>(width.bits | (extras ? kHasExtras : 0)));
  if (extras) {
    out.push_back(static_cast<char>(shift));
    out.push_back(static_cast<char>(width.exceptions));
    for (std::size_t i = 0; width.exceptions != 0 && i < count; ++i) {
      if (BitWidth(codes[i]) <= width.bits) continue;
      out.push_back(static_cast<char>(i));
      PutVarint(codes[i], out);
    }
  }
  Pack(codes.data(), count, width.bits, 0, out);
}

bool ExtendColumn(ColumnKind kind, ByteReader& reader, std::size_t old_count,
                  const std::int64_t* values, std::size_t count, std::string& out) {
  ColumnHead head;
  if (!ReadHead(kind, reader, old_count, head)) return false;
  const bool is_signed = kind == ColumnKind::kSigned;
  std::array<std::uint64_t, kMaxColumnValues> codes;
  std::size_t exceptions = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto difference = static_cast<std::uint64_t>(WrappingSubtract(values[i], head.reference));
    if ((difference & ((std::uint64_t{1} << head.shift) - 1)) != 0) return false;
    codes[i] = is_signed ? ZigZag(static_cast<std::int64_t>(difference) >> head.shift)
                         : difference >> head.shift;
    exceptions += BitWidth(codes[i]) > head.width ? 1 : 0;
  }
  // With more the column has changed its nature.
  if (exceptions * 2 > count || head.exceptions + exceptions > UINT8_MAX) return false;
  if (is_signed) PutVarint(ZigZag(head.reference), out);
  const bool extras = head.shift != 0 || head.exceptions + exceptions != 0;
  out.push_back(static_cast<char>(head.width | (extras ? kHasExtras : 0)));
  if (extras) {
    out.push_back(static_cast<char>(head.shift));
    out.push_back(static_cast<char>(head.exceptions + exceptions));
    out.append(head.exception_bytes);
    for (std::size_t i = 0; exceptions != 0 && i < count; ++i) {
      if (BitWidth(codes[i]) <= head.width) continue;
      out.push_back(static_cast<char>(old_count + i));
      PutVarint(codes[i], out);
    }
  }
  out.append(head.packed);
  Pack(codes.data(), count, head.width, old_count, out);
  return true;
}

bool DecodeConstantColumn(ByteReader& reader, std::int64_t& value) {
  ByteReader ahead = reader;
  const std::int64_t reference = UnZigZag(ahead.Varint());
  if (ahead.ReadWord<std::uint8_t>() != 0 || !ahead.ok()) return false;
  value = reference;
  reader = ahead;
  return true;
}

bool DecodeColumn(ColumnKind kind, ByteReader& reader, std::size_t count, std::size_t first,
                  std::size_t last, std::int64_t* values) {
  const bool is_signed = kind == ColumnKind::kSigned;
  ColumnHead head;
  if (!ReadHead(kind, reader, count, head)) return false;
  const std::int64_t reference = head.reference;
  const int shift = head.shift;
  const auto signed_value = [reference, shift](std::uint64_t code) {
    const std::uint64_t difference = static_cast<std::uint64_t>(UnZigZag(code)) << shift;
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(reference) + difference);
  };
  if (head.width == 0) {
    std::fill(values, values + (last - first), reference);
  } else if (is_signed) {
    Unpack(head.packed, first, last, head.width,
           [&](std::size_t i, std::uint64_t code) { values[i] = signed_value(code); });
  } else {
    Unpack(head.packed, first, last, head.width, [&](std::size_t i, std::uint64_t code) {
      values[i] = static_cast<std::int64_t>(code << shift);
    });
  }
  ByteReader exceptions(head.exception_bytes);
  for (std::size_t i = 0; i < head.exceptions; ++i) {
    const std::size_t at = exceptions.ReadWord<std::uint8_t>();
    const std::uint64_t code = exceptions.Varint();
    if (at < first || at >= last) continue;
    values[at - first] = is_signed ? signed_value(code) : static_cast<std::int64_t>(code << shift);
  }
  return true;
}

}  // namespace tocsin::store
