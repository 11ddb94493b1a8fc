#pragma once

// What `./dev bench collectors` measures, in parts: a part is one file and one row of
// the table in main.cc. Each starts what it needs (servers, the daemon, an exporter
// beside it) and ends it.

#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "tests/bench/collectors/report.h"

namespace tocsin::bench {

struct Effort {
  bool quick = false;  // To see that it works: numbers of a quick run say nothing.
};

struct Part {
  std::string_view name;
  std::string_view what;  // For --help.
  // Errors: kUnavailable if a server or the daemon does not start.
  Result<std::vector<Row>> (*measure)(const Effort& effort);
};

// 1,000 HTTP targets at 1 s on one core, a hundred of them hung.
Result<std::vector<Row>> MeasureHttpTargets(const Effort& effort);

}  // namespace tocsin::bench
