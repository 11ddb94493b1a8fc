#include "daemon/store/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/base/text.h"
#include "daemon/store/chunk_codec.h"
#include "daemon/store/history_connections.h"

namespace tocsin::store {
namespace {

constexpr std::int64_t kQuickCheckLimitBytes = 64 << 20;
constexpr int kTrimStepRows = 256;
constexpr int kTrimSteps = 200;
constexpr int kShrinkPages = 1024;

Result<std::int64_t> Pragma(Database& database, const std::string& name) {
  TOCSIN_ASSIGN_OR_RETURN(Statement statement, database.Prepare("PRAGMA " + name));
  TOCSIN_ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.Int(0) : 0;
}

Error NotOpen() { return Error{ErrorCode::kIoError, "history.db: not open"}; }

}  // namespace

std::uint32_t ChunkChecksum(std::uint64_t series, std::string_view bytes) {
  return Checksum(bytes) ^ static_cast<std::uint32_t>(series * 2654435761U);
}

History::History(std::string folder, std::string vfs, const Clock& clock, FileSystem& files)
    : path_(std::move(folder) + "/history.db"),
      vfs_(std::move(vfs)),
      clock_(clock),
      files_(files) {}

History::~History() = default;

Result<std::unique_ptr<History>> History::Open(std::string folder, std::string vfs,
                                               const Clock& clock, FileSystem& files) {
  TOCSIN_RETURN_IF_ERROR(files.MakeDirectory(folder));
  std::unique_ptr<History> history(new History(std::move(folder), std::move(vfs), clock, files));
  auto opened = history->Noted(history->OpenFile());
  if (!opened.ok() && opened.error().code == ErrorCode::kCorruption) {
    LogError("the history of samples is damaged", {{"reason", opened.error().message}});
    opened = history->SetAside();
  }
  if (!opened.ok()) return opened.error();
  return history;
}

Result<> History::OpenFile() {
  const auto status = files_.Status(path_);
  const bool small = !status.ok() || status->size_bytes <= kQuickCheckLimitBytes;
  TOCSIN_ASSIGN_OR_RETURN(auto writer, Writer::Open(path_, vfs_, small));
  TOCSIN_ASSIGN_OR_RETURN(auto syncer,
                          OpenConnection(path_, vfs_, Durability::kEveryCommit, false));
  for (ReaderSlot& slot : readers_) {
    TOCSIN_ASSIGN_OR_RETURN(auto reader, Reader::Open(path_, vfs_));
    MutexLock lock(slot.mutex);
    slot.reader = std::move(reader);
  }
  {
    MutexLock lock(sync_mutex_);
    syncer_ = std::move(syncer);
  }
  MutexLock lock(writer_mutex_);
  writer_ = std::move(writer);
  return {};
}

Result<> History::WriteRows(std::span<const JournalRow> rows) {
  MutexLock lock(writer_mutex_);
  if (writer_ == nullptr) return NotOpen();
  return Noted(writer_->WriteRows(rows));
}

Result<> History::SaveChunks(const std::vector<Head::UnsavedChunk>& chunks) {
  MutexLock lock(writer_mutex_);
  if (writer_ == nullptr) return NotOpen();
  return Noted([&]() -> Result<> {
    writer_mutex_.AssertHeld();
    TOCSIN_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*writer_->database));
    for (const Head::UnsavedChunk& chunk : chunks) {
      if (chunk.new_labels.has_value()) {
        TOCSIN_RETURN_IF_ERROR(writer_->InsertSeries({chunk.history_id, *chunk.new_labels}));
      }
      TOCSIN_RETURN_IF_ERROR(
          writer_->insert_chunk.Bind(1, static_cast<std::int64_t>(chunk.history_id))
              .Bind(2, chunk.first_ms)
              .Bind(3, chunk.last_ms)
              .Bind(4, chunk.sealed_at_ms)
              .Bind(5, std::int64_t{chunk.samples})
              .Bind(6, std::int64_t{ChunkChecksum(chunk.history_id, chunk.bytes)})
              .BindBlob(7, chunk.bytes)
              .Run());
    }
    return transaction.Commit();
  }());
}

Result<> History::TrimJournal(std::uint64_t watermark) {
  for (int step = 0; step < kTrimSteps; ++step) {
    MutexLock lock(writer_mutex_);  // Taken anew at each step: commits come between.
    if (writer_ == nullptr) return NotOpen();
    TOCSIN_RETURN_IF_ERROR(Noted(writer_->trim.Bind(1, static_cast<std::int64_t>(watermark))
                                     .Bind(2, std::int64_t{kTrimStepRows})
                                     .Run()));
    if (writer_->database->ChangedRows() == 0) break;
  }
  return {};
}

