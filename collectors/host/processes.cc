#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "collectors/host/proc_text.h"
#include "collectors/host/subjects.h"

namespace tocsin::collectors::host {
namespace {

using model::MetricBatch;
using model::MetricType;

bool IsPid(std::string_view name) {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Fills in the memory; a process that has ended meanwhile has none.
void ReadMemory(HostSources& sources, const std::string& pid, ProcessTimes& process) {
  static const auto page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
  auto text = sources.ReadProc(pid + "/statm");
  if (!text.ok()) return;
  std::vector<std::string_view> fields = Fields(*text);
  process.resident_bytes = FieldNumber(fields, 1) * page_bytes;
  process.shared_bytes = FieldNumber(fields, 2) * page_bytes;
}

}  // namespace

Result<> CollectProcesses(HostSources& sources, MetricBatch& batch) {
  TOCSIN_ASSIGN_OR_RETURN(auto names, sources.files.List(sources.paths.proc));
  std::vector<ProcessTimes> processes;
  for (const std::string& pid : names) {
    if (!IsPid(pid)) continue;
    auto stat = sources.ReadProc(pid + "/stat");
    if (!stat.ok()) continue;  // Ended meanwhile, or hidden from us (hidepid).
    std::string_view group = GroupOfProgram(ProcessName(*stat));
    if (group.empty()) continue;
    auto process = ParseProcessStat(*stat);
    if (!process.has_value()) return NotAsExpected(pid + "/stat");
    process->group = group;
    ReadMemory(sources, pid, *process);
    processes.push_back(*process);
  }

  auto cpu = batch.DeclareFamily("tocsin_process_group_cpu_seconds_total",
                                 "CPU time of all processes of a program, ended ones included",
                                 MetricType::kCounter, {"group"});
  auto memory = batch.DeclareFamily(
      "tocsin_process_group_resident_memory_bytes",
      "Resident memory of all processes of a program, what they share counted once",
      MetricType::kGauge, {"group"});
  auto count = batch.DeclareFamily("tocsin_process_group_processes", "Processes of a program",
                                   MetricType::kGauge, {"group"});
  const double ticks = TicksPerSecond();
  for (const auto& [group, usage] : sources.process_groups.Update(processes)) {
    batch.Add(cpu, {group}, usage.cpu_ticks / ticks);
    batch.Add(memory, {group}, usage.resident_bytes);
    batch.Add(count, {group}, usage.processes);
  }
  return {};
}

}  // namespace tocsin::collectors::host
