#pragma once

// A histogram in four columns of a user's query, as postgres_exporter's usage HISTOGRAM takes
// it: NAME is an array of upper bounds in ascending order, NAME_bucket how many values were at
// most each of them, NAME_sum and NAME_count are those of all.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "collectors/postgres/rows.h"
#include "daemon/base/result.h"

namespace tocsin::collectors::postgres {

inline constexpr std::array<std::string_view, 4> kHistogramSuffixes = {"", "_bucket", "_sum",
                                                                       "_count"};

struct CustomHistogram {
  std::vector<double> upper_bounds;   // Without +Inf.
  std::vector<std::uint64_t> counts;  // Of each bucket alone, that of +Inf last.
  double sum = 0;
};

// The one of `row`, in the columns of these suffixes; nothing if one of them is NULL.
// Errors: kCorruption, with what is wrong and without a value: those are the user's data.
Result<std::optional<CustomHistogram>> ReadHistogram(const Rows& rows, int row,
                                                     const std::vector<int>& columns);

// The same of the four texts, as PostgreSQL writes arrays and numbers.
Result<CustomHistogram> ParseHistogram(std::string_view bounds, std::string_view buckets,
                                       std::string_view sum, std::string_view count);

}  // namespace tocsin::collectors::postgres
