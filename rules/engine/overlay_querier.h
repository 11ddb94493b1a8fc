#pragma once

// A querier with the recording rules of one evaluation laid over the store: what
// they computed is visible to the later rules of that evaluation without being
// stored. One sample per series, all at the evaluation's time. Not thread-safe;
// the store must outlive it.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/model/labels.h"
#include "daemon/model/querier.h"

namespace tocsin::rules {

class OverlayQuerier : public model::Querier {
 public:
  OverlayQuerier(const model::Querier& below, std::int64_t time_ms)
      : below_(below), time_ms_(time_ms) {}

  // `value` may be a staleness marker.
  void Add(const model::Labels& labels, double value) { samples_[labels] = value; }

  Result<std::unique_ptr<model::Selection>> Select(const std::vector<model::Matcher>& matchers,
                                                   model::TimeRange range) const override;
  Result<std::vector<std::string>> LabelNames(const std::vector<model::Matcher>& matchers,
                                              model::TimeRange range) const override;
  Result<std::vector<std::string>> LabelValues(const std::string& name,
                                               const std::vector<model::Matcher>& matchers,
                                               model::TimeRange range) const override;

 private:
  const model::Querier& below_;
  const std::int64_t time_ms_;
  std::map<model::Labels, double> samples_;
};

}  // namespace tocsin::rules
