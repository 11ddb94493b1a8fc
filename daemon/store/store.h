#pragma once

// The time series store: takes every committed sample (SampleSink), answers
// every selection (Querier), and keeps history on disk. The newest samples of
// each series are in memory, in compressed chunks; each commit is also one row
// of a journal in history.db, and chunks that are full move to history.db on a
// lane of the store's own, after which their journal rows go away.
//
// Across a crash of the process nothing committed is lost. Power loss costs at
// most the last minute (kSyncInterval plus one tick), and never the middle: what
// remains of a series is what came before. A history.db that is damaged is
// renamed beside itself with the time, a new one is opened, and Stats() and
// tocsin_store_corruptions_total say so; what memory holds is kept and saved
// into the new file. When the disk refuses, samples stay in memory and every
// tick tries again; above StoreConfig::max_unsaved_bytes the oldest are dropped
// and counted.
//
// Ordering is per series: a sample is stored if it is newer than the series'
// last one, whatever its time is (1970 and before included). Retention counts
// from arrival, so that a late backfill is not deleted as it comes.
//
// With an empty path everything is in memory only, under the same limits.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/executor.h"
#include "daemon/base/file_system.h"
#include "daemon/base/metrics.h"
#include "daemon/base/result.h"
#include "daemon/model/querier.h"
#include "daemon/model/sample_sink.h"
#include "daemon/store/store_config.h"

namespace tocsin::store {

using NamedCount = std::pair<std::string, std::int64_t>;

// A moment's numbers, for /api/v1/status/tsdb and the alert about damage.
struct StoreStats {
  std::int64_t series = 0;           // In the head.
  std::int64_t archived_series = 0;  // In history only.
  std::int64_t samples = 0;          // In memory.
  std::int64_t chunks = 0;           // In memory, open ones included.
  std::int64_t unsaved_chunks = 0;   // Full, but not yet in history.
  std::int64_t label_pairs = 0;      // Distinct, in the head.
  std::int64_t min_time_ms = 0;      // Of the samples in memory; both 0 without samples.
  std::int64_t max_time_ms = 0;
  // Of chunks and series, without the labels that several share and allocator overhead.
  std::int64_t memory_bytes = 0;
  std::int64_t chunk_bytes = 0;  // Of these the chunks.
  std::int64_t disk_bytes = 0;
  std::int64_t journal_rows = 0;
  std::int64_t corruptions = 0;  // Damaged files set aside since the start.
  std::string damaged_path;      // Where the last of them lies; empty: none.
  bool disk_failing = false;     // The last write or sync of history failed.

  std::vector<NamedCount> series_by_metric;       // Most first, each at most `top` long.
  std::vector<NamedCount> values_by_label;        // Distinct values of a label name.
  std::vector<NamedCount> memory_bytes_by_label;  // Text of a label's values.
  std::vector<NamedCount> series_by_label_pair;   // "name=value".
};

// Thread-safe. Refs that Resolve returned stay valid for kRefLifetime after
// their last append. Selections must not outlive the store.
class Store final : public model::SampleSink, public model::Querier {
 public:
  // How much a power loss may cost, but for the time one sync takes.
  static constexpr Millis kSyncInterval{30'000};
  static constexpr Millis kTickInterval{10'000};
  static constexpr Millis kRefLifetime{std::chrono::hours(1)};

  // Opens or creates history.db in the configured folder (made if it is missing)
  // and replays its journal. All references must outlive the store. `vfs` names
  // the SQLite VFS, for tests.
  // Errors: kIoError, kPermissionDenied; kInvalidArgument if a newer version of
  // the program wrote the file. A damaged file is no error.
  static Result<std::unique_ptr<Store>> Open(const StoreConfig& config, const Clock& clock,
                                             ExecutorFactory& executors, FileSystem& files,
                                             MetricRegistry& metrics, std::string vfs = "");

  // Ends the lane and closes the file without flushing: what was committed is in
  // the journal.
  ~Store() override;

  // Errors besides SampleSink's: none. O(1) for a known series; the first call
  // for a series that is in history only reads the disk.
  Result<model::SeriesRef> Resolve(const model::Labels& labels) override;
  Result<model::CommitOutcome> Commit(const model::CommitContext& context,
                                      std::span<const model::SeriesSample> samples) override;

  Result<std::unique_ptr<model::Selection>> Select(const std::vector<model::Matcher>& matchers,
                                                   model::TimeRange range) const override;
  Result<std::vector<std::string>> LabelNames(const std::vector<model::Matcher>& matchers,
                                              model::TimeRange range) const override;
  Result<std::vector<std::string>> LabelValues(const std::string& name,
                                               const std::vector<model::Matcher>& matchers,
                                               model::TimeRange range) const override;

  // O(series) and some sorting: for a page that a person opens.
  StoreStats Stats(std::size_t top = 10) const;

  // Writes what is pending and syncs: on OK everything committed survives power
  // loss. Called when the daemon stops; may be called at any time.
  // Errors: kIoError.
  Result<> Flush();

 private:
  class Rep;
  explicit Store(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace tocsin::store
