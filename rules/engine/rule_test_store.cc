#include "rules/engine/rule_test_store.h"

#include <algorithm>
#include <set>
#include <utility>

namespace tocsin::rules {
namespace {

class CopiedSelection : public model::Selection {
 public:
  using Series = std::pair<model::Labels, model::SampleColumns>;

  explicit CopiedSelection(std::vector<Series> series) : series_(std::move(series)) {}

  std::size_t size() const override { return series_.size(); }
  const model::Labels& labels(std::size_t series) const override { return series_[series].first; }
  Result<> Read(std::size_t series, model::TimeRange range,
                model::SampleColumns& out) const override {
    const auto& [labels, samples] = series_[series];
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const std::int64_t time_ms = samples.times_ms[i];
      if (time_ms >= range.from_ms && time_ms <= range.to_ms) out.Add(time_ms, samples.values[i]);
    }
    return {};
  }

 private:
  std::vector<Series> series_;
};

}  // namespace

Result<std::unique_ptr<model::Selection>> RuleTestStore::Select(
    const std::vector<model::Matcher>& matchers, model::TimeRange /*range*/) const {
  std::vector<CopiedSelection::Series> series;
  for (const auto& [labels, samples] : series_) {
    if (model::MatchesAll(matchers, labels)) series.emplace_back(labels, samples);
  }
  return std::unique_ptr<model::Selection>(std::make_unique<CopiedSelection>(std::move(series)));
}

Result<std::vector<std::string>> RuleTestStore::LabelNames(
    const std::vector<model::Matcher>& matchers, model::TimeRange /*range*/) const {
  std::set<std::string> names;
  for (const auto& [labels, samples] : series_) {
    if (!model::MatchesAll(matchers, labels)) continue;
    for (const auto& [name, value] : labels) names.emplace(name);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<std::string>> RuleTestStore::LabelValues(
    const std::string& name, const std::vector<model::Matcher>& matchers,
    model::TimeRange /*range*/) const {
  std::set<std::string> values;
  for (const auto& [labels, samples] : series_) {
    if (model::MatchesAll(matchers, labels) && labels.Has(name)) values.emplace(labels.Get(name));
  }
  return std::vector<std::string>(values.begin(), values.end());
}

Result<model::SeriesRef> RuleTestStore::Resolve(const model::Labels& labels) {
  return model::SeriesRef{labels.Hash(), labels};
}

Result<model::CommitOutcome> RuleTestStore::Commit(const model::CommitContext& /*context*/,
                                                   std::span<const model::SeriesSample> samples) {
  model::CommitOutcome outcome;
  for (const auto& sample : samples) {
    auto& series = series_[sample.series->labels];
    if (series.size() > 0 && series.times_ms.back() >= sample.time_ms) {
      ++outcome.out_of_order;
      continue;
    }
    series.Add(sample.time_ms, sample.value);
    ++outcome.stored;
  }
  return outcome;
}

}  // namespace tocsin::rules
