#pragma once

// Turns log records into histograms of how long statements took, per database and
// user. A parameterised statement is logged in three parts (parse, bind, execute);
// the first two are added to the third of the same process, and only statements
// and executes count.

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>

#include "collectors/postgres/log_record.h"
#include "daemon/model/metric_batch.h"

namespace tocsin::collectors::postgres {

// Not thread-safe.
class StatementDurations {
 public:
  // Fine around 0.1, 0.5 and 1 s, where the rules ask; far above the largest.
  static constexpr std::array<double, 21> kUpperBoundsSeconds = {
      0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
      0.6,   0.75, 1,     1.25, 1.5,   2,   3,    5,   10,  30};
  // Pairs of database and user; further ones are counted in left_out().
  static constexpr std::size_t kMostHistograms = 500;
  // Processes with an unfinished statement; more than PostgreSQL has backends.
  static constexpr std::size_t kMostProcesses = 20'000;

  void Add(const LogRecord& record);

  // Forgets unfinished statements, where the log has a gap; what was counted stays.
  void Break() { processes_.clear(); }

  // Adds pg_query_duration_seconds{datname,user,source="log"}.
  void Emit(model::MetricBatch& batch) const;

  std::uint64_t left_out() const { return left_out_; }

 private:
  // A process' statement that is not finished.
  struct Process {
    double parts_seconds = 0;  // Its parse and bind.
    enum class Under { kNothing, kStatement, kExecute, kCall } under = Under::kNothing;
  };
  struct Histogram {
    std::array<std::uint64_t, kUpperBoundsSeconds.size() + 1> counts{};
    double sum_seconds = 0;
  };

  void Observe(const LogRecord& record, double seconds);

  std::map<std::pair<std::string, std::string>, Histogram, std::less<>> histograms_;
  std::unordered_map<std::int64_t, Process> processes_;
  std::uint64_t left_out_ = 0;
};

}  // namespace tocsin::collectors::postgres
