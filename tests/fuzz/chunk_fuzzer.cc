// Chunks: bytes that came from anywhere are decoded within bounds (first byte even), and
// any samples come back from their encoding bit by bit (odd: 16 bytes are a sample). The
// first byte also says which part is read by itself.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/check.h"
#include "daemon/store/chunk_codec.h"

namespace {

using namespace tocsin::store;  // NOLINT

struct Samples {
  std::array<std::int64_t, kMaxChunkSamples> times_ms{};
  std::array<double, kMaxChunkSamples> values{};
};

void CheckHolds(std::string_view encoded, const Samples& in, std::size_t count) {
  TOCSIN_CHECK(ChunkSampleCount(encoded) == count);
  Samples out;
  TOCSIN_CHECK(DecodeChunk(encoded, out.times_ms.data(), out.values.data()) == count);
  for (std::size_t i = 0; i < count; ++i) {
    TOCSIN_CHECK(in.times_ms[i] == out.times_ms[i]);
    TOCSIN_CHECK(std::bit_cast<std::uint64_t>(in.values[i]) ==
                 std::bit_cast<std::uint64_t>(out.values[i]));
  }
}

// A part of the chunk reads as the same samples of the whole.
void CheckPart(std::string_view encoded, const Samples& whole, std::size_t count,
               std::size_t first) {
  tocsin::model::SampleColumns part;
  TOCSIN_CHECK(ReadChunk(encoded, {whole.times_ms[first], whole.times_ms[count - 1]}, part));
  TOCSIN_CHECK(part.size() == count - first);
  for (std::size_t i = first; i < count; ++i) {
    TOCSIN_CHECK(std::bit_cast<std::uint64_t>(part.values[i - first]) ==
                 std::bit_cast<std::uint64_t>(whole.values[i]));
  }
}

void CheckEncoding(std::string_view bytes, std::size_t first) {
  constexpr std::size_t kSampleBytes = 16;
  const std::size_t count = std::min(bytes.size() / kSampleBytes, kMaxChunkSamples);
  if (count == 0) return;
  Samples in;
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(&in.times_ms[i], bytes.data() + i * kSampleBytes, 8);
    std::memcpy(&in.values[i], bytes.data() + i * kSampleBytes + 8, 8);
  }
  const auto end = in.times_ms.begin() + static_cast<std::ptrdiff_t>(count);
  std::sort(in.times_ms.begin(), end);
  if (std::adjacent_find(in.times_ms.begin(), end) != end) return;
  std::string encoded;
  EncodeChunk(in.times_ms.data(), in.values.data(), count, encoded);
  CheckHolds(encoded, in, count);
  CheckPart(encoded, in, count, first % count);
  // The same, the second half behind the first.
  const std::size_t half = count / 2;
  if (half == 0) return;
  EncodeChunk(in.times_ms.data(), in.values.data(), half, encoded, Effort::kQuick);
  std::string extended;
  if (ExtendChunk(encoded, in.times_ms[half - 1], &in.times_ms[half], &in.values[half],
                  count - half, extended)) {
    CheckHolds(extended, in, count);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 1) {
    CheckEncoding(bytes, data[0] / 2);
    return 0;
  }
  Samples out;
  const std::size_t count = DecodeChunk(bytes, out.times_ms.data(), out.values.data());
  TOCSIN_CHECK(count <= kMaxChunkSamples);
  TOCSIN_CHECK(count == 0 || count == ChunkSampleCount(bytes));
  if (count > 0) {
    tocsin::model::SampleColumns part;
    const std::int64_t from_ms = out.times_ms[data[0] / 2 % count];
    ReadChunk(bytes, {from_ms, std::numeric_limits<std::int64_t>::max()}, part);
    TOCSIN_CHECK(part.size() <= count);
  }
  return 0;
}
