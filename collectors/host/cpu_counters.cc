#include "collectors/host/cpu_counters.h"

#include <algorithm>

namespace tocsin::collectors::host {

const CpuCounters::Seconds& CpuCounters::Advance(std::string_view cpu, const Seconds& now) {
  auto found = last_.find(cpu);
  if (found == last_.end()) return last_.emplace(cpu, now).first->second;
  Seconds& last = found->second;
  if (now[kIdle] < last[kIdle] - kRestartSeconds) {
    last = now;
  } else {
    for (std::size_t mode = 0; mode < kModes; ++mode) last[mode] = std::max(last[mode], now[mode]);
  }
  return last;
}

}  // namespace tocsin::collectors::host
