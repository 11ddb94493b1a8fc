// Subjects that are one small file of procfs, or none.

#include <sys/utsname.h>

#include <array>
#include <string>

#include "collectors/host/proc_text.h"
#include "collectors/host/subjects.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::host {

using model::MetricBatch;
using model::MetricType;

Result<> CollectCpu(HostSources& sources, MetricBatch& batch) {
  TOCSIN_ASSIGN_OR_RETURN(std::string text, sources.ReadProc("stat"));
  static constexpr std::string_view kModes[] = {"user",   "nice", "system",  "idle",
                                                "iowait", "irq",  "softirq", "steal"};
  auto seconds = batch.DeclareFamily("node_cpu_seconds_total", "Time the CPUs spent in each mode",
                                     MetricType::kCounter, {"cpu", "mode"});
  auto guest =
      batch.DeclareFamily("node_cpu_guest_seconds_total", "Time the CPUs spent in guests, by mode",
                          MetricType::kCounter, {"cpu", "mode"});
  const double ticks = TicksPerSecond();
  bool any = false;
  ForEachLine(text, [&](std::string_view line) {
    std::vector<std::string_view> fields = Fields(line);
    if (fields.size() < 5 || !fields[0].starts_with("cpu") || fields[0] == "cpu") return;
    std::string_view cpu = fields[0].substr(3);
    CpuCounters::Seconds now{};
    for (std::size_t mode = 0; mode < now.size(); ++mode) {
      now[mode] = FieldNumber(fields, mode + 1) / ticks;
    }
    const CpuCounters::Seconds& times = sources.cpu_counters.Advance(cpu, now);
    for (std::size_t mode = 0; mode < std::size(kModes); ++mode) {
      batch.Add(seconds, {cpu, kModes[mode]}, times[mode]);
    }
    batch.Add(guest, {cpu, "user"}, times[8]);
    batch.Add(guest, {cpu, "nice"}, times[9]);
    any = true;
  });
  if (!any) return NotAsExpected("stat");
  return {};
}

namespace {

struct LineMetric {
  std::string_view key;
  std::string_view metric;
  MetricType type;
  std::string_view help;
};

constexpr LineMetric kStatLines[] = {
    {"intr", "node_intr_total", MetricType::kCounter, "Interrupts serviced"},
    {"ctxt", "node_context_switches_total", MetricType::kCounter, "Context switches"},
    {"btime", "node_boot_time_seconds", MetricType::kGauge, "When the host booted, in Unix time"},
    {"processes", "node_forks_total", MetricType::kCounter, "Forks"},
    {"procs_running", "node_procs_running", MetricType::kGauge, "Processes in runnable state"},
    {"procs_blocked", "node_procs_blocked", MetricType::kGauge,
     "Processes blocked until I/O completes"},
};

constexpr LineMetric kVmstatLines[] = {
    {"oom_kill", "node_vmstat_oom_kill", MetricType::kUnknown, "/proc/vmstat oom_kill"},
    {"pgfault", "node_vmstat_pgfault", MetricType::kUnknown, "/proc/vmstat pgfault"},
    {"pgmajfault", "node_vmstat_pgmajfault", MetricType::kUnknown, "/proc/vmstat pgmajfault"},
    {"pgpgin", "node_vmstat_pgpgin", MetricType::kUnknown, "/proc/vmstat pgpgin"},
    {"pgpgout", "node_vmstat_pgpgout", MetricType::kUnknown, "/proc/vmstat pgpgout"},
    {"pswpin", "node_vmstat_pswpin", MetricType::kUnknown, "/proc/vmstat pswpin"},
    {"pswpout", "node_vmstat_pswpout", MetricType::kUnknown, "/proc/vmstat pswpout"},
};

// One metric per known "key value" line.
Result<> CollectLines(HostSources& sources, std::string_view file,
                      std::span<const LineMetric> lines, MetricBatch& batch) {
  TOCSIN_ASSIGN_OR_RETURN(std::string text, sources.ReadProc(file));
  bool any = false;
  ForEachLine(text, [&](std::string_view line) {
    std::string_view key = line.substr(0, line.find(' '));
    for (const LineMetric& known : lines) {
      if (known.key != key) continue;
      batch.Add(batch.DeclareFamily(known.metric, known.help, known.type),
                FieldNumber(Fields(line), 1));
      any = true;
    }
  });
  if (!any) return NotAsExpected(file);
  return {};
}

}  // namespace

Result<> CollectStat(HostSources& sources, MetricBatch& batch) {
  return CollectLines(sources, "stat", kStatLines, batch);
}

Result<> CollectVmstat(HostSources& sources, MetricBatch& batch) {
  return CollectLines(sources, "vmstat", kVmstatLines, batch);
}

