#pragma once

// A clock that moves only when told. Thread-safe.

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"

namespace tocsin::testing {

class SimClock : public Clock {
 public:
  explicit SimClock(WallTime start = FromUnixMillis(1'700'000'000'000)) : wall_(start) {}

  WallTime WallNow() const override {
    MutexLock lock(mutex_);
    return wall_;
  }
  SteadyTime SteadyNow() const override {
    MutexLock lock(mutex_);
    return steady_;
  }

  // Moves both clocks on.
  void Advance(Millis by) {
    MutexLock lock(mutex_);
    wall_ += by;
    steady_ += by;
  }
  // Moves only the wall clock, as an administrator or NTP does.
  void JumpWall(Millis by) {
    MutexLock lock(mutex_);
    wall_ += by;
  }

 private:
  mutable Mutex mutex_;
  WallTime wall_ GUARDED_BY(mutex_);
  SteadyTime steady_ GUARDED_BY(mutex_){std::chrono::hours(1)};
};

}  // namespace tocsin::testing
