#include "daemon/store/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "daemon/store/selection.h"
#include "daemon/store/store_rep.h"

namespace tocsin::store {
namespace {

constexpr std::int64_t kMaxPendingBytes = 64 << 20;
constexpr int kMaxLooks = 8;  // At the archive while series come and go under our eyes.

std::string_view MetricNameOf(const std::vector<model::Matcher>& matchers) {
  for (const model::Matcher& matcher : matchers) {
    if (matcher.op() == model::MatchOp::kEqual && matcher.name() == model::kMetricName) {
      return matcher.value();
    }
  }
  return {};
}

}  // namespace

Store::Rep::Rep(const StoreConfig& config, const Clock& clock, MetricRegistry& registry)
    : config_(config),
      clock_(clock),
      metrics_(registry),
      head_({config.max_series, config.max_series_per_target}),
      last_sync_(clock.SteadyNow()),
      last_retention_(clock.SteadyNow()) {
  metrics_.series_limit.Set(static_cast<double>(config.max_series));
}

Result<model::SeriesRef> Store::Rep::Resolve(const model::Labels& labels) {
  if (labels.Name().empty()) {
    return Error{ErrorCode::kInvalidArgument, "series without a name: " + labels.Text()};
  }
  if (auto found = head_.Find(labels, NowMs())) return *std::move(found);
  for (int look = 0; look < kMaxLooks; ++look) {
    const auto entries = head_.Archived(labels.Fingerprint());
    std::optional<ArchivedSeries> archived;
    for (const ArchivedSeries& entry : entries) {
      // Of a damaged history the series starts anew.
      const auto of_entry = history_->LabelsOf(entry.history_id);
      if (of_entry.ok() && of_entry->has_value() && **of_entry == labels) archived = entry;
    }
    if (archived.has_value()) archived->last_value = LastValueOf(*archived);
    Head::Refusal refusal = Head::Refusal::kNone;
    auto created = head_.Create(labels, archived, entries.size(), NowMs(), refusal);
    if (created.has_value()) return *std::move(created);
    if (refusal == Head::Refusal::kAll) {
      metrics_.refused_series_all.Add();
      return Error{ErrorCode::kResourceExhausted,
                   fmt::format("{}: limit of {} series reached (storage.max_series)", labels.Text(),
                               config_.max_series)};
    }
    if (refusal == Head::Refusal::kTarget) {
      metrics_.refused_series_target.Add();
      return Error{ErrorCode::kResourceExhausted,
                   fmt::format("{}: limit of {} series per target reached "
                               "(storage.max_series_per_target)",
                               labels.Text(), config_.max_series_per_target)};
    }
  }
  return Error{ErrorCode::kInternal, labels.Text() + ": the archive kept changing"};
}

std::optional<double> Store::Rep::LastValueOf(const ArchivedSeries& series) const {
  model::SampleColumns last;
  const auto read =
      history_->ReadSamples(series.history_id, {series.last_ms, series.last_ms}, last);
  if (!read.ok() || last.size() != 1) return std::nullopt;
  return last.values[0];
}

Result<model::CommitOutcome> Store::Rep::Commit(std::span<const model::SeriesSample> samples) {
  Head::Appended appended = head_.Append(samples, NowMs());
  const model::CommitOutcome& outcome = appended.outcome;
  metrics_.samples_appended.Add(static_cast<double>(outcome.stored));
  metrics_.samples_out_of_order.Add(static_cast<double>(outcome.out_of_order));
  metrics_.samples_duplicate.Add(static_cast<double>(outcome.duplicate));
  if (history_ != nullptr && !appended.row.payload.empty()) {
    {
      MutexLock lock(pending_mutex_);
      pending_bytes_ += static_cast<std::int64_t>(appended.row.payload.size());
      pending_.push_back(std::move(appended.row));
    }
    // A disk that refuses is tried again by the lane, not by every commit.
    if (disk_failing_) {
      return Error{ErrorCode::kIoError, "journal cannot be written; samples are in memory only"};
    }
    if (auto written = WritePending(); !written.ok()) {
      Note(written, "write the journal");
      return Error{ErrorCode::kIoError, "journal: " + written.error().message};
    }
  }
  if (appended.expired_refs > 0) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("{} series refs have expired", appended.expired_refs)};
  }
  return outcome;
}

