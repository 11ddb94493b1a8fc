#include "collectors/postgres/custom_histogram.h"

#include <cmath>
#include <utility>

#include "daemon/base/text.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr std::size_t kMostBuckets = 1'000;
constexpr double kMostCount = 9'007'199'254'740'992;  // Whole numbers are exact up to here.

Error Wrong(std::string message) { return Error{ErrorCode::kCorruption, std::move(message)}; }

// "{0.1,0.5,Infinity}", of one dimension.
std::optional<std::vector<double>> ParseArray(std::string_view text) {
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::vector<double> numbers;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const auto number = ParseDouble(text.substr(0, comma));
    if (!number) return std::nullopt;
    numbers.push_back(*number);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return numbers;
}

}  // namespace

Result<CustomHistogram> ParseHistogram(std::string_view bounds, std::string_view buckets,
                                       std::string_view sum, std::string_view count) {
  auto upper_bounds = ParseArray(bounds);
  auto cumulative = ParseArray(buckets);
  const auto total_sum = ParseDouble(sum);
  const auto total_count = ParseDouble(count);
  if (!upper_bounds || !cumulative) return Wrong("not an array of numbers");
  if (!total_sum || !total_count) return Wrong("the sum or the count is not a number");
  if (upper_bounds->size() != cumulative->size()) return Wrong("not as many buckets as bounds");
  if (upper_bounds->size() > kMostBuckets) return Wrong("more than 1000 buckets");
  CustomHistogram histogram;
  histogram.sum = *total_sum;
  if (!upper_bounds->empty() && std::isinf(upper_bounds->back())) {
    upper_bounds->pop_back();  // Everybody has it, with the count of all.
    cumulative->pop_back();
  }
  cumulative->push_back(*total_count);
  double before = 0;
  for (std::size_t i = 0; i < cumulative->size(); ++i) {
    const double now = (*cumulative)[i];
    if (!(now >= before && now <= kMostCount) || now != std::floor(now)) {
      return Wrong("the buckets must count up to the count of all");
    }
    histogram.counts.push_back(static_cast<std::uint64_t>(now - before));
    before = now;
  }
  for (std::size_t i = 0; i < upper_bounds->size(); ++i) {
    const double bound = (*upper_bounds)[i];
    if (!std::isfinite(bound) || (i > 0 && bound <= (*upper_bounds)[i - 1])) {
      return Wrong("the bounds must ascend");
    }
  }
  histogram.upper_bounds = *std::move(upper_bounds);
  return histogram;
}

Result<std::optional<CustomHistogram>> ReadHistogram(const Rows& rows, int row,
                                                     const std::vector<int>& columns) {
  for (const int column : columns) {
    if (rows.IsNull(row, column)) return std::optional<CustomHistogram>();
  }
  TOCSIN_ASSIGN_OR_RETURN(auto histogram,
                          ParseHistogram(rows.Text(row, columns[0]), rows.Text(row, columns[1]),
                                         rows.Text(row, columns[2]), rows.Text(row, columns[3])));
  return std::optional(std::move(histogram));
}

}  // namespace tocsin::collectors::postgres
