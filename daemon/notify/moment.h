#pragma once

// One reading of both clocks: state on disk is dated by the wall clock, timers
// run on the steady one, and a Moment is where the one is turned into the other.
// Internal.

#include <algorithm>

#include "daemon/base/clock.h"

namespace tocsin::notify {

struct Moment {
  WallTime wall{};
  SteadyTime steady{};

  static Moment Of(const Clock& clock) { return {clock.WallNow(), clock.SteadyNow()}; }

  // When the steady clock reaches what the wall clock now calls `time`.
  SteadyTime SteadyAt(WallTime time) const {
    // Far enough for any timer, near enough not to overflow nanoseconds.
    constexpr Millis kHorizon = std::chrono::hours(24 * 365 * 50);
    return steady + std::clamp(time - wall, -kHorizon, kHorizon);
  }
  WallTime WallAt(SteadyTime time) const {
    return wall + std::chrono::duration_cast<Millis>(time - steady);
  }
};

}  // namespace tocsin::notify
