#pragma once

// What becomes of a page's own label when its target has one of that name.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "daemon/model/labels.h"
#include "daemon/model/metric_batch.h"

namespace tocsin::model {

// The row's labels that meet one of the target's: each one's index in the row and
// the name that keeps its value, `exported_` before its own, as often as it takes for
// no other label of both to have it. Empty values are left out, as they are no label.
// Nothing is allocated while no label meets another. The rule is Prometheus'
// (scrape/target.go, resolveConflictingExposedLabels).
std::vector<std::pair<std::uint32_t, std::string>> ExportedLabels(const MetricBatch::Row& row,
                                                                  const Labels& target);

// All labels of the row's series, its name and the target's included. `honor_labels`:
// the row's own win, and an empty one unsets the target's.
Labels SeriesLabels(const MetricBatch::Row& row, const Labels& target, bool honor_labels);

}  // namespace tocsin::model
