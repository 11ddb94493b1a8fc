#include "rules/engine/history_window.h"

#include <algorithm>
#include <utility>

namespace tocsin::rules {
namespace {

// Whether the left end of a lookback counts is the engine's business.
constexpr std::int64_t kMargin = 1000;

std::string TextOf(const std::vector<model::Matcher>& matchers) {
  std::string text;
  for (const model::Matcher& matcher : matchers) text += matcher.Text() + ",";
  return text;
}

const std::string* MetricOf(const std::vector<model::Matcher>& matchers) {
  for (const model::Matcher& matcher : matchers) {
    if (matcher.name() == model::kMetricName && matcher.op() == model::MatchOp::kEqual) {
      return &matcher.value();
    }
  }
  return nullptr;
}

// The columns' part within a range: [first, last).
std::pair<std::size_t, std::size_t> Within(const model::SampleColumns& samples,
                                           model::TimeRange range) {
  const auto& times = samples.times_ms;
  const auto first = std::lower_bound(times.begin(), times.end(), range.from_ms);
  const auto last = std::upper_bound(first, times.end(), range.to_ms);
  return {static_cast<std::size_t>(first - times.begin()),
          static_cast<std::size_t>(last - times.begin())};
}

}  // namespace

class HistoryWindow::WindowSelection : public model::Selection {
 public:
  explicit WindowSelection(std::vector<const Series*> series) : series_(std::move(series)) {}

  std::size_t size() const override { return series_.size(); }
  const model::Labels& labels(std::size_t series) const override { return series_[series]->labels; }

  Result<> Read(std::size_t series, model::TimeRange range,
                model::SampleColumns& out) const override {
    const model::SampleColumns& samples = series_[series]->samples;
    const auto [first, last] = Within(samples, range);
    for (std::size_t i = first; i < last; ++i) out.Add(samples.times_ms[i], samples.values[i]);
    return {};
  }

  Result<bool> ReadLast(std::size_t series, model::TimeRange range,
                        model::Sample& out) const override {
    const model::SampleColumns& samples = series_[series]->samples;
    const auto [first, last] = Within(samples, range);
    if (first == last) return false;
    out = {samples.times_ms[last - 1], samples.values[last - 1]};
    return true;
  }

