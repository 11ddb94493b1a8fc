#pragma once

// The trips as a table, with the goals, and as JSON.

#include "tests/bench/conclusion.h"
#include "tests/bench/latency/trips.h"

namespace tocsin::bench {

Report MakeReport(const Trips& trips);

}  // namespace tocsin::bench
