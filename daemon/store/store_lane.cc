// What the store does on its own lane, one tick at a time: seal, save, trim the
// journal, sync, delete what is too old or too much, and repair.

#include <algorithm>
#include <limits>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/store/selection.h"
#include "daemon/store/store_rep.h"

namespace tocsin::store {
namespace {

constexpr std::int64_t kStartOfTime = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kEndOfTime = std::numeric_limits<std::int64_t>::max();
constexpr Millis kMaxOpenAge{std::chrono::hours(2)};  // A chunk that fills slowly pins the journal.
constexpr Millis kRetentionInterval{std::chrono::minutes(1)};
constexpr std::size_t kSaveBatchChunks = 512;
constexpr int kSaveBatches = 400;  // Per tick.
constexpr int kDeleteBatchChunks = 512;
constexpr int kDeleteBatches = 20;  // Per tick.
constexpr std::size_t kCollectLimit = 10'000;

}  // namespace

void Store::Rep::Tick() {
  {
    MutexLock lock(lane_mutex_);
    const Head::UpkeepResult upkeep = RunUpkeep();
    KeepMemory(upkeep);
    if (history_ != nullptr) {
      KeepHistory(upkeep);
      if (!disk_failing_) Note(history_->TrimJournal(upkeep.journal_watermark), "trim the journal");
    }
    if (upkeep.idle_series > 0) CollectIdle();
    Publish(upkeep);
  }
  lane_->RunAt(clock_.SteadyNow() + kTickInterval, [this] { Tick(); });
}

Head::UpkeepResult Store::Rep::RunUpkeep() {
  const std::int64_t now_ms = NowMs();
  Head::UpkeepPlan plan;
  plan.now_ms = now_ms;
  plan.seal_opened_before_ms = now_ms - kMaxOpenAge.count();
  plan.idle_since_ms = now_ms - kRefLifetime.count();
  plan.drop_saved_before_ms = now_ms - config_.memory_window.count();
  const bool for_ever = config_.retention.count() == 0;
  plan.expire_before_ms = for_ever ? kStartOfTime : now_ms - config_.retention.count();
  return head_.Upkeep(plan);
}

void Store::Rep::KeepMemory(const Head::UpkeepResult& upkeep) {
  metrics_.chunks_expired.Add(static_cast<double>(upkeep.expired_chunks));
  if (history_ == nullptr && upkeep.chunk_bytes > config_.max_size_bytes) {
    const auto dropped = head_.DropOldest(upkeep.chunk_bytes - config_.max_size_bytes, false);
    metrics_.chunks_expired.Add(static_cast<double>(dropped.chunks));
  }
  if (history_ != nullptr && upkeep.unsaved_bytes > config_.max_unsaved_bytes && disk_failing_) {
    const auto dropped = head_.DropOldest(upkeep.unsaved_bytes - config_.max_unsaved_bytes, true);
    metrics_.samples_dropped.Add(static_cast<double>(dropped.samples));
  }
}

// One failure ends the round: the next tick tries again from the start.
void Store::Rep::KeepHistory(const Head::UpkeepResult& upkeep) {
  if (history_->damaged()) {
    if (auto repaired = Repair(); !repaired.ok()) return Note(repaired, "replace history.db");
  }
  if (auto written = WritePending(); !written.ok()) return Note(written, "write the journal");
  if (upkeep.unsaved_chunks > 0) {
    if (auto saved = SaveChunks(); !saved.ok()) return Note(saved, "save chunks");
  }
  const SteadyTime now = clock_.SteadyNow();
  if (now - last_retention_ >= kRetentionInterval) {
    last_retention_ = now;
    if (auto applied = ApplyRetention(); !applied.ok()) return Note(applied, "apply retention");
  }
  if (now - last_sync_ >= kSyncInterval) {
    if (auto synced = Sync(); !synced.ok()) return Note(synced, "sync history.db");
  }
  if (disk_failing_.exchange(false)) LogInfo("history.db can be written again");
}

Result<> Store::Rep::Repair() {
  TOCSIN_RETURN_IF_ERROR(history_->SetAside());
  LogError("history.db was damaged and set aside; its samples cannot be queried any more",
           {{"kept_as", history_->damaged_path()}});
  head_.StartHistoryAnew(NowMs());
  return SaveChunks();
}

Result<> Store::Rep::SaveChunks() {
  Slot from = 0;
  for (int batch = 0; batch < kSaveBatches; ++batch) {
    const auto chunks = head_.UnsavedChunks(from, kSaveBatchChunks);
    if (!chunks.empty()) {
      TOCSIN_RETURN_IF_ERROR(history_->SaveChunks(chunks));
      head_.ConfirmSaved(chunks);
      metrics_.chunks_saved.Add(static_cast<double>(chunks.size()));
    }
    if (from == 0) break;
  }
  return {};
}

Result<> Store::Rep::Sync() {
  const std::int64_t now_ms = NowMs();
  TOCSIN_RETURN_IF_ERROR(history_->Sync());
  last_sync_ = clock_.SteadyNow();
  metrics_.last_sync_timestamp_seconds.Set(static_cast<double>(now_ms) / 1000);
  return {};
}

Result<> Store::Rep::ApplyRetention() {
  const bool for_ever = config_.retention.count() == 0;
  const std::int64_t expired_ms = for_ever ? kStartOfTime : NowMs() - config_.retention.count();
  for (int batch = 0; batch < kDeleteBatches; ++batch) {
    TOCSIN_ASSIGN_OR_RETURN(const History::Size size, history_->MeasureSize());
    const bool too_large = size.used_bytes > config_.max_size_bytes;
    TOCSIN_ASSIGN_OR_RETURN(auto series, history_->DeleteOldest(too_large ? kEndOfTime : expired_ms,
                                                                kDeleteBatchChunks));
    metrics_.chunks_expired.Add(static_cast<double>(series.size()));
    const bool more = series.size() == kDeleteBatchChunks;
    TOCSIN_RETURN_IF_ERROR(ForgetEmpty(std::move(series)));
    if (!more) break;
  }
  return history_->ShrinkFile();
}

// Takes the series that have no chunk left, and are not in the head, out of history.
Result<> Store::Rep::ForgetEmpty(std::vector<std::uint64_t> series) {
  std::sort(series.begin(), series.end());
  series.erase(std::unique(series.begin(), series.end()), series.end());
  std::vector<std::uint64_t> forgotten;
  for (const std::uint64_t id : series) {
    TOCSIN_ASSIGN_OR_RETURN(const auto extent, history_->Extent(id));
    if (extent.has_value()) continue;
    TOCSIN_ASSIGN_OR_RETURN(const auto labels, history_->LabelsOf(id));
    if (labels.has_value() && head_.Unarchive(labels->Fingerprint(), id)) forgotten.push_back(id);
  }
  return history_->ForgetSeries(forgotten);
}

void Store::Rep::CollectIdle() {
  std::vector<std::uint64_t> unsaved;
  std::vector<std::uint64_t> archived;
  for (const Head::Collected& collected :
       head_.CollectIdle(NowMs() - kRefLifetime.count(), kCollectLimit)) {
    (collected.has_history ? archived : unsaved).push_back(collected.series.history_id);
  }
  if (history_ == nullptr || disk_failing_) return;
  // Retention may have deleted the last chunk while the series was in the head.
  Note(ForgetEmpty(std::move(archived)), "forget series");
  Note(history_->ForgetSeries(unsaved), "forget series");
}

// Logs and counts on change: the disk fails, or it works again.
void Store::Rep::Note(const Result<>& result, const char* doing) {
  if (result.ok() || history_ == nullptr) return;
  metrics_.write_failures.Add();
  if (result.error().code == ErrorCode::kUnavailable) return;  // Busy: the next tick.
  if (disk_failing_.exchange(true)) return;
  LogError("history.db cannot be written; samples stay in memory until it can",
           {{"doing", doing}, {"reason", result.error().message}});
}

Result<> Store::Rep::Flush() {
  if (history_ == nullptr) return {};
  MutexLock lock(lane_mutex_);
  const auto flush = [&]() -> Result<> {
    lane_mutex_.AssertHeld();
    if (history_->damaged()) TOCSIN_RETURN_IF_ERROR(Repair());
    TOCSIN_RETURN_IF_ERROR(WritePending());
    return Sync();
  };
  const auto flushed = flush();
  Note(flushed, "flush");
  if (flushed.ok()) return {};
  return Error{ErrorCode::kIoError, "flush: " + flushed.error().message};
}

void Store::Rep::Publish(const Head::UpkeepResult& upkeep) {
  metrics_.series.Set(static_cast<double>(head_.series_count()));
  metrics_.archived_series.Set(static_cast<double>(head_.archived_count()));
  metrics_.chunks.Set(static_cast<double>(upkeep.chunks));
  metrics_.chunk_bytes.Set(static_cast<double>(upkeep.chunk_bytes));
  metrics_.unsaved_chunks.Set(static_cast<double>(upkeep.unsaved_chunks));
  if (history_ == nullptr) return;
  const auto raise = [](Counter counter, double& noted, std::int64_t now) {
    counter.Add(static_cast<double>(now) - noted);
    noted = static_cast<double>(now);
  };
  raise(metrics_.read_failures, noted_read_failures_,
        history_->damaged_chunks() + history_->damaged_rows());
  raise(metrics_.corruptions, noted_corruptions_, history_->corruptions());
  if (const auto size = history_->MeasureSize(); size.ok()) {
    metrics_.disk_bytes.Set(static_cast<double>(size->file_bytes));
    metrics_.journal_rows.Set(static_cast<double>(size->journal_rows));
  }
}

}  // namespace tocsin::store
