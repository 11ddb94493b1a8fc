#include "collectors/host/process_groups.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "collectors/host/proc_text.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::host {
namespace {

struct Program {
  std::string_view name;  // At most 15 bytes: the kernel cuts it there.
  std::string_view group;
};

constexpr Program kPrograms[] = {{"postgres", "postgresql"},  {"postmaster", "postgresql"},
                                 {"pgbouncer", "pgbouncer"},  {"redis-server", "redis"},
                                 {"redis-sentinel", "redis"}, {"valkey-server", "redis"},
                                 {"valkey-sentinel", "redis"}};

// Fields of /proc/PID/stat after the name, counted from the state (proc(5) 3).
constexpr std::size_t kParent = 1;
constexpr std::size_t kUserTicks = 11;
constexpr std::size_t kSystemTicks = 12;
constexpr std::size_t kChildrenUserTicks = 13;
constexpr std::size_t kChildrenSystemTicks = 14;
constexpr std::size_t kStartTicks = 19;

std::uint64_t Ticks(const std::vector<std::string_view>& fields, std::size_t index) {
  return static_cast<std::uint64_t>(std::max(0.0, FieldNumber(fields, index)));
}

}  // namespace

std::string_view ProcessName(std::string_view stat) {
  std::size_t open = stat.find('(');
  std::size_t close = stat.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
  return stat.substr(open + 1, close - open - 1);
}

std::string_view GroupOfProgram(std::string_view name) {
  for (const Program& program : kPrograms) {
    if (program.name == name) return program.group;
  }
  return {};
}

std::optional<ProcessTimes> ParseProcessStat(std::string_view text) {
  std::size_t close = text.rfind(')');
  if (close == std::string_view::npos) return std::nullopt;
  auto pid = ParseInt(TrimSpace(text.substr(0, text.find('('))));
  std::vector<std::string_view> fields = Fields(TrimSpace(text.substr(close + 1)));
  if (!pid.has_value() || fields.size() <= kStartTicks) return std::nullopt;
  ProcessTimes process;
  process.pid = *pid;
  process.parent = ParseInt(fields[kParent]).value_or(0);
  process.start_ticks = Ticks(fields, kStartTicks);
  process.cpu_ticks = Ticks(fields, kUserTicks) + Ticks(fields, kSystemTicks) +
                      Ticks(fields, kChildrenUserTicks) + Ticks(fields, kChildrenSystemTicks);
  return process;
}

const std::map<std::string, ProcessGroups::Usage>& ProcessGroups::Update(
    const std::vector<ProcessTimes>& processes) {
  AddMemory(processes);
  AddCpu(processes);
  return usage_;
}

void ProcessGroups::AddMemory(const std::vector<ProcessTimes>& processes) {
  std::map<std::string_view, double> largest_share;
  for (auto& [group, usage] : usage_) usage.processes = usage.resident_bytes = 0;
  for (const ProcessTimes& process : processes) {
    Usage& usage = usage_[std::string(process.group)];
    ++usage.processes;
    usage.resident_bytes += std::max(0.0, process.resident_bytes - process.shared_bytes);
    double& share = largest_share[process.group];
    share = std::max(share, process.shared_bytes);
  }
  for (const auto& [group, share] : largest_share)
    usage_[std::string(group)].resident_bytes += share;
}

void ProcessGroups::AddCpu(const std::vector<ProcessTimes>& processes) {
  std::unordered_map<std::int64_t, const ProcessTimes*> by_pid;
  for (const ProcessTimes& process : processes) by_pid.emplace(process.pid, &process);

  // The root of a process: the last ancestor of the same group.
  auto root_of = [&by_pid](const ProcessTimes* process) {
    for (std::size_t steps = 0; steps < by_pid.size(); ++steps) {
      auto parent = by_pid.find(process->parent);
      if (parent == by_pid.end() || parent->second->group != process->group) break;
      process = parent->second;
    }
    return process;
  };
  std::map<const ProcessTimes*, std::uint64_t> trees;
  std::set<Identity> seen;
  for (const ProcessTimes& process : processes) {
    trees[root_of(&process)] += process.cpu_ticks;
    seen.emplace(process.pid, process.start_ticks);
  }

  std::map<Identity, std::uint64_t> tree_ticks;
  for (const auto& [root, ticks] : trees) {
    Identity identity{root->pid, root->start_ticks};
    std::uint64_t counted = 0;
    if (auto last = tree_ticks_.find(identity); last != tree_ticks_.end()) {
      counted = last->second;
    } else if (seen_.contains(identity)) {
      counted = ticks;  // Orphaned since: it was counted in its parent's tree.
    }
    // Processes are read one after the other: one that ends meanwhile is missed
    // once, and the sum falls until its parent is read again.
    if (ticks > counted) {
      usage_[std::string(root->group)].cpu_ticks += static_cast<double>(ticks - counted);
    }
    tree_ticks.emplace(identity, std::max(ticks, counted));
  }
  tree_ticks_ = std::move(tree_ticks);
  seen_ = std::move(seen);
}

}  // namespace tocsin::collectors::host
