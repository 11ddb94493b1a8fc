#pragma once

// The trips of a dead target through both chains, one after the other: a target goes
// down, both webhooks hear of it, it is up again, both hear of that, then the next.

#include <cstdint>
#include <vector>

#include "daemon/base/result.h"

namespace tocsin::bench {

// In seconds, one value per trip.
struct Trips {
  std::vector<double> prometheus;  // From the target's death to the request.
  std::vector<double> tocsin;
  std::vector<double> tocsin_from_commit;  // From the commit of the poll that saw it.
  // What one synced write of 4 KiB takes on this disk meanwhile: Tocsin waits for three
  // of them before the request (the rule's state, the alert, the message), the others
  // for none.
  std::vector<double> disk_sync;
};

// The moments of death are random, but spread evenly over each target's second; the
// targets' polls and rules each have a phase of their own.
// Errors: kUnavailable if a program does not start or somebody is not told.
Result<Trips> MeasureTrips(int trips, std::uint64_t seed);

}  // namespace tocsin::bench