Result<> History::Sync() {
  MutexLock lock(sync_mutex_);
  if (syncer_ == nullptr) return NotOpen();
  return Noted([&]() -> Result<> {
    sync_mutex_.AssertHeld();
    TOCSIN_ASSIGN_OR_RETURN(Statement checkpoint,
                            syncer_->Prepare("PRAGMA wal_checkpoint(PASSIVE)"));
    TOCSIN_ASSIGN_OR_RETURN(const bool row, checkpoint.Step());
    if (row && checkpoint.Int(0) == 0 && checkpoint.Int(1) == checkpoint.Int(2)) return {};
    checkpoint.Reset();
    // A reader held the checkpoint up. This connection syncs each commit, and a
    // sync of the log covers every commit before.
    return syncer_->Execute(
        "INSERT OR REPLACE INTO synced(id, number) VALUES(1, "
        "coalesce((SELECT number FROM synced), 0) + 1)");
  }());
}

Result<> History::ReadSamples(std::uint64_t series, model::TimeRange range,
                              model::SampleColumns& out) const {
  const ReaderSlot& slot = ReaderOf(series);
  MutexLock lock(slot.mutex);
  if (slot.reader == nullptr) return NotOpen();
  Statement& chunks = slot.reader->chunks;
  const auto read = [&]() -> Result<> {
    chunks.Bind(1, static_cast<std::int64_t>(series)).Bind(2, range.from_ms);
    while (true) {
      TOCSIN_ASSIGN_OR_RETURN(const bool row, chunks.Step());
      if (!row || chunks.Int(0) > range.to_ms) return {};
      const std::string bytes = chunks.Blob(2);
      const bool intact = chunks.Int(1) == std::int64_t{ChunkChecksum(series, bytes)};
      if (!intact || !ReadChunk(bytes, range, out)) ++damaged_chunks_;
    }
  };
  auto result = Noted(read());
  chunks.Reset();  // Ends the read transaction, which would hold the checkpoint up.
  return result;
}

Result<std::optional<ArchivedSeries>> History::Extent(std::uint64_t series) const {
  const ReaderSlot& slot = ReaderOf(series);
  MutexLock lock(slot.mutex);
  if (slot.reader == nullptr) return NotOpen();
  Statement& extent = slot.reader->extent;
  auto row = Noted(extent.Bind(1, static_cast<std::int64_t>(series)).Step());
  if (!row.ok()) return row.error();
  std::optional<ArchivedSeries> found;
  if (*row && !extent.IsNull(0)) found = ArchivedSeries{series, extent.Int(0), extent.Int(1), {}};
  extent.Reset();
  return found;
}

Result<std::optional<model::Labels>> History::LabelsOf(std::uint64_t series) const {
  const ReaderSlot& slot = ReaderOf(series);
  MutexLock lock(slot.mutex);
  if (slot.reader == nullptr) return NotOpen();
  Statement& labels = slot.reader->labels;
  auto row = Noted(labels.Bind(1, static_cast<std::int64_t>(series)).Step());
  if (!row.ok()) return row.error();
  std::optional<model::Labels> found;
  if (*row) found = DecodeLabels(labels.Blob(0));
  labels.Reset();
  return found;
}

Result<> History::ForEachSeries(std::string_view metric_name, const SeriesFound& found) const {
  const ReaderSlot& slot = readers_[0];
  MutexLock lock(slot.mutex);
  if (slot.reader == nullptr) return NotOpen();
  const auto read = [&]() -> Result<> {
    TOCSIN_ASSIGN_OR_RETURN(
        Statement series,
        slot.reader->database->Prepare(metric_name.empty()
                                           ? "SELECT id, labels FROM series"
                                           : "SELECT id, labels FROM series WHERE name = ?"));
    if (!metric_name.empty()) series.BindText(1, metric_name);
    while (true) {
      TOCSIN_ASSIGN_OR_RETURN(const bool row, series.Step());
      if (!row) return {};
      const auto labels = DecodeLabels(series.Blob(1));
      if (labels.has_value()) {
        found(static_cast<std::uint64_t>(series.Int(0)), *labels);
      } else {
        ++damaged_rows_;
      }
    }
  };
  return Noted(read());
}

Result<> History::ForEachRow(const RowFound& row_found) {
  MutexLock lock(writer_mutex_);
  if (writer_ == nullptr) return NotOpen();
  return Noted([&]() -> Result<> {
    writer_mutex_.AssertHeld();
    TOCSIN_ASSIGN_OR_RETURN(Statement rows, writer_->database->Prepare(
                                                "SELECT seq, payload FROM journal ORDER BY seq"));
    while (true) {
      TOCSIN_ASSIGN_OR_RETURN(const bool row, rows.Step());
      if (!row) return {};
      const auto samples = DecodeJournalRow(rows.Blob(1));
      if (!samples.has_value()) ++damaged_rows_;
      TOCSIN_RETURN_IF_ERROR(row_found(static_cast<std::uint64_t>(rows.Int(0)),
                                       samples.value_or(std::vector<JournalSample>())));
    }
  }());
}

