#pragma once

// How long a blocking call may take, and who may end it early. Passed down from
// whoever owns the time budget (a collection, a delivery) to every wait below it.
// Immutable; the clock must outlive it.

#include <stop_token>
#include <string_view>
#include <utility>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"

namespace tocsin {

class Deadline {
 public:
  Deadline(const Clock& clock, SteadyTime at, std::stop_token stop = {})
      : clock_(&clock), at_(at), stop_(std::move(stop)) {}

  const Clock& clock() const { return *clock_; }
  SteadyTime at() const { return at_; }
  const std::stop_token& stop() const { return stop_; }

  // Time left; never negative.
  Millis Left() const;

  // The same deadline, or `at` if that is earlier.
  Deadline NoLaterThan(SteadyTime at) const;

  // Errors: kCancelled once asked to stop, else kDeadlineExceeded once it has
  // passed; the message says that it happened while `doing` ("connecting").
  Result<> Check(std::string_view doing) const;

 private:
  const Clock* clock_;
  SteadyTime at_;
  std::stop_token stop_;
};

}  // namespace tocsin
