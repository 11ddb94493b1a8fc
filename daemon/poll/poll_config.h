#pragma once

// The targets of a configuration, parsed: what is polled, how often, and under
// which labels.

#include <string>
#include <vector>

#include "collectors/collector.h"
#include "daemon/base/config_node.h"
#include "daemon/base/file_system.h"
#include "daemon/model/labels.h"

namespace tocsin::poll {

struct TargetConfig {
  const collectors::CollectorKind* kind = nullptr;
  std::string name;      // Unique within its kind.
  model::Labels labels;  // job, instance and the configured ones.
  Millis interval{};
  Millis timeout{};
  collectors::ParsedTarget parsed;
  // Equal for two configurations of the same target that differ in nothing,
  // credentials read from files included: a reload then leaves it running.
  std::string fingerprint;
};

struct PollConfig {
  Millis interval = std::chrono::seconds(15);  // The default of targets and rules.
  std::vector<TargetConfig> targets;
};

// Kinds with a lane of their own (all but http and prometheus) may have this many
// targets in all; each is a thread.
inline constexpr int kMaxBlockingTargets = 200;

// Reads interval, timeout and the section of every kind from the top of the
// configuration; adds what is wrong to the reader's errors.
PollConfig ParsePollConfig(ConfigReader& root, FileSystem& files);

}  // namespace tocsin::poll