 private:
  std::vector<const Series*> series_;
};

HistoryWindow::HistoryWindow(const model::Querier& history, WallTime since,
                             std::set<std::string> recorded)
    : history_(history), since_ms_(ToUnixMillis(since)), recorded_(std::move(recorded)) {}

HistoryWindow::~HistoryWindow() = default;

void HistoryWindow::Announce(const promql::Expr& expr, Millis lookback, Millis earlier) {
  lookback_ms_ = lookback.count();
  Collect(expr, earlier.count(), 0);
}

void HistoryWindow::Collect(const promql::Expr& expr, std::int64_t before_ms,
                            std::int64_t after_ms) {
  const auto shifted = [](const promql::TimeShift& shift, std::int64_t& before,
                          std::int64_t& after) {
    before += shift.offset_ms;
    after -= shift.offset_ms;
    return shift.at != promql::TimeShift::At::kTime;
  };
  switch (expr.kind) {
    case promql::ExprKind::kVectorSelector: {
      const auto& selector = promql::As<promql::VectorSelector>(expr);
      // One fixed moment is no window: history answers that itself.
      if (!shifted(selector.shift, before_ms, after_ms)) return;
      Selector& known = selectors_[TextOf(selector.matchers)];
      known.matchers = selector.matchers;
      known.before_ms = std::max(known.before_ms, before_ms + lookback_ms_ + kMargin);
      ahead_ms_ = std::max(ahead_ms_, after_ms);
      longest_ms_ = std::max(longest_ms_, known.before_ms);
      return;
    }
    case promql::ExprKind::kMatrixSelector: {
      const auto& matrix = promql::As<promql::MatrixSelector>(expr);
      return Collect(*matrix.selector, before_ms + matrix.range_ms, after_ms);
    }
    case promql::ExprKind::kSubquery: {
      const auto& subquery = promql::As<promql::SubqueryExpr>(expr);
      if (!shifted(subquery.shift, before_ms, after_ms)) return;
      // Its steps are aligned: the first may lie a step before its range.
      return Collect(*subquery.expr, before_ms + subquery.range_ms + subquery.step_ms, after_ms);
    }
    case promql::ExprKind::kBinary: {
      const auto chain = promql::ChainOf(promql::As<promql::BinaryExpr>(expr));
      Collect(*chain.back()->lhs, before_ms, after_ms);
      for (const promql::BinaryExpr* node : chain) Collect(*node->rhs, before_ms, after_ms);
      return;
    }
    default:
      for (const promql::ExprPtr& child : promql::Children(expr)) {
        Collect(*child, before_ms, after_ms);
      }
  }
}

bool HistoryWindow::IsRecorded(const model::Labels& labels) const {
  return recorded_.contains(std::string(labels.Name()));
}

HistoryWindow::Series& HistoryWindow::FindOrMake(const model::Labels& labels) {
  auto& series = series_[labels];
  if (series == nullptr) {
    series = std::make_unique<Series>();
    series->labels = labels;
    if (IsRecorded(labels)) series->reach_ms = longest_ms_;
    by_metric_[std::string(labels.Name())].push_back(series.get());
  }
  return *series;
}

Result<> HistoryWindow::MoveTo(WallTime from, WallTime to) {
  const std::int64_t from_ms = ToUnixMillis(from);
  const std::int64_t to_ms = ToUnixMillis(to) + ahead_ms_;
  Trim(from_ms);
  struct Wanted {
    std::shared_ptr<model::Selection> selection;
    std::size_t index = 0;
    std::int64_t before_ms = 0;
  };
  std::map<Series*, Wanted> wanted;  // A series that several selectors match is read once.
  for (const auto& [text, selector] : selectors_) {
    model::TimeRange range{from_ms - selector.before_ms, to_ms};
    // A series with older samples was selected then.
    if (moved_to_ms_) range.from_ms = *moved_to_ms_ + 1;
    TOCSIN_ASSIGN_OR_RETURN(auto selected, history_.Select(selector.matchers, range));
    const std::shared_ptr<model::Selection> selection = std::move(selected);
    for (std::size_t i = 0; i < selection->size(); ++i) {
      Wanted& one = wanted[&FindOrMake(selection->labels(i))];
      if (one.selection == nullptr || selector.before_ms > one.before_ms) {
        one.selection = selection;
        one.index = i;
      }
      one.before_ms = std::max(one.before_ms, selector.before_ms);
    }
  }
  for (auto& [series, one] : wanted) {
    const bool recorded = IsRecorded(series->labels);
    if (recorded && series->is_loaded) continue;
    series->reach_ms = std::max(series->reach_ms, one.before_ms);
    model::TimeRange range{from_ms - one.before_ms, to_ms};
    if (series->is_loaded) range.from_ms = series->loaded_to_ms + 1;
    if (recorded) range.to_ms = std::min(range.to_ms, since_ms_ - 1);
    series->is_loaded = true;
    // What the rules have recorded meanwhile is newer than all that is read here.
    if (range.from_ms > range.to_ms || (recorded && series->samples.size() > 0)) continue;
    series->loaded_to_ms = range.to_ms;
    const std::size_t before = series->samples.size();
    TOCSIN_RETURN_IF_ERROR(one.selection->Read(one.index, range, series->samples));
    count_ += static_cast<std::int64_t>(series->samples.size() - before);
    overflowed_ = overflowed_ || count_ > kMaxSamples;
    TOCSIN_RETURN_IF_ERROR(Fits());
  }
  from_ms_ = from_ms;
  moved_to_ms_ = to_ms;
  return {};
}

Result<> HistoryWindow::Fits() const {
  if (!overflowed_) return {};
  return Error{ErrorCode::kResourceExhausted, "the rules look at more than " +
                                                  std::to_string(kMaxSamples) +
                                                  " samples at a time: replay fewer rules"};
}

void HistoryWindow::Trim(std::int64_t from_ms) {
  for (auto& [labels, series] : series_) {
    model::SampleColumns& samples = series->samples;
    const auto old = std::lower_bound(samples.times_ms.begin(), samples.times_ms.end(),
                                      from_ms - series->reach_ms) -
                     samples.times_ms.begin();
    samples.times_ms.erase(samples.times_ms.begin(), samples.times_ms.begin() + old);
    samples.values.erase(samples.values.begin(), samples.values.begin() + old);
    count_ -= old;
  }
  // Labels of series that ended are not kept for the whole range.
  for (auto& [name, named] : by_metric_) {
    std::erase_if(named, [](const Series* series) { return series->samples.size() == 0; });
  }
  std::erase_if(by_metric_, [](const auto& entry) { return entry.second.empty(); });
  std::erase_if(series_, [](const auto& entry) { return entry.second->samples.size() == 0; });
}

Result<std::unique_ptr<model::Selection>> HistoryWindow::Select(
    const std::vector<model::Matcher>& matchers, model::TimeRange range) const {
  const std::string* metric = MetricOf(matchers);
  const auto known = selectors_.find(TextOf(matchers));
  const bool covered = known != selectors_.end() && moved_to_ms_ &&
                       range.from_ms >= from_ms_ - known->second.before_ms &&
                       range.to_ms <= *moved_to_ms_;
  const bool is_ours = metric != nullptr && recorded_.contains(*metric);
  if (!covered && !is_ours) return history_.Select(matchers, range);
  std::vector<const Series*> selected;
  if (metric != nullptr) {
    const auto named = by_metric_.find(*metric);
    if (named != by_metric_.end()) {
      for (const Series* series : named->second) {
        if (model::MatchesAll(matchers, series->labels)) selected.push_back(series);
      }
    }
  } else {
    for (const auto& [labels, series] : series_) {
      if (model::MatchesAll(matchers, labels)) selected.push_back(series.get());
    }
  }
  return std::unique_ptr<model::Selection>(std::make_unique<WindowSelection>(std::move(selected)));
}

Result<std::vector<std::string>> HistoryWindow::LabelNames(
    const std::vector<model::Matcher>& matchers, model::TimeRange range) const {
  return history_.LabelNames(matchers, range);
}

Result<std::vector<std::string>> HistoryWindow::LabelValues(
    const std::string& name, const std::vector<model::Matcher>& matchers,
    model::TimeRange range) const {
  return history_.LabelValues(name, matchers, range);
}

Result<model::SeriesRef> HistoryWindow::Resolve(const model::Labels& labels) {
  return model::SeriesRef{labels.Hash(), labels};
}

Result<model::CommitOutcome> HistoryWindow::Commit(const model::CommitContext& /*context*/,
                                                   std::span<const model::SeriesSample> samples) {
  model::CommitOutcome outcome;
  for (const model::SeriesSample& sample : samples) {
    Series& series = FindOrMake(sample.series->labels);
    if (series.samples.size() > 0 && series.samples.times_ms.back() >= sample.time_ms) {
      ++outcome.out_of_order;
      continue;
    }
    if (count_ == kMaxSamples) {
      overflowed_ = true;
      continue;
    }
    series.samples.Add(sample.time_ms, sample.value);
    ++outcome.stored;
    ++count_;
  }
  return outcome;
}

}  // namespace tocsin::rules
