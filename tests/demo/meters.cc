#include "tests/demo/meters.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "daemon/base/text.h"

namespace tocsin::demo {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::minutes kKept{2};
constexpr std::string_view kDuration = "duration: ";

}  // namespace

LogMeter::LogMeter(std::string folder, std::string database)
    : folder_(std::move(folder)), suffix_("@" + std::move(database) + " LOG:") {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_, ignored)) {
    ReadFile(entry.path(), /*count=*/false);
  }
}

void LogMeter::Poll() {
  std::error_code ignored;
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder_, ignored)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) ReadFile(file, /*count=*/true);
  const auto oldest = Clock::now() - kKept;
  while (!statements_.empty() && statements_.front().first < oldest) statements_.pop_front();
}

void LogMeter::ReadFile(const std::string& path, bool count) {
  std::ifstream file(path, std::ios::binary);
  auto& offset = offsets_[path];
  file.seekg(offset);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto end = text.rfind('\n');
  if (end == std::string::npos) return;
  offset += static_cast<std::int64_t>(end) + 1;
  if (!count) return;
  for (std::size_t begin = 0; begin <= end;) {
    const auto stop = text.find('\n', begin);
    TakeLine(std::string_view(text).substr(begin, stop - begin));
    begin = stop + 1;
  }
}

// "2026-11-23 07:53:19.123 UTC [71] booking@booking LOG:  duration: 0.4 ms  execute <unnamed>: …"
void LogMeter::TakeLine(std::string_view line) {
  const auto mark = line.find(suffix_);
  if (mark == std::string_view::npos) return;
  auto rest = line.substr(mark + suffix_.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  if (!rest.starts_with(kDuration)) return;
  rest.remove_prefix(kDuration.size());
  const auto unit = rest.find(" ms");
  if (unit == std::string_view::npos) return;
  const auto milliseconds = ParseDouble(rest.substr(0, unit));
  if (!milliseconds) return;
  auto what = rest.substr(unit + 3);
  what.remove_prefix(std::min(what.find_first_not_of(' '), what.size()));
  const auto open = line.find('[');
  const std::string pid(line.substr(open, line.find(']') - open));
  if (what.starts_with("parse") || what.starts_with("bind")) {
    prepared_[pid] += *milliseconds;
    return;
  }
  const double before = what.starts_with("execute") ? prepared_[pid] : 0;
  prepared_.erase(pid);
  statements_.emplace_back(Clock::now(), (before + *milliseconds) / 1000);
}

std::optional<double> LogMeter::P95(std::chrono::seconds span) const {
  const auto since = Clock::now() - span;
  std::vector<double> seconds;
  for (const auto& [at, taken] : statements_) {
    if (at >= since) seconds.push_back(taken);
  }
  if (seconds.empty()) return std::nullopt;
  const auto rank =
      static_cast<std::size_t>(std::ceil(0.95 * static_cast<double>(seconds.size())) - 1);
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(rank),
                   seconds.end());
  return seconds[rank];
}

void CpuMeter::Poll() {
  std::ifstream file("/proc/stat");
  std::string word;
  file >> word;  // "cpu": user nice system idle iowait irq softirq steal.
  Reading reading{.at = std::chrono::steady_clock::now()};
  for (int field = 0; field < 8; ++field) {
    std::uint64_t ticks = 0;
    file >> ticks;
    reading.total += ticks;
    if (field == 3 || field == 4 || field == 7) reading.not_busy += ticks;
  }
  if (!file) return;
  readings_.push_back(reading);
  while (readings_.front().at < reading.at - kKept) readings_.pop_front();
}

std::optional<double> CpuMeter::BusyPercent(std::chrono::milliseconds span) const {
  if (readings_.empty()) return std::nullopt;
  const auto& last = readings_.back();
  const auto first = std::find_if(readings_.begin(), readings_.end(), [&](const Reading& reading) {
    return reading.at >= last.at - span;
  });
  const auto total = last.total - first->total;
  if (last.at - first->at < std::chrono::milliseconds(500) || total == 0) return std::nullopt;
  const auto not_busy = last.not_busy - first->not_busy;
  return 100 * (1 - static_cast<double>(not_busy) / static_cast<double>(total));
}

int CountClientBackends(const std::vector<pid_t>& children) {
  int count = 0;
  for (const pid_t child : children) {
    std::ifstream file("/proc/" + std::to_string(child) + "/cmdline", std::ios::binary);
    const std::string title((std::istreambuf_iterator<char>(file)), {});
    if (title.find("127.0.0.1(") != std::string::npos) ++count;
  }
  return count;
}

}  // namespace tocsin::demo