Result<> Store::Rep::WritePending() {
  MutexLock writing(write_mutex_);
  std::vector<JournalRow> rows;
  {
    MutexLock lock(pending_mutex_);
    rows.swap(pending_);
    pending_bytes_ = 0;
  }
  if (rows.empty()) return {};  // Whoever was before us wrote ours too.
  const auto written = history_->WriteRows(rows);
  if (written.ok()) return {};
  MutexLock lock(pending_mutex_);
  rows.insert(rows.end(), std::make_move_iterator(pending_.begin()),
              std::make_move_iterator(pending_.end()));
  pending_ = std::move(rows);
  pending_bytes_ = 0;
  // Newest first; beyond the limit the samples are in memory only until they are
  // in chunks, but a series' labels are kept.
  for (auto row = pending_.rbegin(); row != pending_.rend(); ++row) {
    const auto bytes = static_cast<std::int64_t>(row->payload.size());
    if (pending_bytes_ + bytes > kMaxPendingBytes) {
      row->payload.clear();
      metrics_.journal_rows_dropped.Add();
    } else {
      pending_bytes_ += bytes;
    }
  }
  std::erase_if(pending_, [](const JournalRow& row) {
    return row.payload.empty() && row.new_series.empty();
  });
  return written;
}

Result<std::unique_ptr<StoreSelection>> Store::Rep::Select(
    const std::vector<model::Matcher>& matchers, model::TimeRange range) const {
  Head::Selected selected;
  std::vector<ArchivedMatch> archived;
  for (int look = 0; look < kMaxLooks; ++look) {
    archived.clear();
    selected = head_.Select(matchers, range);
    if (history_ == nullptr || !selected.may_reach_archive) break;
    TOCSIN_RETURN_IF_ERROR(history_->ForEachSeries(
        MetricNameOf(matchers), [&](std::uint64_t id, const model::Labels& labels) {
          if (!model::MatchesAll(matchers, labels)) return;
          for (const ArchivedSeries& entry : head_.Archived(labels.Fingerprint())) {
            if (entry.history_id != id || entry.last_ms < range.from_ms ||
                entry.first_ms > range.to_ms) {
              continue;
            }
            archived.push_back({labels, entry});
          }
        }));
    // A series that moved meanwhile could be in both lists or in none.
    if (head_.directory_version() == selected.directory_version) break;
  }
  return std::make_unique<StoreSelection>(head_, history_.get(), std::move(selected),
                                          std::move(archived));
}

Result<std::vector<model::Labels>> Store::Rep::LabelsOf(const std::vector<model::Matcher>& matchers,
                                                        model::TimeRange range) const {
  TOCSIN_ASSIGN_OR_RETURN(const auto selection, Select(matchers, range));
  std::vector<model::Labels> labels;
  labels.reserve(selection->size());
  for (std::size_t i = 0; i < selection->size(); ++i) labels.push_back(selection->labels(i));
  return labels;
}

Store::Store(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::Open(const StoreConfig& config, const Clock& clock,
                                           ExecutorFactory& executors, FileSystem& files,
                                           MetricRegistry& metrics, std::string vfs) {
  auto rep = std::make_unique<Rep>(config, clock, metrics);
  if (!config.path.empty()) {
    if (auto opened = rep->OpenHistory(files, std::move(vfs)); !opened.ok()) {
      return opened.error().WithContext("store");
    }
  }
  rep->StartLane(executors);
  return std::unique_ptr<Store>(new Store(std::move(rep)));
}

Result<model::SeriesRef> Store::Resolve(const model::Labels& labels) {
  return rep_->Resolve(labels);
}

Result<model::CommitOutcome> Store::Commit(const model::CommitContext& /*context*/,
                                           std::span<const model::SeriesSample> samples) {
  return rep_->Commit(samples);
}

Result<std::unique_ptr<model::Selection>> Store::Select(const std::vector<model::Matcher>& matchers,
                                                        model::TimeRange range) const {
  TOCSIN_ASSIGN_OR_RETURN(auto selection, rep_->Select(matchers, range));
  return std::unique_ptr<model::Selection>(std::move(selection));
}

Result<std::vector<std::string>> Store::LabelNames(const std::vector<model::Matcher>& matchers,
                                                   model::TimeRange range) const {
  TOCSIN_ASSIGN_OR_RETURN(const auto series, rep_->LabelsOf(matchers, range));
  std::set<std::string, std::less<>> names;
  for (const model::Labels& labels : series) {
    for (const auto& [name, value] : labels) {
      if (!names.contains(name)) names.emplace(name);
    }
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<std::string>> Store::LabelValues(const std::string& name,
                                                    const std::vector<model::Matcher>& matchers,
                                                    model::TimeRange range) const {
  TOCSIN_ASSIGN_OR_RETURN(const auto series, rep_->LabelsOf(matchers, range));
  std::set<std::string, std::less<>> values;
  for (const model::Labels& labels : series) {
    const std::string_view value = labels.Get(name);
    if (!value.empty() && !values.contains(value)) values.emplace(value);
  }
  return std::vector<std::string>(values.begin(), values.end());
}

StoreStats Store::Stats(std::size_t top) const { return rep_->Stats(top); }

Result<> Store::Flush() { return rep_->Flush(); }

}  // namespace tocsin::store
