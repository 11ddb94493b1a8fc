#pragma once

// A batch as a test reads it: `name{a="b"}` → value.

#include <map>
#include <string>

#include "daemon/model/metric_batch.h"

namespace tocsin::testing {

using MetricPage = std::map<std::string, double>;

MetricPage PageOfNumbers(const model::MetricBatch& batch);

}  // namespace tocsin::testing
