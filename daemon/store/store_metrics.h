#pragma once

// The store's own numbers.

#include "daemon/base/metrics.h"

namespace tocsin::store {

struct StoreMetrics {
  explicit StoreMetrics(MetricRegistry& registry);

  Gauge series;           // In the head.
  Gauge series_limit;     // StoreConfig::max_series; the shipped alert compares both.
  Gauge archived_series;  // In history only.
  Gauge chunks;
  Gauge chunk_bytes;
  Gauge unsaved_chunks;
  Gauge journal_rows;
  Gauge disk_bytes;
  Gauge last_sync_timestamp_seconds;
  Counter samples_appended;
  Counter samples_out_of_order;
  Counter samples_duplicate;
  Counter samples_dropped;        // Unsaved beyond the limit while the disk refused.
  Counter journal_rows_dropped;   // Commits that wait for the disk beyond the limit.
  Counter refused_series_all;     // At max_series.
  Counter refused_series_target;  // At max_series_per_target.
  Counter chunks_saved;
  Counter chunks_expired;
  Counter write_failures;  // Journal rows, chunks or syncs that the disk refused.
  Counter read_failures;   // Chunks of history that could not be read.
  Counter corruptions;     // Damaged files set aside.
};

}  // namespace tocsin::store
