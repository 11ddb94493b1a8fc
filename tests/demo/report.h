#pragma once

#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "tests/demo/scenario.h"

namespace tocsin::demo {

// Something that must hold at the end, besides the rows.
struct Check {
  std::string what;
  std::string problem;  // Empty: it holds.
};

bool AllGood(const std::vector<Outcome>& outcomes, const std::vector<Check>& checks);

// A table of the rows and checks, for people.
std::string Table(const std::vector<Outcome>& outcomes, const std::vector<Check>& checks);

// The same with times and bodies, as JSON. Errors: kIoError.
Result<> WriteResult(const std::string& path, const std::vector<Outcome>& outcomes,
                     const std::vector<Check>& checks);

}  // namespace tocsin::demo
