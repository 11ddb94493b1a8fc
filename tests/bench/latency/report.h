#pragma once

// The trips as a table for people, with the goals, and as JSON for programs.

#include <string>

#include "daemon/base/result.h"
#include "tests/bench/latency/trips.h"

namespace tocsin::bench {

std::string Table(const Trips& trips);

// Errors: kIoError.
Result<> WriteJson(const std::string& path, const Trips& trips);

}  // namespace tocsin::bench
