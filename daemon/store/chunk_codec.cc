#include "daemon/store/chunk_codec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "daemon/base/check.h"
#include "daemon/store/bit_column.h"
#include "daemon/store/decimals.h"
#include "daemon/store/varint.h"

namespace tocsin::store {
namespace {

// How the values are written. kDelta and kXor say the last value, and the way back to the
// first; the two others that older versions wrote say the first one and the way on.
enum class ValueKind : std::uint8_t {
  kDecimal = 0,
  kDeltaFromFirst = 1,
  kXorFromFirst = 2,
  kXor = 3,
  kDelta = 0x81,
};

// The byte before the values: kind and, of decimals, the exponent.
struct ValuesHead {
  static constexpr std::uint8_t kKindMask = 0x83;
  static constexpr int kExponentShift = 2;

  ValueKind kind = ValueKind::kDecimal;
  int exponent = 0;

  char Byte() const {
    return static_cast<char>(static_cast<int>(kind) | exponent << kExponentShift);
  }
  static ValuesHead Of(std::uint8_t byte) {
    return {static_cast<ValueKind>(byte & kKindMask), (byte & ~kKindMask) >> kExponentShift};
  }
};

constexpr std::size_t kPatchBytes = 1 + sizeof(double);

using Integers = std::array<std::int64_t, kMaxChunkSamples>;

void PutDecimals(const double* values, std::size_t count, const Decimals& decimals, Effort effort,
                 std::string& out) {
  const std::size_t start = out.size();
  const auto put_patches = [&] {
    out.push_back(static_cast<char>(decimals.patch_count));
    for (std::size_t i = 0; i < decimals.patch_count; ++i) {
      out.push_back(static_cast<char>(decimals.patched[i]));
      PutWord(values[decimals.patched[i]], out);
    }
  };
  out.push_back(ValuesHead{ValueKind::kDelta, decimals.exponent}.Byte());
  put_patches();
  Integers deltas;
  for (std::size_t i = 1; i < count; ++i) {
    deltas[i - 1] = WrappingSubtract(decimals.integers[i], decimals.integers[i - 1]);
  }
  PutVarint(ZigZag(decimals.integers[count - 1]), out);
  EncodeColumn(ColumnKind::kSigned, deltas.data(), count - 1, out);

  if (effort == Effort::kQuick) return;
  std::string plain;
  plain.reserve(out.size() - start);
  std::swap(out, plain);  // `put_patches` appends to `out`.
  out.push_back(ValuesHead{ValueKind::kDecimal, decimals.exponent}.Byte());
  put_patches();
  EncodeColumn(ColumnKind::kSigned, decimals.integers.data(), count, out);
  std::swap(out, plain);
  if (plain.size() < out.size() - start) out.replace(start, std::string::npos, plain);
}

void PutXor(const double* values, std::size_t count, std::string& out) {
  out.push_back(ValuesHead{ValueKind::kXor}.Byte());
  PutWord(values[count - 1], out);
  Integers differences;
  for (std::size_t i = 1; i < count; ++i) {
    differences[i - 1] = static_cast<std::int64_t>(std::bit_cast<std::uint64_t>(values[i]) ^
                                                   std::bit_cast<std::uint64_t>(values[i - 1]));
  }
  EncodeColumn(ColumnKind::kUnsigned, differences.data(), count - 1, out);
}

// Which values of a chunk are wanted: first to last - 1.
struct Wanted {
  std::size_t first = 0;
  std::size_t last = 0;
};

struct DeltaSteps {
  static constexpr ColumnKind kColumn = ColumnKind::kSigned;
  static std::int64_t On(std::int64_t value, std::int64_t step) { return WrappingAdd(value, step); }
  static std::int64_t Back(std::int64_t value, std::int64_t step) {
    return WrappingSubtract(value, step);
  }
};

struct XorSteps {
  static constexpr ColumnKind kColumn = ColumnKind::kUnsigned;
  static std::int64_t On(std::int64_t value, std::int64_t step) { return value ^ step; }
  static std::int64_t Back(std::int64_t value, std::int64_t step) { return value ^ step; }
};

// The wanted ones of `count` values, of which the last or the first is `whole` and the
// others come as a column of steps from each to the next.
template <class Steps>
bool DecodeSteps(ByteReader& reader, std::size_t count, Wanted wanted, bool from_first,
                 std::int64_t whole, std::int64_t* values) {
  Integers steps;
  const std::size_t before = from_first ? 0 : wanted.first;  // Steps that are not decoded.
  if (!DecodeColumn(Steps::kColumn, reader, count - 1, before, count - 1, steps.data())) {
    return false;
  }
  std::int64_t value = whole;
  for (std::size_t i = 0; from_first && i + 1 < count; ++i) value = Steps::On(value, steps[i]);
  std::size_t at = count - 1;
  for (; at >= wanted.last; --at) value = Steps::Back(value, steps[at - 1 - before]);
  for (; at > wanted.first; --at) {
    values[at - wanted.first] = value;
    value = Steps::Back(value, steps[at - 1 - before]);
  }
  values[0] = value;
  return true;
}

bool DecodeXor(ValuesHead head, ByteReader& reader, std::size_t count, Wanted wanted,
               double* values) {
  const auto whole = reader.ReadWord<std::int64_t>();
  Integers words;
  if (!DecodeSteps<XorSteps>(reader, count, wanted, head.kind == ValueKind::kXorFromFirst, whole,
                             words.data())) {
    return false;
  }
  for (std::size_t i = 0; i < wanted.last - wanted.first; ++i) {
    values[i] = std::bit_cast<double>(words[i]);
  }
  return true;
}

// The wanted integers, into integers[0], integers[1], …
bool DecodeIntegers(ValuesHead head, ByteReader& reader, std::size_t count, Wanted wanted,
                    Integers& integers) {
  if (head.kind == ValueKind::kDecimal) {
    return DecodeColumn(ColumnKind::kSigned, reader, count, wanted.first, wanted.last,
                        integers.data());
  }
  const std::int64_t whole = UnZigZag(reader.Varint());
  return DecodeSteps<DeltaSteps>(reader, count, wanted, head.kind == ValueKind::kDeltaFromFirst,
                                 whole, integers.data());
}

bool DecodeDecimals(ValuesHead head, ByteReader& reader, std::size_t count, Wanted wanted,
                    double* values) {
  if (head.exponent > kMaxExponent) return false;
  const std::size_t patch_count = reader.ReadWord<std::uint8_t>();
  ByteReader patches(reader.Bytes(patch_count * kPatchBytes));
  Integers integers;
  if (!DecodeIntegers(head, reader, count, wanted, integers)) return false;
  const std::size_t size = wanted.last - wanted.first;
  if (head.exponent == 0) {
    for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<double>(integers[i]);
  } else {
    const double divisor = kPowersOfTen[static_cast<std::size_t>(head.exponent)];
    for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<double>(integers[i]) / divisor;
  }
  for (std::size_t i = 0; i < patch_count; ++i) {
    const std::size_t index = patches.ReadWord<std::uint8_t>();
    const auto value = patches.ReadWord<std::uint64_t>();
    if (index >= count) return false;
    if (index < wanted.first || index >= wanted.last) continue;
    values[index - wanted.first] = std::bit_cast<double>(value);
  }
  return patches.ok() && reader.ok();
}

// The decimals of one chunk, and of the samples that come behind it.
bool ExtendDecimals(ByteReader& reader, std::size_t old_count, int exponent, const double* values,
                    std::size_t count, std::string& out) {
  const std::size_t old_patches = reader.ReadWord<std::uint8_t>();
  const std::string_view patches = reader.Bytes(old_patches * kPatchBytes);
  if (exponent > kMaxExponent) return false;
  std::int64_t before = UnZigZag(reader.Varint());
  Integers deltas;
  std::string_view added;
  std::array<char, kPatchBytes * kMaxChunkSamples> added_bytes;
  for (std::size_t i = 0; i < count; ++i) {
    std::int64_t integer = before;
    if (!DecimalOf(values[i], exponent, integer)) {
      if (std::isfinite(values[i])) return false;  // It may be one with another exponent.
      char* patch = added_bytes.data() + added.size();
      *patch = static_cast<char>(old_count + i);
      std::memcpy(patch + 1, &values[i], sizeof(values[i]));
      added = {added_bytes.data(), added.size() + kPatchBytes};
      integer = before;
    }
    deltas[i] = WrappingSubtract(integer, before);
    before = integer;
  }
  const std::size_t patch_count = old_patches + added.size() / kPatchBytes;
  if (patch_count > (old_count + count) / kSamplesPerPatch + 1) return false;
  out.push_back(static_cast<char>(patch_count));
  out.append(patches);
  out.append(added);
  PutVarint(ZigZag(before), out);
  return ExtendColumn(ColumnKind::kSigned, reader, old_count - 1, deltas.data(), count, out);
}

bool ExtendXor(ByteReader& reader, std::size_t old_count, const double* values, std::size_t count,
               std::string& out) {
  auto before = reader.ReadWord<std::uint64_t>();
  PutWord(values[count - 1], out);
  Integers differences;
  for (std::size_t i = 0; i < count; ++i) {
    const auto word = std::bit_cast<std::uint64_t>(values[i]);
    differences[i] = static_cast<std::int64_t>(word ^ before);
    before = word;
  }
  return ExtendColumn(ColumnKind::kUnsigned, reader, old_count - 1, differences.data(), count, out);
}

// The count; 0 if the bytes are damaged.
std::size_t DecodeTimes(ByteReader& reader, std::int64_t* times_ms) {
  const auto count = static_cast<std::size_t>(reader.Varint());
  if (!reader.ok() || count == 0 || count > kMaxChunkSamples) return 0;
  times_ms[0] = UnZigZag(reader.Varint());
  if (!DecodeColumn(ColumnKind::kSigned, reader, count - 1, 0, count - 1, times_ms + 1)) return 0;
  for (std::size_t i = 1; i < count; ++i) times_ms[i] = WrappingAdd(times_ms[i], times_ms[i - 1]);
  return count;
}

// Times at one distance, as those of a steady poll are.
struct Grid {
  std::int64_t first_ms = 0;
  std::int64_t step_ms = 0;
  std::size_t count = 0;

