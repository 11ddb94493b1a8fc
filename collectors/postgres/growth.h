#pragma once

// How fast a number grows that comes to an end some day: transaction numbers, a sequence.

#include <optional>

#include "daemon/base/clock.h"

namespace tocsin::collectors::postgres {

// Not thread-safe.
class Growth {
 public:
  // The number is `value` now: what it grows in a day, going by the last six to twelve
  // hours. Nothing before ten minutes have passed, or while it does not grow. Less than
  // before is the number of another server, or of a sequence that was reset: it begins anew.
  std::optional<double> PerDay(double value, SteadyTime now);

 private:
  struct Point {
    double value = 0;
    SteadyTime at{};
  };
  std::optional<Point> newer_;
  Point older_;  // If there is a newer one.
};

}  // namespace tocsin::collectors::postgres
