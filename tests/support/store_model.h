#pragma once

// The slow, obvious twin of the store: a std::map of what was committed. Tests
// compare the fast one with it.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "daemon/model/labels.h"
#include "daemon/model/matcher.h"
#include "daemon/model/querier.h"
#include "daemon/model/sample.h"

namespace tocsin::testing {

class StoreModel {
 public:
  using Samples = std::map<std::int64_t, std::uint64_t>;  // Time to the value's bits.

  // Returns whether the series takes the sample, or has just taken it.
  bool Append(const model::Labels& labels, std::int64_t time_ms, double value);

  // What a query must answer: only series with samples within the range.
  std::map<std::string, Samples> Read(const std::vector<model::Matcher>& matchers,
                                      model::TimeRange range) const;

  const std::map<model::Labels, Samples>& series() const { return series_; }

 private:
  std::map<model::Labels, Samples> series_;
};

// The same from a querier; fails the test on an error or on times out of order.
std::map<std::string, StoreModel::Samples> ReadAll(const model::Querier& querier,
                                                   const std::vector<model::Matcher>& matchers,
                                                   model::TimeRange range);

// "series: times only here …": the first few differences, empty if there is none.
std::string Difference(const std::map<std::string, StoreModel::Samples>& expected,
                       const std::map<std::string, StoreModel::Samples>& actual);

}  // namespace tocsin::testing
