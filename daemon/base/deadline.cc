#include "daemon/base/deadline.h"

#include <algorithm>

#include <fmt/format.h>

namespace tocsin {

Millis Deadline::Left() const {
  auto left = std::chrono::duration_cast<Millis>(at_ - clock_->SteadyNow());
  return std::max(left, Millis(0));
}

Deadline Deadline::NoLaterThan(SteadyTime at) const {
  return Deadline(*clock_, std::min(at, at_), stop_);
}

Result<> Deadline::Check(std::string_view doing) const {
  if (stop_.stop_requested()) {
    return Error{ErrorCode::kCancelled, fmt::format("stopped while {}", doing)};
  }
  if (clock_->SteadyNow() >= at_) {
    return Error{ErrorCode::kDeadlineExceeded, fmt::format("deadline passed while {}", doing)};
  }
  return {};
}

}  // namespace tocsin
