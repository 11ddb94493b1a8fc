#pragma once

// Turns how one collection of a target ended into one commit: its samples, up,
// scrape_duration_seconds and the kind's own verdict, and staleness markers for
// what has vanished, as Prometheus writes them. Not thread-safe.

#include <memory>
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

class TargetRecorder {
 public:
  // `stored` is what the process before has left behind.
  TargetRecorder(const TargetConfig& config, model::SampleSink& sink, const model::Querier& stored,
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
  void AddOwn(std::string_view name, double value, std::int64_t at_ms);
  void AddStaleMarkers(std::int64_t at_ms);
  void AddStaleMarkersOfLastLife(std::int64_t at_ms);
  void Commit(WallTime at);

  const TargetConfig& config_;
  model::SampleSink& sink_;
  const model::Querier& stored_;
  PollMetrics& metrics_;
  SeriesCache cache_;
  std::vector<model::SeriesSample> samples_;  // Reused between collections.
  std::vector<model::SeriesRef> last_life_;   // Only in the first collection.
  bool is_first_ = true;
  std::int64_t series_added_ = 0;
};

}  // namespace tocsin::poll
