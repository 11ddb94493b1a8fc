#pragma once

// Reading a MetricBatch in tests, in the words of the exposition format.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "daemon/model/metric_batch.h"

namespace tocsin::testing {

// The value of the series `name{a="b",…}` (labels sorted by name, none empty), or
// nothing if the batch has no such series.
std::optional<double> Value(const model::MetricBatch& batch, std::string_view series);

// Every series and its value, as `name{a="b"}`.
std::map<std::string, double> Series(const model::MetricBatch& batch);

// Each family that has a row, with its type: {"redis_up", "gauge"}.
std::map<std::string, std::string> FamilyTypes(const model::MetricBatch& batch);

// The series that occur more than once: a page with one of those is refused.
std::set<std::string> Duplicates(const model::MetricBatch& batch);

}  // namespace tocsin::testing
