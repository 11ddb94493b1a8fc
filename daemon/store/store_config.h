#pragma once

// The section `storage` of the configuration file.

#include <cstdint>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/config_node.h"

namespace tocsin::store {

struct StoreConfig {
  std::string path;                               // A folder; empty: samples live in memory only.
  Millis retention{std::chrono::hours(15 * 24)};  // Since arrival; 0: for ever.
  std::int64_t max_size_bytes = 1'000'000'000;    // Of history on disk (memory without a path).
  Millis memory_window{std::chrono::hours(2)};    // How long saved chunks stay readable in memory.
  std::int64_t max_series = 1'000'000;            // In the head.
  std::int64_t max_series_per_target = 300'000;   // Of one job and instance.

  // What may be unsaved while the disk refuses, before the oldest is dropped and counted.
  std::int64_t max_unsaved_bytes = 256 << 20;
};

// Reads `storage: {path, retention, max_size, memory_window, max_series,
// max_series_per_target}`. What is wrong is added to the reader's errors.
StoreConfig ParseStoreConfig(ConfigReader storage_section);

}  // namespace tocsin::store
