#pragma once

// Doubles as decimals, integer / 10^exponent, where they read back as they were, bit by bit.
// Pure functions.

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "daemon/store/chunk_codec.h"

namespace tocsin::store {

inline constexpr std::array<double, 13> kPowersOfTen = {1e0, 1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
                                                        1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
inline constexpr int kMaxExponent = static_cast<int>(kPowersOfTen.size()) - 1;
inline constexpr std::size_t kSamplesPerPatch = 8;  // More patches than this: not decimals.

// The integer that reads back as `value` when divided by 10^exponent. Rounding is
// plain: a wrong neighbour does not read back.
inline bool DecimalOf(double value, int exponent, std::int64_t& integer) {
  constexpr double kMaxInteger = 9007199254740992.0;  // 2^53: doubles hold each integer below.
  const double power = kPowersOfTen[static_cast<std::size_t>(exponent)];
  const double scaled = value * power;
  if (!(std::fabs(scaled) < kMaxInteger)) return false;
  integer = static_cast<std::int64_t>(exponent == 0 ? scaled : scaled + std::copysign(0.5, scaled));
  const double whole = static_cast<double>(integer);
  const double back = exponent == 0 ? whole : whole / power;
  return std::bit_cast<std::uint64_t>(back) == std::bit_cast<std::uint64_t>(value);
}

// Values of one exponent, and which of them are none of it: these have the integer before.
struct Decimals {
  int exponent = 0;
  std::array<std::int64_t, kMaxChunkSamples> integers;
  std::size_t patch_count = 0;
  std::array<std::uint8_t, kMaxChunkSamples / kSamplesPerPatch + 1> patched;
};

// False if too many of `count` ≤ kMaxChunkSamples values are none.
bool ToDecimals(const double* values, std::size_t count, Decimals& out);

}  // namespace tocsin::store
