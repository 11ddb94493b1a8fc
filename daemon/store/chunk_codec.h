#pragma once

// The bytes of a chunk: up to kMaxChunkSamples samples of one series.
//
//   varint count; zigzag varint first time (ms)
//   column of the times' deltas (see bit_column.h): polls at a steady interval
//     cost no bits, jittered ones the bits of their jitter
//   kind byte: representation and decimal exponent; patch count; patches
//   the values: as decimal integers (the last one and the deltas between them, or all
//     as they are, whichever is smaller) when all of them read back exactly from
//     value = integer / 10^k, else the last one and each one's XOR with the one before.
//     The last one, so that the newest samples, which are asked for most, are read
//     without those before them; older versions wrote the first one, which is read too
//
// A patch replaces one value by its 64 bits: NaN payloads, staleness markers,
// infinities and -0 in a series of decimals. Every bit of every double and every
// 64-bit time comes back. Pure functions.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/model/querier.h"

namespace tocsin::store {

inline constexpr std::size_t kMaxChunkSamples = 255;  // As many as a byte counts.

struct ChunkColumns {
  std::size_t count = 0;
  std::int64_t times_ms[kMaxChunkSamples];
  double values[kMaxChunkSamples];
};

// kSmallest tries every representation; kQuick is for bytes that are encoded again soon.
enum class Effort { kSmallest, kQuick };

// Replaces `out` with the encoding of `count` (1 to kMaxChunkSamples) samples,
// times ascending.
void EncodeChunk(const std::int64_t* times_ms, const double* values, std::size_t count,
                 std::string& out, Effort effort = Effort::kSmallest);

// Replaces `out` with `bytes`, an encoding of Effort::kQuick whose last sample is at
// `last_ms`, and `count` (1 or more) later samples behind it, without decoding it: in a
// fraction of the time, with about as many bytes. Returns false if they do not fit the encoding as
// it is, or not into a chunk: decode, and encode all anew.
bool ExtendChunk(std::string_view bytes, std::int64_t last_ms, const std::int64_t* times_ms,
                 const double* values, std::size_t count, std::string& out);

// Of undamaged bytes: their first and last time.
std::int64_t ChunkFirstTime(std::string_view bytes);
std::int64_t ChunkLastTime(std::string_view bytes);

// How many samples the bytes hold; 0 if they are damaged.
std::size_t ChunkSampleCount(std::string_view bytes);

// Decodes into arrays that hold kMaxChunkSamples. Returns the count, 0 if the
// bytes are damaged (detected as far as the format allows; disk rows carry a checksum).
std::size_t DecodeChunk(std::string_view bytes, std::int64_t* times_ms, double* values);

// Appends the samples within `range` to `out` and decodes little else. Returns false
// if the bytes, as far as they were read, are damaged.
bool ReadChunk(std::string_view bytes, model::TimeRange range, model::SampleColumns& out);

}  // namespace tocsin::store
