#include "daemon/poll/poll_config.h"

#include <algorithm>
#include <set>

#include "collectors/kinds.h"
#include "daemon/base/text.h"

namespace tocsin::poll {
namespace {

constexpr Millis kShortestInterval{100};
constexpr Millis kDefaultInterval = std::chrono::seconds(15);

struct Defaults {
  Millis interval{};
  bool has_timeout = false;
  Millis timeout{};
};

Millis ReadTimeout(ConfigReader& reader, const collectors::CollectorKind& kind,
                   const Defaults& defaults, Millis interval) {
  const bool may_exceed_interval = kind.name == "http";  // A slow probe is an answer.
  if (reader.Has("timeout")) {
    const Millis timeout = reader.Duration("timeout", defaults.timeout, Millis(1));
    if (timeout > interval && !may_exceed_interval) {
      reader.Fail("timeout", "must not be longer than the interval (" + FormatDuration(interval) +
                                 "): only one collection is in flight");
    }
    return timeout;
  }
  if (may_exceed_interval && !defaults.has_timeout) return kind.default_timeout;
  const Millis timeout = defaults.has_timeout ? defaults.timeout : kind.default_timeout;
  return std::min(timeout, interval);
}

model::Labels ReadLabels(ConfigReader& reader, const collectors::CollectorKind& kind,
                         const std::string& default_instance) {
  const auto configured = reader.StringMap("labels");
  std::vector<model::LabelView> labels;
  for (const auto& [name, value] : configured) {
    if (!model::IsPlainLabelName(name) || name.starts_with("__")) {
      reader.Fail("labels", "\"" + name + "\" is not a label name");
    }
    if (name == "job" || name == "instance") {
      reader.Fail("labels", "\"" + name + "\" has a key of its own beside \"labels\"");
    }
    labels.emplace_back(name, value);
  }
  const std::string job = reader.String("job", std::string(kind.name));
  const std::string instance = reader.String("instance", default_instance);
  labels.emplace_back("job", job);
  labels.emplace_back("instance", instance);
  return model::Labels::FromPairs(std::move(labels));
}

TargetConfig ReadTarget(ConfigReader& reader, const collectors::CollectorKind& kind,
                        const Defaults& defaults, FileSystem& files) {
  TargetConfig target;
  target.kind = &kind;
  target.name = reader.RequiredString("name");
  target.interval = reader.Duration("interval", defaults.interval, kShortestInterval);
  target.timeout = ReadTimeout(reader, kind, defaults, target.interval);
  target.parsed = kind.parse(reader, files);
  target.labels = ReadLabels(reader, kind, target.parsed.instance);
  reader.Finish();
  target.fingerprint = FingerprintOf(reader.node(), files) + FormatDuration(target.interval) + "/" +
                       FormatDuration(target.timeout);
  return target;
}

// Two targets with the same labels would write the same series in turn.
void CheckUnique(const std::vector<TargetConfig>& targets, const TargetConfig& added,
                 ConfigReader& reader) {
  for (const TargetConfig& other : targets) {
    if (other.kind == added.kind && other.name == added.name) {
      reader.Fail("name", "\"" + added.name + "\" is the name of another " +
                              std::string(added.kind->name) + " target");
    } else if (other.labels == added.labels) {
      reader.Fail("instance", "has the same job and instance as \"" + other.name +
                                  "\": give one of them another \"instance\" or \"labels\"");
    }
  }
}

bool TakesALane(const collectors::CollectorKind& kind) {
  return kind.name != "http" && kind.name != "prometheus";
}

}  // namespace

PollConfig ParsePollConfig(ConfigReader& root, FileSystem& files) {
  PollConfig config;
  config.interval = root.Duration("interval", kDefaultInterval, kShortestInterval);
  Defaults defaults;
  defaults.interval = config.interval;
  defaults.has_timeout = root.Has("timeout");
  defaults.timeout = root.Duration("timeout", std::chrono::seconds(5), Millis(1));
  int blocking = 0;
  for (const collectors::CollectorKind& kind : collectors::CollectorKinds()) {
    for (ConfigReader& reader : root.Maps(kind.name)) {
      TargetConfig target = ReadTarget(reader, kind, defaults, files);
      CheckUnique(config.targets, target, reader);
      if (TakesALane(kind) && ++blocking == kMaxBlockingTargets + 1) {
        reader.Fail("name", "more than " + std::to_string(kMaxBlockingTargets) +
                                " database, pool, Redis, TCP and host targets: share "
                                "them among several daemons");
      }
      config.targets.push_back(std::move(target));
    }
  }
  return config;
}

}  // namespace tocsin::poll
