#pragma once

// The series of one rule test, in memory: what its file loads and what its rules
// record. Simple rather than fast. Not thread-safe.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/model/labels.h"
#include "daemon/model/querier.h"
#include "daemon/model/sample_sink.h"

namespace tocsin::rules {

class RuleTestStore : public model::Querier, public model::SampleSink {
 public:
  // Requires: later than the series' last sample.
  void Add(const model::Labels& labels, std::int64_t time_ms, double value) {
    series_[labels].Add(time_ms, value);
  }

  Result<std::unique_ptr<model::Selection>> Select(const std::vector<model::Matcher>& matchers,
                                                   model::TimeRange range) const override;
  Result<std::vector<std::string>> LabelNames(const std::vector<model::Matcher>& matchers,
                                              model::TimeRange range) const override;
  Result<std::vector<std::string>> LabelValues(const std::string& name,
                                               const std::vector<model::Matcher>& matchers,
                                               model::TimeRange range) const override;
  Result<model::SeriesRef> Resolve(const model::Labels& labels) override;
  Result<model::CommitOutcome> Commit(const model::CommitContext& context,
                                      std::span<const model::SeriesSample> samples) override;

 private:
  std::map<model::Labels, model::SampleColumns> series_;
};

}  // namespace tocsin::rules