  std::int64_t At(std::size_t index) const {
    return first_ms + static_cast<std::int64_t>(index) * step_ms;
  }
  // How many times are before `time_ms`.
  std::size_t Before(std::int64_t time_ms) const {
    if (time_ms <= first_ms) return 0;
    const auto past = static_cast<std::uint64_t>(time_ms) - static_cast<std::uint64_t>(first_ms);
    return std::min<std::size_t>(count, (past - 1) / static_cast<std::uint64_t>(step_ms) + 1);
  }
  Wanted Within(model::TimeRange range) const {
    const bool open_end = range.to_ms == std::numeric_limits<std::int64_t>::max();
    return {Before(range.from_ms), open_end ? count : Before(range.to_ms + 1)};
  }
};

// Reads the times if they are a grid that overflows nowhere; else returns false.
bool DecodeGrid(ByteReader& reader, Grid& grid) {
  grid.count = static_cast<std::size_t>(reader.Varint());
  grid.first_ms = UnZigZag(reader.Varint());
  if (grid.count < 2 || grid.count > kMaxChunkSamples) return false;
  if (!DecodeConstantColumn(reader, grid.step_ms) || grid.step_ms <= 0) return false;
  std::int64_t span_ms = 0;
  std::int64_t last_ms = 0;
  return !__builtin_mul_overflow(grid.step_ms, grid.count - 1, &span_ms) &&
         !__builtin_add_overflow(grid.first_ms, span_ms, &last_ms);
}

// Requires: DecodeTimes() has been read and something is wanted.
bool DecodeValues(ByteReader& reader, std::size_t count, Wanted wanted, double* values) {
  const auto head = ValuesHead::Of(reader.ReadWord<std::uint8_t>());
  bool decoded = false;
  switch (head.kind) {
    case ValueKind::kDecimal:
    case ValueKind::kDeltaFromFirst:
    case ValueKind::kDelta: decoded = DecodeDecimals(head, reader, count, wanted, values); break;
    case ValueKind::kXorFromFirst:
    case ValueKind::kXor: decoded = DecodeXor(head, reader, count, wanted, values); break;
  }
  return decoded && reader.done();
}

// As DecodeValues, onto the end of `out`'s values.
bool AppendValues(ByteReader& reader, std::size_t count, Wanted wanted, model::SampleColumns& out) {
  double values[kMaxChunkSamples];
  if (!DecodeValues(reader, count, wanted, values)) return false;
  out.values.insert(out.values.end(), values, values + (wanted.last - wanted.first));
  return true;
}

}  // namespace

void EncodeChunk(const std::int64_t* times_ms, const double* values, std::size_t count,
                 std::string& out, Effort effort) {
  TOCSIN_CHECK(count >= 1 && count <= kMaxChunkSamples);
  out.clear();
  PutVarint(count, out);
  PutVarint(ZigZag(times_ms[0]), out);
  Integers deltas;
  for (std::size_t i = 1; i < count; ++i) {
    deltas[i - 1] = WrappingSubtract(times_ms[i], times_ms[i - 1]);
  }
  EncodeColumn(ColumnKind::kSigned, deltas.data(), count - 1, out);
  Decimals decimals;
  if (ToDecimals(values, count, decimals)) {
    PutDecimals(values, count, decimals, effort, out);
  } else {
    PutXor(values, count, out);
  }
}

bool ExtendChunk(std::string_view bytes, std::int64_t last_ms, const std::int64_t* times_ms,
                 const double* values, std::size_t count, std::string& out) {
  ByteReader reader(bytes);
  const auto old_count = static_cast<std::size_t>(reader.Varint());
  if (!reader.ok() || old_count == 0 || old_count + count > kMaxChunkSamples) return false;
  out.clear();
  PutVarint(old_count + count, out);
  PutVarint(reader.Varint(), out);  // The first time.
  Integers deltas;
  std::int64_t before_ms = last_ms;
  for (std::size_t i = 0; i < count; ++i) {
    deltas[i] = WrappingSubtract(times_ms[i], before_ms);
    before_ms = times_ms[i];
  }
  if (!ExtendColumn(ColumnKind::kSigned, reader, old_count - 1, deltas.data(), count, out)) {
    return false;
  }
  const auto head = ValuesHead::Of(reader.ReadWord<std::uint8_t>());
  out.push_back(head.Byte());
  bool extended = false;
  switch (head.kind) {
    case ValueKind::kXor: extended = ExtendXor(reader, old_count, values, count, out); break;
    case ValueKind::kDelta:
      extended = ExtendDecimals(reader, old_count, head.exponent, values, count, out);
      break;
    default: break;  // Not of Effort::kQuick.
  }
  return extended && reader.done();
}

std::int64_t ChunkFirstTime(std::string_view bytes) {
  ByteReader reader(bytes);
  reader.Varint();
  return UnZigZag(reader.Varint());
}

std::int64_t ChunkLastTime(std::string_view bytes) {
  ByteReader reader(bytes);
  std::int64_t times_ms[kMaxChunkSamples];
  const std::size_t count = DecodeTimes(reader, times_ms);
  TOCSIN_CHECK(count > 0);
  return times_ms[count - 1];
}

std::size_t ChunkSampleCount(std::string_view bytes) {
  ByteReader reader(bytes);
  const std::uint64_t count = reader.Varint();
  return reader.ok() && count <= kMaxChunkSamples ? static_cast<std::size_t>(count) : 0;
}

std::size_t DecodeChunk(std::string_view bytes, std::int64_t* times_ms, double* values) {
  ByteReader reader(bytes);
  const std::size_t count = DecodeTimes(reader, times_ms);
  return count != 0 && DecodeValues(reader, count, {0, count}, values) ? count : 0;
}

bool ReadChunk(std::string_view bytes, model::TimeRange range, model::SampleColumns& out) {
  ByteReader reader(bytes);
  if (Grid grid; DecodeGrid(reader, grid)) {
    const Wanted wanted = grid.Within(range);
    if (wanted.first >= wanted.last) return true;
    if (!AppendValues(reader, grid.count, wanted, out)) return false;
    for (std::size_t i = wanted.first; i < wanted.last; ++i) out.times_ms.push_back(grid.At(i));
    return true;
  }
  reader = ByteReader(bytes);
  std::int64_t times_ms[kMaxChunkSamples];
  const std::size_t count = DecodeTimes(reader, times_ms);
  if (count == 0) return false;
  const std::int64_t* begin = times_ms;
  const std::int64_t* first = std::lower_bound(begin, begin + count, range.from_ms);
  const std::int64_t* last = std::upper_bound(first, begin + count, range.to_ms);
  if (first == last) return true;
  const Wanted wanted{static_cast<std::size_t>(first - begin),
                      static_cast<std::size_t>(last - begin)};
  if (!AppendValues(reader, count, wanted, out)) return false;
  out.times_ms.insert(out.times_ms.end(), first, last);
  return true;
}

}  // namespace tocsin::store
