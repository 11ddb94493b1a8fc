#pragma once

// The inside of Store, for store.cc, store_open.cc and store_lane.cc.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/store/head.h"
#include "daemon/store/history.h"
#include "daemon/store/selection.h"
#include "daemon/store/store.h"
#include "daemon/store/store_metrics.h"

namespace tocsin::store {

class Store::Rep {
 public:
  Rep(const StoreConfig& config, const Clock& clock, MetricRegistry& registry);

  // --- Opening (store_open.cc) ---
  Result<> OpenHistory(FileSystem& files, std::string vfs);
  void StartLane(ExecutorFactory& executors);

  // --- Writing (store.cc) ---
  Result<model::SeriesRef> Resolve(const model::Labels& labels);
  Result<model::CommitOutcome> Commit(std::span<const model::SeriesSample> samples);
  // Writes what commits have left to write. Errors: as History.
  Result<> WritePending();

  // --- Reading (store.cc) ---
  Result<std::unique_ptr<StoreSelection>> Select(const std::vector<model::Matcher>& matchers,
                                                 model::TimeRange range) const;
  Result<std::vector<model::Labels>> LabelsOf(const std::vector<model::Matcher>& matchers,
                                              model::TimeRange range) const;
  StoreStats Stats(std::size_t top) const;

  // --- The lane (store_lane.cc) ---
  void Tick();
  Result<> Flush();

  const Head& head() const { return head_; }

 private:
  std::optional<double> LastValueOf(const ArchivedSeries& series) const;
  Result<> Replay();
  Result<> ReplayRows(std::uint64_t& last_sequence);
  Result<> FillDirectory();
  Result<> Repair();
  Result<> SaveChunks();
  Result<> Sync() REQUIRES_LOCK(lane_mutex_);
  Result<> ApplyRetention();
  void CollectIdle();
  Result<> ForgetEmpty(std::vector<std::uint64_t> series);
  void KeepHistory(const Head::UpkeepResult& upkeep) REQUIRES_LOCK(lane_mutex_);
  void KeepMemory(const Head::UpkeepResult& upkeep);
  Head::UpkeepResult RunUpkeep();
  void Note(const Result<>& result, const char* doing);
  void Publish(const Head::UpkeepResult& upkeep) REQUIRES_LOCK(lane_mutex_);
  std::int64_t NowMs() const { return ToUnixMillis(clock_.WallNow()); }

  const StoreConfig config_;
  const Clock& clock_;
  StoreMetrics metrics_;
  Head head_;
  std::unique_ptr<History> history_;  // Null: memory only.
  std::atomic<bool> disk_failing_{false};

  // Commits that are in the head but not yet in the journal. write_mutex_ is held
  // while they are written, so that whoever waits for it finds its row written.
  Mutex write_mutex_;
  Mutex pending_mutex_;
  std::vector<JournalRow> pending_ GUARDED_BY(pending_mutex_);
  std::int64_t pending_bytes_ GUARDED_BY(pending_mutex_) = 0;

  // Of the lane alone (and of Flush, which locks).
  Mutex lane_mutex_;
  SteadyTime last_sync_ GUARDED_BY(lane_mutex_);
  SteadyTime last_retention_ GUARDED_BY(lane_mutex_);
  double noted_read_failures_ GUARDED_BY(lane_mutex_) = 0;
  double noted_corruptions_ GUARDED_BY(lane_mutex_) = 0;

  std::unique_ptr<Executor> lane_;  // Last: its tasks use all of the above.
};

}  // namespace tocsin::store
