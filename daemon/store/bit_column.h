#pragma once

// A column of whole numbers in few bits: each value is its difference from one
// reference, shifted right by the zero bits that all have in common, in a fixed
// width; the few that need more stand beside as exceptions. Unlike a bit stream
// of variable codes it decodes without a branch per value.
//
//   reference (zigzag varint; signed columns only)
//   width byte; bit 7: a shift byte and an exception count follow
//   per exception: index byte, varint
//   values × width bits, little-endian, padded to a byte

#include <cstddef>
#include <cstdint>
#include <string>

#include "daemon/store/varint.h"

namespace tocsin::store {

inline constexpr std::size_t kMaxColumnValues = 255;

// kSigned: differences from a reference near the median, zigzag. kUnsigned: the
// bits as they are (differences by XOR).
enum class ColumnKind { kSigned, kUnsigned };

// Appends `count` ≤ kMaxColumnValues values to `out`.
void EncodeColumn(ColumnKind kind, const std::int64_t* values, std::size_t count, std::string& out);

// Appends to `out` the column of `old_count` values that comes next, with `count` more at
// its end, without decoding it. Returns false if they do not fit the column as it is:
// `out` is then to be thrown away, and what it should hold to be encoded anew.
bool ExtendColumn(ColumnKind kind, ByteReader& reader, std::size_t old_count,
                  const std::int64_t* values, std::size_t count, std::string& out);

// If all values of the signed column that comes next are the same, reads it and gives
// that value; else returns false, and the reader stays where it was.
bool DecodeConstantColumn(ByteReader& reader, std::int64_t& value);

// Reads values first to last - 1 of a column of `count` into values[0], values[1], …
// and passes over the rest. Returns false if the bytes are damaged.
bool DecodeColumn(ColumnKind kind, ByteReader& reader, std::size_t count, std::size_t first,
                  std::size_t last, std::int64_t* values);

}  // namespace tocsin::store