Result<std::uint64_t> History::LastSeriesId() const {
  MutexLock lock(writer_mutex_);
  if (writer_ == nullptr) return NotOpen();
  TOCSIN_ASSIGN_OR_RETURN(Statement last, writer_->database->Prepare("SELECT max(id) FROM series"));
  auto row = Noted(last.Step());
  if (!row.ok()) return row.error();
  return static_cast<std::uint64_t>(last.Int(0));
}

Result<std::vector<std::uint64_t>> History::DeleteOldest(std::int64_t sealed_before_ms, int limit) {
  MutexLock lock(writer_mutex_);
  if (writer_ == nullptr) return NotOpen();
  Statement& statement = writer_->delete_oldest;
  const auto run = [&]() -> Result<std::vector<std::uint64_t>> {
    std::vector<std::uint64_t> series;
    statement.Bind(1, std::int64_t{limit}).Bind(2, sealed_before_ms);
    while (true) {
      TOCSIN_ASSIGN_OR_RETURN(const bool row, statement.Step());
      if (!row) return series;
      series.push_back(static_cast<std::uint64_t>(statement.Int(0)));
    }
  };
  auto deleted = Noted(run());
  statement.Reset();
  return deleted;
}

Result<> History::ForgetSeries(std::span<const std::uint64_t> ids) {
  if (ids.empty()) return {};
  MutexLock lock(writer_mutex_);
  if (writer_ == nullptr) return NotOpen();
  return Noted([&]() -> Result<> {
    writer_mutex_.AssertHeld();
    TOCSIN_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*writer_->database));
    for (const std::uint64_t id : ids) {
      TOCSIN_RETURN_IF_ERROR(writer_->delete_series.Bind(1, static_cast<std::int64_t>(id)).Run());
    }
    return transaction.Commit();
  }());
}

Result<History::Size> History::MeasureSize() const {
  MutexLock lock(writer_mutex_);
  if (writer_ == nullptr) return NotOpen();
  Database& database = *writer_->database;
  return Noted([&]() -> Result<Size> {
    TOCSIN_ASSIGN_OR_RETURN(const std::int64_t page_bytes, Pragma(database, "page_size"));
    TOCSIN_ASSIGN_OR_RETURN(const std::int64_t pages, Pragma(database, "page_count"));
    TOCSIN_ASSIGN_OR_RETURN(const std::int64_t free_pages, Pragma(database, "freelist_count"));
    TOCSIN_ASSIGN_OR_RETURN(
        Statement rows,
        database.Prepare("SELECT (SELECT max(seq) FROM journal) - (SELECT min(seq) FROM journal)"));
    TOCSIN_ASSIGN_OR_RETURN(const bool row, rows.Step());
    // Sequences are consecutive but for commits that stored nothing.
    const std::int64_t journal_rows = row && !rows.IsNull(0) ? rows.Int(0) + 1 : 0;
    return Size{(pages - free_pages) * page_bytes, pages * page_bytes, journal_rows};
  }());
}

Result<> History::ShrinkFile() {
  MutexLock lock(writer_mutex_);
  if (writer_ == nullptr) return NotOpen();
  Database& database = *writer_->database;
  auto free_pages = Noted(Pragma(database, "freelist_count"));
  if (!free_pages.ok()) return free_pages.error();
  auto pages = Noted(Pragma(database, "page_count"));
  if (!pages.ok()) return pages.error();
  if (*free_pages < kShrinkPages || *free_pages * 4 < *pages) return {};
  return Noted(database.Execute(fmt::format("PRAGMA incremental_vacuum({})", kShrinkPages)));
}

std::string History::damaged_path() const {
  MutexLock lock(writer_mutex_);
  return damaged_path_;
}

Result<> History::SetAside() {
  TOCSIN_RETURN_IF_ERROR(CloseAndRename());
  TOCSIN_RETURN_IF_ERROR(OpenFile());
  damaged_ = false;
  return {};
}

Result<> History::CloseAndRename() {
  for (ReaderSlot& slot : readers_) {
    MutexLock lock(slot.mutex);
    slot.reader.reset();
  }
  {
    MutexLock lock(sync_mutex_);
    syncer_.reset();
  }
  MutexLock lock(writer_mutex_);
  writer_.reset();
  std::string suffix = ".damaged-" + FormatTime(clock_.WallNow());
  std::replace(suffix.begin(), suffix.end(), ':', '-');
  // The main file goes last: while it is there, the next start finds the damage again.
  for (const char* part : {"-shm", "-wal", ""}) {
    const auto renamed = files_.Rename(path_ + part, path_ + suffix + part);
    if (!renamed.ok() && renamed.error().code != ErrorCode::kNotFound) return renamed;
  }
  damaged_path_ = path_ + suffix;
  ++corruptions_;
  return {};
}

}  // namespace tocsin::store
