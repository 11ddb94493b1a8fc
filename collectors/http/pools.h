#pragma once

// Application connection pools as their health pages show them, brought to one form:
// how many are in use, of how many there can be. Pages differ by library:
//   sqlalchemy  {size, checked_out, checked_in, overflow, max_overflow} or the text of
//               QueuePool.status(); overflow is negative until the base is opened
//   hikaricp    {active, idle, pending, max, total} or the names of its MBean
//   go_sql      database/sql's DBStats {MaxOpenConnections, OpenConnections, InUse, …}
//   generic     {in_use, capacity, idle, waiting, size} and common synonyms
// A page may hold one pool, a list of pools, or a map of them by name.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "collectors/http/json_document.h"
#include "collectors/http/probe_config.h"
#include "daemon/base/clock.h"
#include "daemon/model/metric_batch.h"

namespace tocsin::collectors::http {

struct PoolNumbers {
  double in_use = 0;
  double capacity = 0;            // Infinite where the pool is unbounded.
  bool capacity_assumed = false;  // The page does not say it.
  std::optional<double> idle;
  std::optional<double> size;      // Kept open without overflow.
  std::optional<double> overflow;  // As the page says it: negative is possible.
  std::optional<double> waiting;
  std::optional<double> waits_total;
  std::optional<double> wait_seconds_total;
};

struct PoolReading {
  std::string pool;
  std::string pid;  // Empty unless the page says whose numbers these are.
  PoolNumbers numbers;
};

// The pools that `document` holds for `extraction`; empty if what is there is none.
std::vector<PoolReading> ReadPools(const JsonDocument& document, const PoolExtraction& extraction);

// The pools of one target over time. Several workers behind one address answer in
// turn, each for its own pool: what says its pid is remembered for kMemory after it
// last answered, so that sums over workers are whole. Not thread-safe.
class PoolMemory {
 public:
  static constexpr Millis kMemory = std::chrono::minutes(5);
  static constexpr std::size_t kMaxPools = 256;  // The longest silent goes first.

  void Remember(std::vector<PoolReading> readings, SteadyTime now);

  // The page did not answer in time: all that was known counts as fully used until
  // it answers again. Where nothing is known yet (the daemon came when the pool was
  // exhausted already), each of the page's pools counts as one, by the capacity that
  // the configuration says, else as 1 of 1.
  void AssumeSaturated(const std::vector<PoolExtraction>& pools, SteadyTime now);

  // A failure that says nothing about pools: what was read last stands as it is, for
  // kMemory.
  void Forget(SteadyTime now);

  // Writes app_pool_* of all that is remembered.
  void Write(model::MetricBatch& batch) const;

  std::int64_t forgotten() const { return forgotten_; }  // By kMaxPools.

 private:
  struct Entry {
    PoolNumbers numbers;
    SteadyTime seen_at{};
  };
  std::map<std::pair<std::string, std::string>, Entry> entries_;
  bool saturated_ = false;
  std::int64_t forgotten_ = 0;
};

}  // namespace tocsin::collectors::http
