#include "daemon/store/history_connections.h"

#include <fmt/format.h>

#include <utility>

namespace tocsin::store {
namespace {

constexpr int kCacheKib = 256;

// Chunks lie in the order they were saved, so that saving appends and retention
// deletes from the front; the index finds a series' chunks by time.
constexpr const char* kSchema = R"(
  BEGIN IMMEDIATE;
  CREATE TABLE IF NOT EXISTS series(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, labels BLOB NOT NULL);
  CREATE INDEX IF NOT EXISTS series_by_name ON series(name);
  CREATE TABLE IF NOT EXISTS chunk(
    id INTEGER PRIMARY KEY, series INTEGER NOT NULL, first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL, sealed_ms INTEGER NOT NULL, samples INTEGER NOT NULL,
    checksum INTEGER NOT NULL, data BLOB NOT NULL);
  CREATE UNIQUE INDEX IF NOT EXISTS chunk_by_series ON chunk(series, last_ms);
  CREATE TABLE IF NOT EXISTS journal(seq INTEGER PRIMARY KEY, payload BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS synced(id INTEGER PRIMARY KEY, number INTEGER NOT NULL);
  PRAGMA user_version = 1;
  COMMIT;)";

Result<> BringSchemaUpToDate(Database& database, const std::string& path) {
  std::int64_t version = 0;
  {
    TOCSIN_ASSIGN_OR_RETURN(Statement statement, database.Prepare("PRAGMA user_version"));
    TOCSIN_ASSIGN_OR_RETURN(const bool row, statement.Step());
    if (row) version = statement.Int(0);
  }
  if (version == History::kSchemaVersion) return {};
  if (version != 0) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("{}: schema version {} is newer than this program's {}", path, version,
                             History::kSchemaVersion)};
  }
  auto made = database.Execute(kSchema);
  if (!made.ok()) (void)database.Execute("ROLLBACK");
  return made;
}

}  // namespace

Result<std::unique_ptr<Database>> OpenConnection(const std::string& path, const std::string& vfs,
                                                 Durability durability, bool quick_check) {
  TOCSIN_ASSIGN_OR_RETURN(auto database, Database::Open({.path = path,
                                                         .durability = durability,
                                                         .vfs = vfs,
                                                         .cache_kib = kCacheKib,
                                                         .quick_check = quick_check}));
  TOCSIN_RETURN_IF_ERROR(database->Execute("PRAGMA wal_autocheckpoint=0"));
  return database;
}

Result<std::unique_ptr<History::Writer>> History::Writer::Open(const std::string& path,
                                                               const std::string& vfs,
                                                               bool quick_check) {
  TOCSIN_ASSIGN_OR_RETURN(auto database,
                          OpenConnection(path, vfs, Durability::kCheckpoint, quick_check));
  TOCSIN_RETURN_IF_ERROR(BringSchemaUpToDate(*database, path));
  TOCSIN_ASSIGN_OR_RETURN(
      auto series,
      database->Prepare("INSERT OR REPLACE INTO series(id, name, labels) VALUES(?, ?, ?)"));
  // OR REPLACE: a commit that failed at its last step may have been written all the same.
  TOCSIN_ASSIGN_OR_RETURN(
      auto row, database->Prepare("INSERT OR REPLACE INTO journal(seq, payload) VALUES(?, ?)"));
  TOCSIN_ASSIGN_OR_RETURN(
      auto chunk, database->Prepare("INSERT OR REPLACE INTO chunk(series, first_ms, last_ms, "
                                    "sealed_ms, samples, checksum, data) VALUES(?,?,?,?,?,?,?)"));
  TOCSIN_ASSIGN_OR_RETURN(
      auto trim, database->Prepare("DELETE FROM journal WHERE seq < ?1 AND seq < (SELECT min(seq) "
                                   "FROM journal) + ?2"));
  TOCSIN_ASSIGN_OR_RETURN(
      auto oldest, database->Prepare("DELETE FROM chunk WHERE id IN (SELECT id FROM chunk ORDER BY "
                                     "id LIMIT ?1) AND sealed_ms < ?2 RETURNING series"));
  TOCSIN_ASSIGN_OR_RETURN(auto forget, database->Prepare("DELETE FROM series WHERE id = ?"));
  return std::unique_ptr<Writer>(new Writer{std::move(database), std::move(series), std::move(row),
                                            std::move(chunk), std::move(trim), std::move(oldest),
                                            std::move(forget)});
}

Result<> History::Writer::InsertSeries(const NewSeries& series) {
  return insert_series.Bind(1, static_cast<std::int64_t>(series.history_id))
      .BindText(2, series.labels.Name())
      .BindBlob(3, EncodeLabels(series.labels))
      .Run();
}

Result<> History::Writer::WriteRows(std::span<const JournalRow> rows) {
  TOCSIN_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database));
  for (const JournalRow& row : rows) {
    for (const NewSeries& series : row.new_series) TOCSIN_RETURN_IF_ERROR(InsertSeries(series));
    if (row.payload.empty()) continue;
    TOCSIN_RETURN_IF_ERROR(
        insert_row.Bind(1, static_cast<std::int64_t>(row.sequence)).BindBlob(2, row.payload).Run());
  }
  return transaction.Commit();
}

Result<std::unique_ptr<History::Reader>> History::Reader::Open(const std::string& path,
                                                               const std::string& vfs) {
  TOCSIN_ASSIGN_OR_RETURN(auto database, OpenConnection(path, vfs, Durability::kCheckpoint, false));
  TOCSIN_ASSIGN_OR_RETURN(
      auto chunks, database->Prepare("SELECT first_ms, checksum, data FROM chunk WHERE series = ? "
                                     "AND last_ms >= ? ORDER BY last_ms"));
  TOCSIN_ASSIGN_OR_RETURN(
      auto extent,
      database->Prepare("SELECT (SELECT first_ms FROM chunk WHERE series = ?1 ORDER BY last_ms "
                        "LIMIT 1), (SELECT max(last_ms) FROM chunk WHERE series = ?1)"));
  TOCSIN_ASSIGN_OR_RETURN(auto labels, database->Prepare("SELECT labels FROM series WHERE id = ?"));
  return std::unique_ptr<Reader>(
      new Reader{std::move(database), std::move(chunks), std::move(extent), std::move(labels)});
}

}  // namespace tocsin::store
