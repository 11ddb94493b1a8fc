#pragma once

// Keeps the CPU times of /proc/stat from running backwards. The kernel's idle
// and iowait times do so by a little (it says so in proc(5)); a rate() would take
// that for a restart and show hours of CPU within one interval.

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace tocsin::collectors::host {

class CpuCounters {
 public:
  // user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice: as
  // /proc/stat orders them.
  static constexpr std::size_t kModes = 10;
  static constexpr std::size_t kIdle = 3;
  using Seconds = std::array<double, kModes>;

  // The times to report for `cpu`: each the larger of the old and the new one. If
  // idle fell by more than kRestartSeconds the CPU was taken out and put back: the
  // new times stand.
  const Seconds& Advance(std::string_view cpu, const Seconds& now);

  static constexpr double kRestartSeconds = 3;

 private:
  std::map<std::string, Seconds, std::less<>> last_;
};

}  // namespace tocsin::collectors::host
