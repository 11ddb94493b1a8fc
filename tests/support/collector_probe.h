#pragma once

// Runs one collector as poll does: parsed from its section's YAML, one collection
// at a time, each with a deadline.

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "collectors/collector.h"
#include "daemon/base/file_system.h"

namespace tocsin::testing {

class CollectorProbe {
 public:
  using Parse = collectors::ParsedTarget (*)(ConfigReader& reader, FileSystem& files);

  // Fails the test if `yaml` has errors.
  CollectorProbe(Parse parse, std::string_view yaml);

  // Collects into batch(), which is emptied first.
  Result<> Collect(std::chrono::milliseconds timeout = std::chrono::seconds(10),
                   std::stop_token stop = {});

  const model::MetricBatch& batch() const { return batch_; }
  // How long the last Collect took.
  std::chrono::milliseconds took() const { return took_; }
  const collectors::ParsedTarget& target() const { return target_; }

 private:
  SystemClock clock_;
  PosixFileSystem files_;
  collectors::ParsedTarget target_;
  std::unique_ptr<collectors::Collector> collector_;
  model::MetricBatch batch_;
  std::chrono::milliseconds took_{};
};

}  // namespace tocsin::testing