// Each line of meminfo is a gauge of its own name: "Active(anon): 12 kB" is
// node_memory_Active_anon_bytes 12288; lines without a unit are counts.
Result<> CollectMemory(HostSources& sources, MetricBatch& batch) {
  TOCSIN_ASSIGN_OR_RETURN(std::string text, sources.ReadProc("meminfo"));
  bool any = false;
  ForEachLine(text, [&](std::string_view line) {
    std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::vector<std::string_view> fields = Fields(line.substr(colon + 1));
    auto value = fields.empty() ? std::nullopt : ParseDouble(fields[0]);
    if (!value.has_value()) return;
    std::string name = "node_memory_";
    for (char c : line.substr(0, colon)) {
      if (c == '(') {
        name += '_';
      } else if (c != ')') {
        name += c;
      }
    }
    bool kilobytes = fields.size() > 1 && fields[1] == "kB";
    if (kilobytes) name += "_bytes";
    batch.AddGauge(name, "Memory, from /proc/meminfo", kilobytes ? *value * 1024 : *value);
    any = true;
  });
  if (!any) return NotAsExpected("meminfo");
  return {};
}

Result<> CollectLoad(HostSources& sources, MetricBatch& batch) {
  TOCSIN_ASSIGN_OR_RETURN(std::string text, sources.ReadProc("loadavg"));
  std::vector<std::string_view> fields = Fields(text);
  if (fields.size() < 3 || !ParseDouble(fields[0]).has_value()) return NotAsExpected("loadavg");
  batch.AddGauge("node_load1", "Load average of the last minute", FieldNumber(fields, 0));
  batch.AddGauge("node_load5", "Load average of the last 5 minutes", FieldNumber(fields, 1));
  batch.AddGauge("node_load15", "Load average of the last 15 minutes", FieldNumber(fields, 2));
  return {};
}

Result<> CollectFileDescriptors(HostSources& sources, MetricBatch& batch) {
  TOCSIN_ASSIGN_OR_RETURN(std::string text, sources.ReadProc("sys/fs/file-nr"));
  std::vector<std::string_view> fields = Fields(TrimSpace(text));
  if (fields.size() < 3) return NotAsExpected("sys/fs/file-nr");
  batch.AddGauge("node_filefd_allocated", "File descriptors in use", FieldNumber(fields, 0));
  batch.AddGauge("node_filefd_maximum", "Most file descriptors allowed", FieldNumber(fields, 2));
  return {};
}

// Pressure stall information; a kernel without it fails the subject.
Result<> CollectPressure(HostSources& sources, MetricBatch& batch) {
  struct Stall {
    std::string_view file;
    std::string_view line;
    std::string_view metric;
    std::string_view help;
  };
  static constexpr Stall kStalls[] = {
      {"pressure/cpu", "some", "node_pressure_cpu_waiting_seconds_total",
       "Time processes waited for a CPU"},
      {"pressure/io", "some", "node_pressure_io_waiting_seconds_total",
       "Time processes waited for I/O"},
      {"pressure/io", "full", "node_pressure_io_stalled_seconds_total",
       "Time no process could go on because of I/O"},
      {"pressure/memory", "some", "node_pressure_memory_waiting_seconds_total",
       "Time processes waited for memory"},
      {"pressure/memory", "full", "node_pressure_memory_stalled_seconds_total",
       "Time no process could go on because of memory"},
  };
  std::string text;
  std::string_view read;
  for (const Stall& stall : kStalls) {
    if (stall.file != read) {
      TOCSIN_ASSIGN_OR_RETURN(text, sources.ReadProc(stall.file));
      read = stall.file;
    }
    ForEachLine(text, [&](std::string_view line) {
      constexpr std::string_view kTotal = "total=";
      std::size_t at = line.find(kTotal);
      if (!line.starts_with(stall.line) || at == std::string_view::npos) return;
      auto microseconds = ParseDouble(line.substr(at + kTotal.size()));
      if (microseconds.has_value())
        batch.AddCounter(stall.metric, stall.help, *microseconds / 1000 / 1000);
    });
  }
  return {};
}

Result<> CollectTime(HostSources& sources, MetricBatch& batch) {
  batch.AddGauge("node_time_seconds", "The host's time, in Unix time",
                 static_cast<double>(ToUnixMillis(sources.at)) / 1000);
  return {};
}

Result<> CollectUname(HostSources&, MetricBatch& batch) {
  utsname name{};
  if (uname(&name) != 0) return Error{ErrorCode::kIoError, "uname failed"};
  auto family =
      batch.DeclareFamily("node_uname_info", "The host's name and kernel", MetricType::kGauge,
                          {"sysname", "release", "version", "machine", "nodename", "domainname"});
  batch.Add(
      family,
      {name.sysname, name.release, name.version, name.machine, name.nodename, name.domainname}, 1);
  return {};
}

}  // namespace tocsin::collectors::host
