#include "rules/engine/overlay_querier.h"

#include <optional>
#include <set>
#include <utility>

namespace tocsin::rules {
namespace {

class OverlaySelection : public model::Selection {
 public:
  struct Series {
    model::Labels labels;
    std::optional<std::size_t> below;  // Its number in the selection below.
    std::optional<double> value;       // Laid over it.
  };

  OverlaySelection(std::unique_ptr<model::Selection> below, std::int64_t time_ms,
                   std::vector<Series> series)
      : below_(std::move(below)), time_ms_(time_ms), series_(std::move(series)) {}

  std::size_t size() const override { return series_.size(); }
  const model::Labels& labels(std::size_t series) const override { return series_[series].labels; }

  Result<> Read(std::size_t index, model::TimeRange range,
                model::SampleColumns& out) const override {
    const Series& series = series_[index];
    const std::size_t before = out.size();
    if (series.below) TOCSIN_RETURN_IF_ERROR(below_->Read(*series.below, range, out));
    if (!series.value || time_ms_ < range.from_ms || time_ms_ > range.to_ms) return {};
    if (out.size() > before && out.times_ms.back() >= time_ms_) return {};
    out.Add(time_ms_, *series.value);
    return {};
  }

 private:
  std::unique_ptr<model::Selection> below_;
  std::int64_t time_ms_;
  std::vector<Series> series_;
};

}  // namespace

Result<std::unique_ptr<model::Selection>> OverlayQuerier::Select(
    const std::vector<model::Matcher>& matchers, model::TimeRange range) const {
  TOCSIN_ASSIGN_OR_RETURN(auto below, below_.Select(matchers, range));
  std::map<model::Labels, double> laid;
  for (const auto& [labels, value] : samples_) {
    if (model::MatchesAll(matchers, labels)) laid.emplace(labels, value);
  }
  if (laid.empty()) return below;
  std::vector<OverlaySelection::Series> series;
  for (std::size_t i = 0; i < below->size(); ++i) {
    OverlaySelection::Series entry{below->labels(i), i, std::nullopt};
    const auto over = laid.find(entry.labels);
    if (over != laid.end()) {
      entry.value = over->second;
      laid.erase(over);
    }
    series.push_back(std::move(entry));
  }
  for (const auto& [labels, value] : laid) series.push_back({labels, std::nullopt, value});
  return std::unique_ptr<model::Selection>(
      std::make_unique<OverlaySelection>(std::move(below), time_ms_, std::move(series)));
}

Result<std::vector<std::string>> OverlayQuerier::LabelNames(
    const std::vector<model::Matcher>& matchers, model::TimeRange range) const {
  return below_.LabelNames(matchers, range);
}

Result<std::vector<std::string>> OverlayQuerier::LabelValues(
    const std::string& name, const std::vector<model::Matcher>& matchers,
    model::TimeRange range) const {
  return below_.LabelValues(name, matchers, range);
}

}  // namespace tocsin::rules
