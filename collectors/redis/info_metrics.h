#pragma once

// Which field of INFO and CLUSTER INFO is which metric: one row each.

#include <span>
#include <string_view>

#include "daemon/model/metric_batch.h"

namespace tocsin::collectors::redis {

struct InfoMetric {
  std::string_view field;
  std::string_view metric;
  model::MetricType type;
  double scale = 1;
};

// The metric of a field, or nullptr if it is none.
const InfoMetric* FindInfoMetric(std::string_view field);
const InfoMetric* FindClusterMetric(std::string_view field);

}  // namespace tocsin::collectors::redis
