#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "tests/bench/collectors/parts.h"
#include "tests/bench/collectors/process_numbers.h"
#include "tests/bench/collectors/quick_web.h"
#include "tests/support/daemon_process.h"

namespace tocsin::bench {
namespace {

using std::chrono::seconds;

constexpr int kTargets = 1'000;
constexpr int kHung = 100;
constexpr std::int64_t kIntervalMs = 1'000;
// A collection that begins this long after its moment is late.
constexpr std::int64_t kLateMs = 100;
// Probes that hang are cut before the next one is due.
constexpr const char* kTimeout = "900ms";

std::string Config(int port) {
  std::string config = "interval: 1s\nhttp:\n";
  for (int i = 0; i < kTargets; ++i) {
    config += fmt::format(
        "  - {{ name: t{0}, url: 'http://127.0.0.1:{1}/{2}/{0}', timeout: {3}, "
        "expect: {{ json: {{ /status: healthy }} }} }}\n",
        i, port, i < kHung ? "hung" : "page", kTimeout);
  }
  return config;
}

struct Punctuality {
  std::int64_t collections = 0;
  std::int64_t missed = 0;
  std::vector<std::int64_t> late_ms;  // Of each collection.
};

// A target's moments lie 1 s apart, from a phase of its own: the remainder that is
// earliest among its collections.
void Judge(const std::vector<model::Sample>& samples, Punctuality& all) {
  if (samples.empty()) return;
  // The clock's wrap at the end of a second: phases are compared to the first sample's.
  const auto offset = [&](const model::Sample& sample) -> std::int64_t {
    const std::int64_t apart = sample.time_ms - samples.front().time_ms;
    return apart - kIntervalMs * std::llround(static_cast<double>(apart) / kIntervalMs);
  };
  std::int64_t phase = 0;
  for (const auto& sample : samples) phase = std::min(phase, offset(sample));
  for (const auto& sample : samples) all.late_ms.push_back(offset(sample) - phase);
  all.collections += static_cast<std::int64_t>(samples.size());
  const double span =
      static_cast<double>(samples.back().time_ms - samples.front().time_ms) / kIntervalMs;
  all.missed += std::llround(span) + 1 - static_cast<std::int64_t>(samples.size());
}

}  // namespace

Result<std::vector<Row>> MeasureHttpTargets(const Effort& effort) {
  const bool alone = std::thread::hardware_concurrency() < 2;
  QuickWeb web(alone ? -1 : 1);
  TOCSIN_ASSIGN_OR_RETURN(
      auto daemon, testing::DaemonProcess::Start(Config(web.port()), {"taskset", "-c", "0"}));
  const seconds run(effort.quick ? 5 : 60);
  std::this_thread::sleep_for(seconds(5));  // The first collections of all.
  SystemClock clock;
  const auto count = [&](const char* expression) {
    return daemon->Query(expression).value_or(std::nan(""));
  };
  const double cpu_before = CpuSeconds(daemon->process().pid());
  const SteadyTime started = clock.SteadyNow();
  std::this_thread::sleep_for(run);
  const double took = ToSeconds(clock.SteadyNow() - started);
  const double cpu = (CpuSeconds(daemon->process().pid()) - cpu_before) / took;
  // Whole collections only: one that hangs is stored at its end, with its begin's time.
  const std::string window = fmt::format("[{}s] offset 2s", run.count());
  Punctuality all;
  const auto series = daemon->Samples("up{job=\"http\"}" + window);
  for (const auto& samples : series) Judge(samples, all);
  const double succeeded = count("count(probe_success == 1)");
  const double cut = count("count(probe_success == 0)");
  std::sort(all.late_ms.begin(), all.late_ms.end());
  if (all.late_ms.empty()) return Error{ErrorCode::kUnavailable, "nothing was collected"};
  const auto late =
      all.late_ms.end() - std::upper_bound(all.late_ms.begin(), all.late_ms.end(), kLateMs);
  const double per_second = static_cast<double>(all.collections) / static_cast<double>(run.count());
  const auto p99 = all.late_ms[all.late_ms.size() * 99 / 100];
  return std::vector<Row>{
      {"HTTP targets, 100 of them hung: collections per second",
       "",
       {},
       std::round(per_second),
       "1000",
       std::llround(per_second) >= kTargets},
      {"  probes that answer well", "", {}, succeeded, "900", succeeded == kTargets - kHung},
      {"  probes that are cut by their deadline", "", {}, cut, "100", cut == kHung},
      {"  collections missed", "", {}, static_cast<double>(all.missed), "0", all.missed == 0},
      {fmt::format("  collections more than {} ms late", kLateMs),
       "",
       {},
       static_cast<double>(late),
       "0",
       late == 0},
      {"  how late, p99", "ms", {}, static_cast<double>(p99), "", true},
      {"  how late, worst", "ms", {}, static_cast<double>(all.late_ms.back()), "", true},
      {"  CPU of its one core", "%", {}, cpu * 100, "", true},
      {"  resident memory", "MB", {}, ResidentMegabytes(daemon->process().pid()), "", true},
  };
}

}  // namespace tocsin::bench
