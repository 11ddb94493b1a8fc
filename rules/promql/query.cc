#include "rules/promql/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "daemon/base/text.h"
#include "rules/promql/lexer.h"

namespace tocsin::promql {
namespace {

// Reading the clock costs as much as some series do.
constexpr std::uint32_t kLooksPerClock = 8;

// "2026-11-23T06:36:09Z".
std::string WholeSeconds(std::int64_t time_ms) {
  std::string text = FormatTime(FromUnixMillis(time_ms));
  if (const std::size_t dot = text.find('.'); dot != std::string::npos) {
    text.erase(dot, text.size() - dot - 1);
  }
  return text;
}

}  // namespace

Query::Query(const PromqlConfig& config, const model::Querier& querier, const QueryContext& context,
             std::int64_t start_ms, std::int64_t end_ms)
    : querier_(querier),
      context_(context),
      deadline_(std::min(context.deadline, context.clock.SteadyNow() + config.timeout)),
      start_ms_(start_ms),
      end_ms_(end_ms),
      lookback_ms_(context.lookback.value_or(config.lookback).count()),
      subquery_step_ms_(config.subquery_step.count()),
      max_samples_(config.max_samples),
      closed_left_(config.closed_left) {}

bool Query::Fail(Error error) {
  if (!error_) error_ = std::move(error);
  return false;
}

bool Query::GoOn() {
  if (failed()) return false;
  if (context_.stop.stop_requested()) {
    return Fail({ErrorCode::kCancelled, "query was canceled in query execution"});
  }
  return looks_++ % kLooksPerClock != 0 || GoOnNow();
}

bool Query::GoOnNow() {
  if (failed()) return false;
  if (context_.clock.SteadyNow() >= deadline_) {
    return Fail({ErrorCode::kDeadlineExceeded, "query timed out in expression evaluation"});
  }
  return true;
}

bool Query::Hold(std::int64_t samples) {
  held_ += samples;
  stats_.peak_samples = std::max(stats_.peak_samples, held_);
  if (held_ <= max_samples_) return !failed();
  return Fail({ErrorCode::kResourceExhausted,
               "query processing would load too many samples into memory in query execution"});
}

void Query::Note(const std::string& text, const PositionRange& where, Notes& notes) {
  PositionRange& place = notes.try_emplace(text, where).first->second;
  if (place.start < where.start) place = where;
}

void Query::Warn(const std::string& text, const PositionRange& where) {
  Note(text, where, warnings_);
}

void Query::Inform(const std::string& text, const PositionRange& where) {
  Note(text, where, infos_);
}

void Query::WarnQuantile(double quantile, const PositionRange& where) {
  Warn("quantile value should be between 0 and 1, got " + FormatShortest(quantile), where);
}

void Query::InformMonotonicity(std::string_view metric, const PositionRange& where,
                               std::int64_t time_ms, double min_bucket, double max_bucket,
                               double max_difference) {
  std::string text =
      "input to histogram_quantile needed to be fixed for monotonicity (see "
      "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
  if (!metric.empty()) text += " for metric name " + GoQuote(metric);
  auto [at, added] = mended_.try_emplace(text);
  Mended& mended = at->second;
  if (added) {
    mended = {where, time_ms, time_ms, min_bucket, max_bucket, max_difference, 0};
  }
  if (mended.where.start < where.start) mended.where = where;
  mended.from_ms = std::min(mended.from_ms, time_ms);
  mended.to_ms = std::max(mended.to_ms, time_ms);
  mended.min_bucket = std::min(mended.min_bucket, min_bucket);
  mended.max_bucket = std::max(mended.max_bucket, max_bucket);
  mended.max_difference = std::max(mended.max_difference, max_difference);
  ++mended.samples;
}

void Query::Report(QueryResult& result) {
  for (const auto& [text, mended] : mended_) {
    const std::string whole = fmt::format(
        "{}, from buckets {} to {}, with a max diff of {:.2g}, over {} samples from {} to {}", text,
        FormatShortest(mended.min_bucket), FormatShortest(mended.max_bucket), mended.max_difference,
        mended.samples, WholeSeconds(mended.from_ms), WholeSeconds(mended.to_ms));
    Note(whole, mended.where, infos_);
  }
  for (const auto& [text, where] : warnings_) {
    result.warnings.push_back(fmt::format("PromQL warning: {} ({})", text, PositionText(where)));
  }
  for (const auto& [text, where] : infos_) {
    result.infos.push_back(fmt::format("PromQL info: {} ({})", text, PositionText(where)));
  }
  result.stats = stats_;
}

}  // namespace tocsin::promql
