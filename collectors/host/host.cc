#include "collectors/host/host.h"

#include <unistd.h>

#include <climits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "collectors/host/subjects.h"
#include "daemon/base/deadline.h"

namespace tocsin::collectors::host {
namespace {

using model::MetricBatch;
using model::MetricType;

constexpr Subject kSubjects[] = {
    {"cpu", CollectCpu},
    {"stat", CollectStat},
    {"meminfo", CollectMemory},
    {"loadavg", CollectLoad},
    {"pressure", CollectPressure},
    {"diskstats", CollectDisks},
    {"filesystem", CollectFilesystems},
    {"netdev", CollectNetworkTraffic},
    {"netclass", CollectNetworkDevices},
    {"vmstat", CollectVmstat},
    {"filefd", CollectFileDescriptors},
    {"time", CollectTime},
    {"uname", CollectUname},
    {"processes", CollectProcesses},
};

class HostCollector : public Collector {
 public:
  HostCollector(HostPaths paths, FileSystem& files)
      : sources_{files, std::move(paths), {}, {}, {}} {}

  Result<> Collect(const CollectContext& context, MetricBatch& batch) override {
    Deadline deadline(context.clock, context.deadline, context.stop);
    sources_.at = context.at;
    auto duration = batch.DeclareFamily("node_scrape_collector_duration_seconds",
                                        "Time the subject took", MetricType::kGauge, {"collector"});
    auto success =
        batch.DeclareFamily("node_scrape_collector_success", "1 if the subject could be read",
                            MetricType::kGauge, {"collector"});
    std::optional<Error> failure;
    bool cpu_read = false;
    for (const Subject& subject : Subjects()) {
      TOCSIN_RETURN_IF_ERROR(deadline.Check("reading the host's numbers"));
      SteadyTime started = context.clock.SteadyNow();
      auto collected = subject.collect(sources_, batch);
      batch.Add(duration, {subject.name}, ToSeconds(context.clock.SteadyNow() - started));
      batch.Add(success, {subject.name}, collected.ok() ? 1 : 0);
      if (collected.ok()) {
        cpu_read = cpu_read || subject.collect == CollectCpu;
      } else {
        batch.AddNote(collected.error().WithContext(subject.name).message);
        if (!failure.has_value()) failure = collected.error().WithContext(subject.name);
      }
    }
    // A host without CPU times is not one: procfs is not there.
    if (!cpu_read) return *failure;
    return {};
  }

 private:
  HostSources sources_;
};

std::string HostName() {
  char name[HOST_NAME_MAX + 1] = "";
  if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  return name;
}

std::string ReadFolder(ConfigReader& reader, std::string_view key, const std::string& fallback) {
  std::string folder = reader.String(key, fallback);
  if (folder.empty() || folder.front() != '/') reader.Fail(key, "must be an absolute path");
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  return folder;
}

}  // namespace

std::span<const Subject> Subjects() { return kSubjects; }

ParsedTarget ParseHostTarget(ConfigReader& reader, FileSystem&) {
  HostPaths paths;
  paths.proc = ReadFolder(reader, "procfs", paths.proc);
  paths.sys = ReadFolder(reader, "sysfs", paths.sys);
  paths.root = ReadFolder(reader, "rootfs", paths.root);
  ParsedTarget target;
  target.instance = HostName();
  target.address = paths.proc;
  target.make = [paths](const CollectorEnvironment& environment) -> AnyCollector {
    return std::make_unique<HostCollector>(paths, environment.files);
  };
  return target;
}

}  // namespace tocsin::collectors::host
