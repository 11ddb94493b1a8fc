#pragma once

// Label sets that differ in the metric's name only, as those of a table's metrics do, made
// to share their blocks. For whoever makes many of them in one go: a collection, a start.
// Holds at most kMostParts names and other parts; sets with others are left as they are.
// Not thread-safe.

#include <cstddef>
#include <optional>
#include <vector>

#include "daemon/base/place_table.h"
#include "daemon/model/labels.h"

namespace tocsin::model {

class LabelPool {
 public:
  static constexpr std::size_t kMostParts = 100'000;

  // The same labels, sharing what it can with those that were asked for before.
  Labels Share(const Labels& labels);

 private:
  std::optional<Labels> Part(Labels part);  // Nothing: it is new, and there is no room.

  std::vector<Labels> parts_;
  PlaceTable places_;  // Of each one of parts_.
};

}  // namespace tocsin::model
