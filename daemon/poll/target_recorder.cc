#include "daemon/poll/target_recorder.h"

#include <algorithm>
#include <utility>

#include "daemon/base/version.h"
#include "daemon/model/sample.h"
#include "daemon/poll/target_page.h"

namespace tocsin::poll {
namespace {

// Rules keep the target's labels: what they write is theirs to end.
bool IsOfRules(std::string_view name) {
  return name == "ALERTS" || name == "ALERTS_FOR_STATE" || name.find(':') != std::string_view::npos;
}

}  // namespace

TargetRecorder::TargetRecorder(const TargetConfig& config, model::SampleSink& sink,
                               const LastLife& last_life, PollMetrics& metrics)
    : config_(config),
      sink_(sink),
      last_life_(last_life),
      metrics_(metrics),
      build_info_(BuildInfoName(config.kind->exporter)),
      cache_(sink, config.labels, config.parsed.honor_labels) {}

TargetRecorder::Summary TargetRecorder::Record(WallTime at, double duration_seconds,
                                               const model::MetricBatch& batch,
                                               const Error* error) {
  const std::int64_t at_ms = ToUnixMillis(at);
  samples_.clear();
  series_added_ = 0;
  cache_.Begin(error ? nullptr : &batch);
  if (!error) AddRows(batch, at_ms);
  const Summary summary{static_cast<std::int64_t>(samples_.size())};
  const std::int64_t scraped =
      error ? 0 : static_cast<std::int64_t>(batch.row_count() + batch.dropped());
  const std::int64_t added = series_added_;
  AddOwn("up", error ? 0 : 1, at_ms);
  AddOwn("scrape_duration_seconds", duration_seconds, at_ms);
  AddOwn("scrape_samples_scraped", static_cast<double>(scraped), at_ms);
  AddOwn("scrape_samples_post_metric_relabeling", static_cast<double>(summary.samples), at_ms);
  AddOwn("scrape_series_added", static_cast<double>(added), at_ms);
  if (!config_.kind->up_metric.empty()) AddOwn(config_.kind->up_metric, error ? 0 : 1, at_ms);
  if (!build_info_.empty()) AddOwn(build_info_, 1, at_ms, {kBuildVersion, Version()});
  AddStaleMarkers(at_ms);
  // A target that does not answer from the start ends the series it had before: else rules
  // would take their last samples for the present for as long as they look back.
  std::vector<model::SeriesRef> open;
  if (std::exchange(is_first_, false) && error) open = FindOpenOfLastLife(at_ms);
  for (const model::SeriesRef& series : open) {
    samples_.push_back({&series, at_ms, model::StaleMarker()});
  }
  Commit(at);
  return summary;
}

void TargetRecorder::End(WallTime at) {
  samples_.clear();
  cache_.Begin(nullptr);
  AddStaleMarkers(ToUnixMillis(at));
  Commit(at);
}

void TargetRecorder::AddRows(const model::MetricBatch& batch, std::int64_t at_ms) {
  samples_.reserve(batch.row_count() + 16);
  if (const auto series = cache_.FindAgain(); !series.empty()) {
    for (std::size_t i = 0; i < series.size(); ++i) {
      samples_.push_back({&series[i], at_ms, batch.number(i)});
    }
    return;
  }
  for (std::size_t i = 0; i < batch.row_count(); ++i) {
    const model::MetricBatch::Row row = batch.row(i);
    // A row with its own time is not ended by its absence, as in Prometheus.
    const auto found = cache_.Find(i, !row.time_ms);
    if (!found.ok()) {
      metrics_.refused.Add();
      continue;
    }
    if (found->seen == SeriesCache::Seen::kAgain && !row.time_ms) {
      metrics_.duplicates.Add();
      continue;
    }
    series_added_ += found->is_new ? 1 : 0;
    samples_.push_back({found->series, row.time_ms.value_or(at_ms), row.value});
  }
}

void TargetRecorder::AddOwn(std::string_view name, double value, std::int64_t at_ms,
                            model::LabelView label) {
  const auto found = cache_.FindOwn(name, label);
  if (!found.ok()) {
    metrics_.refused.Add();
    return;
  }
  if (found->seen == SeriesCache::Seen::kFirst) samples_.push_back({found->series, at_ms, value});
}

void TargetRecorder::AddStaleMarkers(std::int64_t at_ms) {
  for (const model::SeriesRef& series : cache_.TakeVanished()) {
    samples_.push_back({&series, at_ms, model::StaleMarker()});
  }
}

std::vector<model::SeriesRef> TargetRecorder::FindOpenOfLastLife(std::int64_t at_ms) const {
  std::vector<model::SeriesRef> open;
  std::vector<model::Matcher> matchers;
  for (const auto& [name, value] : config_.labels) {
    auto matcher =
        model::Matcher::Make(model::MatchOp::kEqual, std::string(name), std::string(value));
    if (!matcher.ok()) return open;
    matchers.push_back(*std::move(matcher));
  }
  const std::int64_t ended_ms = ToUnixMillis(last_life_.ended);
  const model::TimeRange range{ended_ms - last_life_.lookback.count(), at_ms - 1};
  const auto found = last_life_.stored.Select(matchers, range);
  if (matchers.empty() || !found.ok()) return open;  // The store says so itself.
  for (std::size_t i = 0; i < (*found)->size(); ++i) {
    const model::Labels& labels = (*found)->labels(i);
    if (IsOfRules(labels.Get(model::kMetricName))) continue;
    model::Sample last;
    const auto has_last = (*found)->ReadLast(i, range, last);
    if (!has_last.ok() || !*has_last || model::IsStaleMarker(last.value)) continue;
    const bool is_written = std::any_of(
        samples_.begin(), samples_.end(),
        [&labels](const model::SeriesSample& sample) { return sample.series->labels == labels; });
    if (is_written || last.time_ms >= ended_ms) continue;  // Somebody goes on with it.
    if (auto series = sink_.Resolve(labels); series.ok()) open.push_back(*std::move(series));
  }
  return open;
}

void TargetRecorder::Commit(WallTime at) {
  if (samples_.empty()) return;
  CommitSamples(at);
  // The next collection has use for the memory, but not for very much of it.
  constexpr std::size_t kMostKept = 200'000;
  if (samples_.capacity() > kMostKept) samples_ = std::vector<model::SeriesSample>();
}

void TargetRecorder::CommitSamples(WallTime at) {
  const model::CommitContext context{model::CommitOrigin::kCollection, config_.labels, at};
  const auto outcome = sink_.Commit(context, samples_);
  if (outcome.ok()) {
    metrics_.samples.Add(static_cast<double>(outcome->stored));
    return;
  }
  metrics_.unstored.Add();
  if (outcome.error().code == ErrorCode::kNotFound) cache_.Clear();
}

}  // namespace tocsin::poll
