#pragma once

// The notation in which tests write series, promtool's and promqltest's: a metric
// and a sequence of samples, one per interval.
//
//   1 2 -3 NaN Inf      values
//   _  _x3              no sample, here and three times
//   stale               a staleness marker
//   5x3                 5, and 5 three times more
//   1+2x3               1 3 5 7
//   10-5x2              10 5 0
//   {{…}}               a native histogram: refused, Tocsin holds floats only
//
// Pure functions; thread-safe.

#include <cstdint>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/model/labels.h"

namespace tocsin::promql {

// Samples that one sequence may write ("0x1000000000" is refused).
inline constexpr std::int64_t kMaxSequenceSamples = 10'000'000;

struct SequenceValue {
  double value = 0;      // Perhaps a staleness marker.
  bool omitted = false;  // No sample in this interval.
};

struct SeriesDescription {
  model::Labels labels;
  std::vector<SequenceValue> values;
};

// `metric{a="b"} 1+2x3`: a metric and its sequence. Errors: kInvalidArgument with upstream's
// text, line and column.
Result<SeriesDescription> ParseSeriesDescription(std::string_view text);

}  // namespace tocsin::promql
