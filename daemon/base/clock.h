#pragma once

// The only way to read time. WallTime dates data (it may jump), SteadyTime
// measures deadlines (it never does); the two do not convert into each other.
// Tests pass a SimClock (tests/support/sim_clock.h).

#include <chrono>
#include <cstdint>

namespace tocsin {

using Millis = std::chrono::milliseconds;
using WallTime = std::chrono::time_point<std::chrono::system_clock, Millis>;
using SteadyTime = std::chrono::steady_clock::time_point;

// Milliseconds since 1970 UTC: how samples carry their time.
inline std::int64_t ToUnixMillis(WallTime time) { return time.time_since_epoch().count(); }
inline WallTime FromUnixMillis(std::int64_t millis) { return WallTime(Millis(millis)); }

// Seconds as a double, for metrics.
template <class Rep, class Period>
double ToSeconds(std::chrono::duration<Rep, Period> duration) {
  return std::chrono::duration<double>(duration).count();
}

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime WallNow() const = 0;
  virtual SteadyTime SteadyNow() const = 0;
};

class SystemClock : public Clock {
 public:
  WallTime WallNow() const override;
  SteadyTime SteadyNow() const override;
};

}  // namespace tocsin
