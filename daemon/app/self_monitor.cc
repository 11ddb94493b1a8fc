#include "daemon/app/self_monitor.h"

#include <sys/resource.h>
#include <unistd.h>

#include "daemon/base/text.h"
#include "daemon/formats/exposition.h"

namespace tocsin::app {
namespace {

collectors::ParsedTarget NotConfigurable(ConfigReader& /*reader*/, FileSystem& /*files*/) {
  return {};
}

constexpr collectors::CollectorKind kSelfKind{"tocsin", "", "", std::chrono::seconds(5),
                                              NotConfigurable};

// CPU, memory and file descriptors, under the names every exporter uses.
void AddProcessMetrics(FileSystem& files, model::MetricBatch& batch) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  batch.AddCounter("process_cpu_seconds_total", "CPU time of this process.",
                   seconds(usage.ru_utime) + seconds(usage.ru_stime));
  if (const auto statm = files.Read("/proc/self/statm"); statm.ok()) {
    const std::string_view text = *statm;
    const std::size_t space = text.find(' ');
    const auto pages = [](std::string_view word) {
      return static_cast<double>(ParseInt(word.substr(0, word.find(' '))).value_or(0));
    };
    const auto page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
    batch.AddGauge("process_virtual_memory_bytes", "Virtual memory of this process.",
                   pages(text) * page_bytes);
    batch.AddGauge("process_resident_memory_bytes", "Resident memory of this process.",
                   pages(text.substr(space + 1)) * page_bytes);
  }
  if (const auto open = files.List("/proc/self/fd"); open.ok()) {
    batch.AddGauge("process_open_fds", "Open file descriptors.", static_cast<double>(open->size()));
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    batch.AddGauge("process_max_fds", "Limit of open file descriptors.",
                   static_cast<double>(limit.rlim_cur));
  }
}

class SelfCollector : public collectors::Collector {
 public:
  SelfCollector(const MetricRegistry& registry, FileSystem& files)
      : registry_(registry), files_(files) {}

  Result<> Collect(const collectors::CollectContext& /*context*/,
                   model::MetricBatch& batch) override {
    AddProcessMetrics(files_, batch);
    TOCSIN_RETURN_IF_ERROR(
        formats::ParseExposition(registry_.Text(), formats::ParseOptions(), batch));
    return Result<>();
  }

 private:
  const MetricRegistry& registry_;
  FileSystem& files_;
};

}  // namespace

poll::TargetConfig SelfTarget(const MetricRegistry& registry, Millis interval,
                              const std::string& instance) {
  poll::TargetConfig target;
  target.kind = &kSelfKind;
  target.name = "self";
  target.labels = model::Labels{{"job", "tocsin"}, {"instance", instance}};
  target.interval = interval;
  target.timeout = std::min<Millis>(interval, kSelfKind.default_timeout);
  target.parsed.instance = instance;
  target.parsed.address = instance;
  target.parsed.make = [&registry](const collectors::CollectorEnvironment& environment) {
    return collectors::AnyCollector(std::make_unique<SelfCollector>(registry, environment.files));
  };
  target.fingerprint = instance + "/" + FormatDuration(interval);
  return target;
}

}  // namespace tocsin::app
