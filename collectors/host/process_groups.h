#pragma once

// CPU and memory of all processes of one program, although they come and go: a
// PostgreSQL backend that ends takes nothing away, because its parent inherits
// its CPU time when it reaps it (proc(5): cutime, cstime). CPU is therefore
// counted per tree of processes of a group, and each tree's growth is added up.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tocsin::collectors::host {

// One process, from /proc/PID/stat and /proc/PID/statm.
struct ProcessTimes {
  std::int64_t pid = 0;
  std::int64_t parent = 0;
  std::uint64_t start_ticks = 0;  // Since boot; with pid, the process' identity.
  std::uint64_t cpu_ticks = 0;    // Its own and its reaped children's.
  std::string_view group;
  double resident_bytes = 0;
  double shared_bytes = 0;  // The part of them that others may share.
};

// Parses /proc/PID/stat; `group` and memory stay empty. Nullopt if it is not one.
std::optional<ProcessTimes> ParseProcessStat(std::string_view text);

// The program's name in /proc/PID/stat, which may hold any byte.
std::string_view ProcessName(std::string_view stat);

// The group a program belongs to, empty if none: postgresql, pgbouncer, redis.
std::string_view GroupOfProgram(std::string_view name);

class ProcessGroups {
 public:
  struct Usage {
    double cpu_ticks = 0;  // Never falls while the daemon runs.
    double processes = 0;
    double resident_bytes = 0;  // Shared memory counted once: the largest share.
  };

  // Takes the processes of one moment. A group once seen stays, with zero
  // processes, when its last one has gone.
  const std::map<std::string, Usage>& Update(const std::vector<ProcessTimes>& processes);

 private:
  using Identity = std::pair<std::int64_t, std::uint64_t>;  // pid and start.

  void AddMemory(const std::vector<ProcessTimes>& processes);
  void AddCpu(const std::vector<ProcessTimes>& processes);

  std::map<std::string, Usage> usage_;
  std::map<Identity, std::uint64_t> tree_ticks_;  // Per root, as last counted.
  std::set<Identity> seen_;                       // All processes of the last moment.
};

}  // namespace tocsin::collectors::host
