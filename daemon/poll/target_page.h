#pragma once

// What a target's last collection brought, for /metrics.

#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/model/labels.h"
#include "daemon/model/metric_batch.h"

namespace tocsin::poll {

struct TargetPage {
  std::string kind;
  std::string name;
  model::Labels labels;
  bool honor_labels = false;
  bool up = false;
  double duration_seconds = 0;
  std::string up_metric;  // The kind's own verdict, "pg_up"; may be empty.
  std::string up_help;
  std::string exporter;  // "postgres_exporter", or empty: CollectorKind::exporter.
  WallTime at{};         // Zero before the first collection.
  // Null before the first good collection and while the target is down. Immutable.
  std::shared_ptr<const model::MetricBatch> batch;
};

// What poll itself says of the target beside its own rows: up, how long it took, and
// what the exporter would say.
std::shared_ptr<const model::MetricBatch> VerdictsOf(const TargetPage& page);

// The kind's verdict and the exporter's build_info alone: whoever scrapes an exporter
// writes the rest.
std::shared_ptr<const model::MetricBatch> ExporterVerdictsOf(const TargetPage& page);

// "redis_exporter_build_info", which has the label kBuildVersion; empty without an exporter.
std::string BuildInfoName(std::string_view exporter);
inline constexpr std::string_view kBuildVersion = "version";

}  // namespace tocsin::poll
