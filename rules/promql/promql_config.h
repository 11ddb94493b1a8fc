#pragma once

// The section `promql` of the configuration: which dialect is spoken and how much
// one query may take.

#include <cstdint>

#include "daemon/base/clock.h"
#include "daemon/base/config_node.h"

namespace tocsin::promql {

struct PromqlConfig {
  // How far an instant vector selector looks back for a sample.
  Millis lookback{std::chrono::minutes(5)};
  // false: Prometheus 3.x, a sample exactly at the left end of a range or of the
  // lookback does not count. true: Prometheus 2.x, it counts.
  bool closed_left = false;
  // Samples that one query may hold in memory at a time.
  std::int64_t max_samples = 50'000'000;
  Millis timeout{std::chrono::seconds(30)};
  // Queries that evaluate at the same time; more wait for their turn.
  int max_concurrency = 20;
  // The resolution of a subquery that names none ("[1h:]").
  Millis subquery_step{std::chrono::minutes(1)};
};

// Reads lookback, closed_left, max_samples and timeout; errors go to the reader's
// ConfigErrors. Calls Finish().
PromqlConfig ParsePromqlConfig(ConfigReader& section);

}  // namespace tocsin::promql
