#pragma once

// What goes wrong in the demo, for real: connections held, slow statements, a cache
// flushed again and again, a CPU that burns, an application that stalls. Each
// condition is begun, steered several times a second while it lasts, and ended; it
// measures its own effect by a way that is not the daemon's.
//
// Used from one thread; a condition keeps threads of its own where it works.

#include <memory>
#include <optional>

#include "daemon/base/result.h"
#include "tests/demo/load/load_generator.h"
#include "tests/demo/meters.h"
#include "tests/demo/servers.h"

namespace tocsin::demo {

class Condition {
 public:
  virtual ~Condition() = default;

  virtual Result<> Begin() = 0;
  virtual void Steer() {}
  virtual Result<> End() = 0;

  // The signal as the demo itself sees it, in the unit of the rule.
  virtual std::optional<double> Measure() = 0;
};

// What conditions act upon and measure with. Outlives them.
struct Surroundings {
  Servers& servers;
  LoadGenerator& load;
  LogMeter& log;
  CpuMeter& cpu;
};

// The window of the demo's rules, over which the meters look as well.
inline constexpr std::chrono::seconds kWindow{20};

// `percent` of the application's pool is checked out and not given back.
std::unique_ptr<Condition> HoldApplicationPool(Surroundings surroundings, double percent);
// `percent` of PgBouncer's server connections are inside a transaction.
std::unique_ptr<Condition> HoldPgBouncerPool(Surroundings surroundings, double percent);
// `percent` of max_connections are taken.
std::unique_ptr<Condition> HoldPostgresConnections(Surroundings surroundings, double percent);
// A tenth and more of all statements take `seconds`.
std::unique_ptr<Condition> SlowStatements(Surroundings surroundings, double seconds);
// The cache is flushed so often that `percent` of the look-ups find their key.
std::unique_ptr<Condition> FlushCache(Surroundings surroundings, double percent);
// PostgreSQL computes until `percent` of all CPUs are busy.
std::unique_ptr<Condition> BurnCpu(Surroundings surroundings, double percent);
// The application lets every request wait for `seconds`; measured by probes of the
// demo's own, or by what users see.
std::unique_ptr<Condition> StallApplication(Surroundings surroundings, int seconds,
                                            bool measure_probes);

}  // namespace tocsin::demo
