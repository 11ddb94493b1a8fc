#include "daemon/store/store_config.h"

namespace tocsin::store {
namespace {

constexpr std::int64_t kMinSizeBytes = 10'000'000;
constexpr std::int64_t kMostSeries = 100'000'000;
constexpr Millis kMinMemoryWindow{std::chrono::minutes(10)};

}  // namespace

StoreConfig ParseStoreConfig(ConfigReader storage_section) {
  ConfigReader& reader = storage_section;
  StoreConfig config;
  config.path = reader.String("path");
  config.retention = reader.Duration("retention", config.retention);
  config.max_size_bytes = reader.Bytes("max_size", config.max_size_bytes);
  if (config.max_size_bytes < kMinSizeBytes) {
    reader.Fail("max_size", "must be at least 10MB");
    config.max_size_bytes = kMinSizeBytes;
  }
  config.memory_window = reader.Duration("memory_window", config.memory_window, kMinMemoryWindow);
  config.max_series = reader.Int("max_series", config.max_series, 1, kMostSeries);
  config.max_series_per_target =
      reader.Int("max_series_per_target", config.max_series_per_target, 1, kMostSeries);
  reader.Finish();
  return config;
}

}  // namespace tocsin::store
