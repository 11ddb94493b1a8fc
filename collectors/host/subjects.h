#pragma once

// The subjects of a host: one table, one function and, where it is more than a
// line, one file each. A subject that fails costs only itself.

#include <span>
#include <string>
#include <string_view>

#include "collectors/host/cpu_counters.h"
#include "collectors/host/process_groups.h"
#include "daemon/base/clock.h"
#include "daemon/base/file_system.h"
#include "daemon/base/result.h"
#include "daemon/model/metric_batch.h"

namespace tocsin::collectors::host {

struct HostPaths {
  std::string proc = "/proc";
  std::string sys = "/sys";
  std::string root = "/";
};

// What the subjects read, and what some keep between collections.
struct HostSources {
  FileSystem& files;
  HostPaths paths;
  WallTime at{};  // Of this collection.
  CpuCounters cpu_counters;
  ProcessGroups process_groups;

  Result<std::string> ReadProc(std::string_view name) const {
    return files.Read(paths.proc + "/" + std::string(name));
  }
};

struct Subject {
  std::string_view name;  // node_exporter's name of the collector.
  Result<> (*collect)(HostSources& sources, model::MetricBatch& batch);
};

std::span<const Subject> Subjects();

// Errors of all of them: as FileSystem, and kCorruption for a file that is not
// what the kernel writes.
Result<> CollectCpu(HostSources& sources, model::MetricBatch& batch);
Result<> CollectStat(HostSources& sources, model::MetricBatch& batch);
Result<> CollectMemory(HostSources& sources, model::MetricBatch& batch);
Result<> CollectLoad(HostSources& sources, model::MetricBatch& batch);
Result<> CollectVmstat(HostSources& sources, model::MetricBatch& batch);
Result<> CollectFileDescriptors(HostSources& sources, model::MetricBatch& batch);
Result<> CollectPressure(HostSources& sources, model::MetricBatch& batch);
Result<> CollectTime(HostSources& sources, model::MetricBatch& batch);
Result<> CollectUname(HostSources& sources, model::MetricBatch& batch);
Result<> CollectDisks(HostSources& sources, model::MetricBatch& batch);
Result<> CollectFilesystems(HostSources& sources, model::MetricBatch& batch);
Result<> CollectNetworkTraffic(HostSources& sources, model::MetricBatch& batch);
Result<> CollectNetworkDevices(HostSources& sources, model::MetricBatch& batch);
Result<> CollectProcesses(HostSources& sources, model::MetricBatch& batch);

}  // namespace tocsin::collectors::host
