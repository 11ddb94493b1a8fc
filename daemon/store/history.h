#pragma once

// history.db: the journal of commits, the chunks that are full, and the labels of
// every series that has either. What a transaction wrote survives a crash of the
// process; Sync() makes everything written so far survive power loss (see
// Durability::kCheckpoint: after power loss a prefix of the transactions is left).
//
// Thread-safe: writes, syncs and reads have connections and mutexes of their own,
// so that reading and syncing do not keep a commit waiting. A call that finds the
// file damaged returns kCorruption and damaged() is true from then on, until
// SetAside().

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/file_system.h"
#include "daemon/base/mutex.h"
#include "daemon/base/result.h"
#include "daemon/base/sqlite.h"
#include "daemon/model/labels.h"
#include "daemon/model/querier.h"
#include "daemon/store/head.h"
#include "daemon/store/journal_row.h"

namespace tocsin::store {

// Of a chunk's row: its bytes, and whose they are.
std::uint32_t ChunkChecksum(std::uint64_t series, std::string_view bytes);

class History {
 public:
  static constexpr int kSchemaVersion = 1;

  // Opens or creates folder/history.db. A damaged file is set aside first.
  // Errors: kIoError, kPermissionDenied, kInvalidArgument (written by a newer version).
  static Result<std::unique_ptr<History>> Open(std::string folder, std::string vfs,
                                               const Clock& clock, FileSystem& files);
  ~History();

  // Writes commits, and the series they bring, as one transaction.
  Result<> WriteRows(std::span<const JournalRow> rows);
  // Writes chunks, and series that history does not know, as one transaction.
  Result<> SaveChunks(const std::vector<Head::UnsavedChunk>& chunks);
  // Deletes rows below `watermark` in steps, a bounded number of them.
  Result<> TrimJournal(std::uint64_t watermark);
  // On OK everything written before the call is on disk.
  Result<> Sync();

  // Appends the samples of a series within `range`, times ascending. Chunks whose
  // checksum is wrong are left out and counted in damaged_chunks().
  Result<> ReadSamples(std::uint64_t series, model::TimeRange range,
                       model::SampleColumns& out) const;
  // What history holds of a series; null if nothing.
  Result<std::optional<ArchivedSeries>> Extent(std::uint64_t series) const;
  Result<std::optional<model::Labels>> LabelsOf(std::uint64_t series) const;

  using SeriesFound = std::function<void(std::uint64_t id, const model::Labels& labels)>;
  // Every series, or those of one metric name. `found` must not call back.
  Result<> ForEachSeries(std::string_view metric_name, const SeriesFound& found) const;

  // While opening, in the order of commits; `row` may read. Damaged rows are
  // passed over and counted.
  using RowFound =
      std::function<Result<>(std::uint64_t sequence, const std::vector<JournalSample>&)>;
  Result<> ForEachRow(const RowFound& row);
  Result<std::uint64_t> LastSeriesId() const;

  // Deletes up to `limit` chunks, the first saved first, that were sealed before
  // `sealed_before_ms`. Returns the series of each.
  Result<std::vector<std::uint64_t>> DeleteOldest(std::int64_t sealed_before_ms, int limit);
  Result<> ForgetSeries(std::span<const std::uint64_t> ids);

  struct Size {
    std::int64_t used_bytes = 0;
    std::int64_t file_bytes = 0;  // With pages that are free.
    std::int64_t journal_rows = 0;
  };
  Result<Size> MeasureSize() const;
  // Gives a bounded number of free pages back to the file system.
  Result<> ShrinkFile();

  bool damaged() const { return damaged_.load(std::memory_order_relaxed); }
  // Renames the file with the time and opens a new one. Requires nothing of the
  // old one to be usable. Errors: kIoError, kPermissionDenied; try again later.
  Result<> SetAside();
  std::int64_t corruptions() const { return corruptions_.load(std::memory_order_relaxed); }
  std::string damaged_path() const;
  std::int64_t damaged_chunks() const { return damaged_chunks_.load(std::memory_order_relaxed); }
  std::int64_t damaged_rows() const { return damaged_rows_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kReaders = 2;
  struct Writer;
  struct Reader;
  struct ReaderSlot {
    mutable Mutex mutex;
    std::unique_ptr<Reader> reader;  // Guarded by mutex; null while nothing is open.
  };

  History(std::string folder, std::string vfs, const Clock& clock, FileSystem& files);
  Result<> OpenFile();
  Result<> CloseAndRename();
  ReaderSlot& ReaderOf(std::uint64_t series) const { return readers_[series % kReaders]; }

  // Remembers that the file is damaged if the result says so.
  template <class T>
  Result<T> Noted(Result<T> result) const {
    if (!result.ok() && result.error().code == ErrorCode::kCorruption) damaged_ = true;
    return result;
  }

  const std::string path_;
  const std::string vfs_;
  const Clock& clock_;
  FileSystem& files_;
  mutable std::atomic<bool> damaged_{false};
  std::atomic<std::int64_t> corruptions_{0};
  mutable std::atomic<std::int64_t> damaged_chunks_{0};
  mutable std::atomic<std::int64_t> damaged_rows_{0};

  mutable Mutex writer_mutex_;
  std::unique_ptr<Writer> writer_ GUARDED_BY(writer_mutex_);
  std::string damaged_path_ GUARDED_BY(writer_mutex_);
  mutable Mutex sync_mutex_;
  std::unique_ptr<Database> syncer_ GUARDED_BY(sync_mutex_);
  mutable std::array<ReaderSlot, kReaders> readers_;
};

}  // namespace tocsin::store
