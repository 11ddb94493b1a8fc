#include "daemon/base/clock.h"

namespace tocsin {

WallTime SystemClock::WallNow() const {
  return std::chrono::floor<Millis>(std::chrono::system_clock::now());
}

SteadyTime SystemClock::SteadyNow() const { return std::chrono::steady_clock::now(); }

}  // namespace tocsin
