#include "daemon/store/store_metrics.h"

namespace tocsin::store {

StoreMetrics::StoreMetrics(MetricRegistry& registry)
    : series(registry.Gauge("tocsin_store_series", "Series in the head.")),
      series_limit(registry.Gauge("tocsin_store_series_limit", "Series the head may hold.")),
      archived_series(
          registry.Gauge("tocsin_store_archived_series", "Series that only history holds.")),
      chunks(registry.Gauge("tocsin_store_chunks", "Chunks in memory, open ones included.")),
      chunk_bytes(registry.Gauge("tocsin_store_chunk_bytes", "Bytes of the chunks in memory.")),
      unsaved_chunks(registry.Gauge("tocsin_store_unsaved_chunks",
                                    "Full chunks that history does not hold yet.")),
      journal_rows(registry.Gauge("tocsin_store_journal_rows", "Commits in the journal.")),
      disk_bytes(registry.Gauge("tocsin_store_disk_bytes", "Size of history.db and its journal.")),
      last_sync_timestamp_seconds(
          registry.Gauge("tocsin_store_last_sync_timestamp_seconds",
                         "When everything committed until then was last put on disk.")),
      samples_appended(
          registry.Counter("tocsin_store_samples_appended_total", "Samples that were stored.")),
      samples_out_of_order(registry.Counter("tocsin_store_samples_rejected_total",
                                            "Samples that their series could not take.",
                                            {{"reason", "out_of_order"}})),
      samples_duplicate(registry.Counter("tocsin_store_samples_rejected_total",
                                         "Samples that their series could not take.",
                                         {{"reason", "duplicate"}})),
      samples_dropped(
          registry.Counter("tocsin_store_samples_dropped_total",
                           "Samples dropped because the disk refused them for too long.")),
      journal_rows_dropped(registry.Counter(
          "tocsin_store_journal_rows_dropped_total",
          "Commits that a crash would lose because the disk refused them for too long.")),
      refused_series_all(registry.Counter("tocsin_store_series_refused_total",
                                          "Series refused at a limit.", {{"limit", "all"}})),
      refused_series_target(registry.Counter("tocsin_store_series_refused_total",
                                             "Series refused at a limit.", {{"limit", "target"}})),
      chunks_saved(
          registry.Counter("tocsin_store_chunks_saved_total", "Chunks written to history.")),
      chunks_expired(registry.Counter("tocsin_store_chunks_expired_total",
                                      "Chunks deleted by retention of age or size.")),
      write_failures(registry.Counter("tocsin_store_write_failures_total",
                                      "Writes or syncs of history that the disk refused.")),
      read_failures(
          registry.Counter("tocsin_store_read_failures_total", "Reads of history that failed.")),
      corruptions(registry.Counter("tocsin_store_corruptions_total",
                                   "Damaged history files that were set aside.")) {}

}  // namespace tocsin::store
