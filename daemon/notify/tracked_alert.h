#pragma once

// An alert as notify keeps it: that it has ended is a state, entered once, and
// not a comparison of clocks, so that neither a jump of the wall clock nor a
// daemon that was down ends an alert. Internal.

#include <cstdint>
#include <memory>

#include "daemon/model/alert.h"
#include "daemon/notify/moment.h"

namespace tocsin::notify {

struct TrackedAlert {
  model::Alert alert;
  std::uint64_t fingerprint = 0;
  bool resolved = false;
  SteadyTime expires_at{};  // While firing: ends then, unless it is sent again.
};
using AlertPtr = std::shared_ptr<const TrackedAlert>;

// What `incoming` makes of `known` (null: nothing was known), as Alertmanager
// merges: missing times are filled in, overlapping spans keep the earliest start,
// an assumed end does not beat one that was told.
AlertPtr MergeAlert(const TrackedAlert* known, model::Alert incoming, Moment now,
                    Millis resolve_timeout);

// `alert` ended because nobody sent it again.
AlertPtr EndAlert(const TrackedAlert& alert, Moment now);

// An alert read back from disk: one that fires gets at least `grace` to be sent again.
AlertPtr RestoreAlert(model::Alert alert, bool resolved, Moment now, Millis grace);

}  // namespace tocsin::notify
