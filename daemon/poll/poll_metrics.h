#pragma once

// Poll's own numbers.

#include "daemon/base/metrics.h"

namespace tocsin::poll {

struct PollMetrics {
  explicit PollMetrics(MetricRegistry& registry)
      : collections(registry.Counter("tocsin_poll_collections_total", "Collections started.")),
        failures(registry.Counter("tocsin_poll_failures_total", "Collections that failed.")),
        skipped(registry.Counter(
            "tocsin_poll_skipped_total",
            "Collections not started because the one before was still in flight.")),
        samples(registry.Counter("tocsin_poll_samples_total", "Samples committed.")),
        duplicates(registry.Counter("tocsin_poll_duplicate_samples_total",
                                    "Rows dropped because their series stood in the same "
                                    "collection before.")),
        refused(registry.Counter("tocsin_poll_refused_samples_total",
                                 "Rows dropped because the series limit was reached.")),
        unstored(registry.Counter("tocsin_poll_commit_errors_total",
                                  "Commits that the store reported an error for.")),
        targets(registry.Gauge("tocsin_poll_targets", "Configured targets.")),
        targets_down(
            registry.Gauge("tocsin_poll_targets_down", "Targets whose last collection failed.")) {}

  Counter collections;
  Counter failures;
  Counter skipped;
  Counter samples;
  Counter duplicates;
  Counter refused;
  Counter unstored;
  Gauge targets;
  Gauge targets_down;
};

}  // namespace tocsin::poll
