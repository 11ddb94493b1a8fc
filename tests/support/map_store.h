#pragma once

// The slow, obvious twin of the store: a std::map of series, each a std::map of
// samples, under one lock. A Selection is a copy, so it is a snapshot. Thread-safe.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/model/querier.h"
#include "daemon/model/sample_sink.h"

namespace tocsin::testing {

class MapStore : public model::Querier, public model::SampleSink {
 public:
  // Adds or replaces one sample, in any order of times.
  void Put(const model::Labels& labels, std::int64_t time_ms, double value);
  void Clear();

  Result<std::unique_ptr<model::Selection>> Select(const std::vector<model::Matcher>& matchers,
                                                   model::TimeRange range) const override;
  Result<std::vector<std::string>> LabelNames(const std::vector<model::Matcher>& matchers,
                                              model::TimeRange range) const override;
  Result<std::vector<std::string>> LabelValues(const std::string& name,
                                               const std::vector<model::Matcher>& matchers,
                                               model::TimeRange range) const override;

  Result<model::SeriesRef> Resolve(const model::Labels& labels) override;
  // Refuses samples older than the series' newest as out of order.
  Result<model::CommitOutcome> Commit(const model::CommitContext& context,
                                      std::span<const model::SeriesSample> samples) override;

 private:
  using Samples = std::map<std::int64_t, double>;

  std::map<model::Labels, Samples> Matching(const std::vector<model::Matcher>& matchers,
                                            model::TimeRange range) const;

  mutable Mutex mutex_;
  std::map<model::Labels, Samples> series_ GUARDED_BY(mutex_);
  std::map<std::uint64_t, model::Labels> refs_ GUARDED_BY(mutex_);
};

}  // namespace tocsin::testing
