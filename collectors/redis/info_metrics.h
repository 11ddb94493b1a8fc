#pragma once

// Which field of INFO and CLUSTER INFO is which metric: one row each, but for those
// that begin with cluster_ and keep their names.

#include <span>
#include <string_view>

#include "daemon/model/metric_batch.h"

namespace tocsin::collectors::redis {

struct InfoMetric {
  std::string_view field;
  std::string_view metric;
  model::MetricType type;
  double divisor = 1;
};

// The metric of a field, or nullptr if it has no row.
const InfoMetric* FindInfoMetric(std::string_view field);

}  // namespace tocsin::collectors::redis
