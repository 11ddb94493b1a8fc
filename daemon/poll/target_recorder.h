#pragma once

// Turns how one collection of a target ended into one commit: its samples, up,
// scrape_duration_seconds and the kind's own verdict, and staleness markers for
// what has vanished, as Prometheus writes them. Not thread-safe.

#include <memory>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/model/metric_batch.h"
#include "daemon/model/querier.h"
#include "daemon/model/sample_sink.h"
#include "daemon/poll/poll_config.h"
#include "daemon/poll/poll_metrics.h"
#include "daemon/poll/series_cache.h"

namespace tocsin::poll {

// What the process before this one has left in the store.
struct LastLife {
  const model::Querier& stored;
  Millis lookback{};  // A series without a sample for so long is not seen any more.
  WallTime ended{};   // When this process began.
};

class TargetRecorder {
 public:
  TargetRecorder(const TargetConfig& config, model::SampleSink& sink, const LastLife& last_life,
                 PollMetrics& metrics);

  struct Summary {
    std::int64_t samples = 0;  // Of the collector's own rows, stored ones.
  };

  // Commits a collection that ended after `duration_seconds`. A failed one has
  // an `error`: its rows are not taken, its verdicts are 0.
  Summary Record(WallTime at, double duration_seconds, const model::MetricBatch& batch,
                 const Error* error);

  // Ends every series of the target: it was removed.
  void End(WallTime at);

 private:
  void AddRows(const model::MetricBatch& batch, std::int64_t at_ms);
  void AddOwn(std::string_view name, double value, std::int64_t at_ms, model::LabelView label = {});
  void AddStaleMarkers(std::int64_t at_ms);
  std::vector<model::SeriesRef> FindOpenOfLastLife(std::int64_t at_ms) const;
  void Commit(WallTime at);
  void CommitSamples(WallTime at);

  const TargetConfig& config_;
  model::SampleSink& sink_;
  const LastLife last_life_;
  PollMetrics& metrics_;
  const std::string build_info_;  // Of the exporter the kind stands in for; empty: none.
  SeriesCache cache_;
  std::vector<model::SeriesSample> samples_;  // Reused between collections.
  bool is_first_ = true;
  std::int64_t series_added_ = 0;
};

}  // namespace tocsin::poll
