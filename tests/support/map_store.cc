#include "tests/support/map_store.h"

#include <bit>
#include <set>
#include <utility>

namespace tocsin::testing {

using model::Labels;
using model::Matcher;
using model::TimeRange;

namespace {

class CopiedSelection : public model::Selection {
 public:
  using Series = std::pair<Labels, std::map<std::int64_t, double>>;
  explicit CopiedSelection(std::vector<Series> series) : series_(std::move(series)) {}

  std::size_t size() const override { return series_.size(); }
  const Labels& labels(std::size_t series) const override { return series_[series].first; }
  Result<> Read(std::size_t series, TimeRange range, model::SampleColumns& out) const override {
    for (const auto& [time_ms, value] : series_[series].second) {
      if (time_ms >= range.from_ms && time_ms <= range.to_ms) out.Add(time_ms, value);
    }
    return {};
  }

 private:
  std::vector<Series> series_;
};

}  // namespace

void MapStore::Put(const Labels& labels, std::int64_t time_ms, double value) {
  MutexLock lock(mutex_);
  series_[labels][time_ms] = value;
}

void MapStore::Clear() {
  MutexLock lock(mutex_);
  series_.clear();
  refs_.clear();
}

std::map<Labels, MapStore::Samples> MapStore::Matching(const std::vector<Matcher>& matchers,
                                                       TimeRange range) const {
  MutexLock lock(mutex_);
  std::map<Labels, Samples> found;
  for (const auto& [labels, samples] : series_) {
    if (!model::MatchesAll(matchers, labels)) continue;
    Samples within(samples.lower_bound(range.from_ms), samples.upper_bound(range.to_ms));
    if (!within.empty()) found.emplace(labels, std::move(within));
  }
  return found;
}

Result<std::unique_ptr<model::Selection>> MapStore::Select(const std::vector<Matcher>& matchers,
                                                           TimeRange range) const {
  std::map<Labels, Samples> found = Matching(matchers, range);
  return std::unique_ptr<model::Selection>(
      new CopiedSelection(std::vector<CopiedSelection::Series>(found.begin(), found.end())));
}

Result<std::vector<std::string>> MapStore::LabelNames(const std::vector<Matcher>& matchers,
                                                      TimeRange range) const {
  std::set<std::string> names;
  for (const auto& [labels, samples] : Matching(matchers, range)) {
    for (const auto& [name, value] : labels) names.emplace(name);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<std::string>> MapStore::LabelValues(const std::string& name,
                                                       const std::vector<Matcher>& matchers,
                                                       TimeRange range) const {
  std::set<std::string> values;
  for (const auto& [labels, samples] : Matching(matchers, range)) {
    if (labels.Has(name)) values.emplace(labels.Get(name));
  }
  return std::vector<std::string>(values.begin(), values.end());
}

Result<model::SeriesRef> MapStore::Resolve(const Labels& labels) {
  if (!labels.Has(model::kMetricName)) {
    return Error{ErrorCode::kInvalidArgument, "series without a name: " + labels.Text()};
  }
  MutexLock lock(mutex_);
  for (const auto& [id, known] : refs_) {
    if (known == labels) return model::SeriesRef{id, labels};
  }
  const std::uint64_t id = refs_.size() + 1;
  refs_.emplace(id, labels);
  return model::SeriesRef{id, labels};
}

Result<model::CommitOutcome> MapStore::Commit(const model::CommitContext&,
                                              std::span<const model::SeriesSample> samples) {
  MutexLock lock(mutex_);
  model::CommitOutcome outcome;
  for (const model::SeriesSample& sample : samples) {
    Samples& series = series_[sample.series->labels];
    if (!series.empty() && sample.time_ms < series.rbegin()->first) {
      ++outcome.out_of_order;
      continue;
    }
    const auto [at, added] = series.emplace(sample.time_ms, sample.value);
    const bool same =
        std::bit_cast<std::uint64_t>(at->second) == std::bit_cast<std::uint64_t>(sample.value);
    if (added || same) {
      ++outcome.stored;
    } else {
      ++outcome.duplicate;
    }
  }
  return outcome;
}

}  // namespace tocsin::testing
