#pragma once

// A sample is a time and a value. The staleness marker is one NaN of a fixed bit
// pattern (Prometheus' own): it says "this series has ended" and is not a value.

#include <bit>
#include <cstdint>
#include <vector>

namespace tocsin::model {

struct Sample {
  std::int64_t time_ms = 0;  // Since 1970 UTC.
  double value = 0;
};

inline constexpr std::uint64_t kStaleMarkerBits = 0x7ff0000000000002ULL;
inline constexpr std::uint64_t kNormalNaNBits = 0x7ff8000000000001ULL;

inline double StaleMarker() { return std::bit_cast<double>(kStaleMarkerBits); }
inline double NormalNaN() { return std::bit_cast<double>(kNormalNaNBits); }
inline bool IsStaleMarker(double value) {
  return std::bit_cast<std::uint64_t>(value) == kStaleMarkerBits;
}

// Many samples of one series, times ascending, as two columns (a decoder fills
// them in one pass, a function reads them in one).
struct SampleColumns {
  std::vector<std::int64_t> times_ms;
  std::vector<double> values;

  void Clear() {
    times_ms.clear();
    values.clear();
  }
  std::size_t size() const { return times_ms.size(); }
  void Add(std::int64_t time_ms, double value) {
    times_ms.push_back(time_ms);
    values.push_back(value);
  }
};

}  // namespace tocsin::model
