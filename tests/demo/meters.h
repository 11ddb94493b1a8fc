#pragma once

// The demo's own measurements, beside the daemon's and by other ways: PostgreSQL's
// log read line by line, the kernel's /proc. Each is polled from one thread.

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace tocsin::demo {

// Exact durations of the statements of one database, from PostgreSQL's log with the
// prefix '%m [%p] %q%u@%d '. What parse and bind took is added to their execute.
class LogMeter {
 public:
  // Counts statements of `database` that are logged from now on in `folder`.
  LogMeter(std::string folder, std::string database);

  // Reads what is new.
  void Poll();
  // The 95th percentile of the last `span`, in seconds; nothing without statements.
  std::optional<double> P95(std::chrono::seconds span) const;

 private:
  using Clock = std::chrono::steady_clock;
  void ReadFile(const std::string& path, bool count);
  void TakeLine(std::string_view line);

  const std::string folder_;
  const std::string suffix_;                                     // "@booking LOG:".
  std::map<std::string, std::int64_t> offsets_;                  // Read so far, by file.
  std::map<std::string, double> prepared_;                       // Parse and bind, by pid, in ms.
  std::deque<std::pair<Clock::time_point, double>> statements_;  // When read, seconds.
};

// Busy share of all CPUs from /proc/stat: not idle, not waiting for a disk, not stolen.
class CpuMeter {
 public:
  void Poll();
  // Percent over the last `span`; nothing before the first second.
  std::optional<double> BusyPercent(std::chrono::milliseconds span) const;

 private:
  struct Reading {
    std::chrono::steady_clock::time_point at;
    std::uint64_t total = 0;
    std::uint64_t not_busy = 0;
  };
  std::deque<Reading> readings_;
};

// How many of the processes `children` of PostgreSQL serve a client over TCP, by the
// names they gave themselves.
int CountClientBackends(const std::vector<pid_t>& children);

}  // namespace tocsin::demo
