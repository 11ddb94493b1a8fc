#pragma once

// SQLite, as this house uses it: WAL mode, one connection per Database, every
// failure a Result. It is where durable state lives (state.db: alerts, silences,
// outbox) and where samples go (history.db). The VFS can be named, so that tests
// put a disk below it that loses unsynced bytes (tests/support/fault_vfs.h).

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace tocsin {

enum class Durability {
  kEveryCommit,  // synchronous=FULL: a commit that returned survives power loss.
  kCheckpoint,   // synchronous=NORMAL: a commit survives a crash of the process.
};

class Database;

// A prepared statement. Bind by position from 1, Step until it returns false.
// Not thread-safe; must not outlive its Database.
class Statement {
 public:
  ~Statement();
  Statement(Statement&&) noexcept;
  Statement& operator=(Statement&&) noexcept;

  Statement& Bind(int position, std::int64_t value);
  Statement& Bind(int position, double value);
  Statement& BindText(int position, std::string_view value);
  // The bytes are not copied: they must stay until Run() returns or Reset() is called.
  Statement& BindBlob(int position, std::string_view bytes);
  Statement& BindNull(int position);

  // Returns true while a row is there to read.
  Result<bool> Step();
  // Steps to the end, then resets, so that the statement can be bound again.
  Result<> Run();
  void Reset();

  // Columns of the current row, from 0. Text and blobs are copies.
  std::int64_t Int(int column) const;
  double Double(int column) const;
  std::string Text(int column) const;
  std::string Blob(int column) const;
  bool IsNull(int column) const;

 private:
  friend class Database;
  struct Rep;
  explicit Statement(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

// One connection to one file. Not thread-safe: a room that is called from
// several threads guards its Database with its own Mutex. Several connections
// to one file may write: each waits for the other for up to Options::busy_timeout_ms.
class Database {
 public:
  struct Options {
    std::string path;
    Durability durability = Durability::kEveryCommit;
    std::string vfs;  // Empty: the default.
    int busy_timeout_ms = 10'000;
    int cache_kib = 128;
    // Reads the whole file once; off for large files whose owner checks what it reads.
    bool quick_check = true;
    // Set: no commit of this connection waits for a checkpoint. It is called after each one
    // that wrote, with the pages that now stand in the write-ahead log; on the committing
    // thread, and must not use the Database. Somebody calls Checkpoint() in time.
    std::function<void(int wal_pages)> after_commit;
    // Opens what is there and changes nothing: for readers of a file that another
    // process may be writing. `durability` and `quick_check` then mean nothing.
    bool read_only = false;
  };

  // Opens or creates the file with mode 0600. With `read_only` a file that is not there
  // is kNotFound.
  // Errors: kIoError, kPermissionDenied, kCorruption (not a database, or its
  // quick_check fails; the file is left untouched), kUnavailable (busy).
  static Result<std::unique_ptr<Database>> Open(const Options& options);

  virtual ~Database() = default;

  // Runs one or more statements without parameters.
  virtual Result<> Execute(const std::string& sql) = 0;
  virtual Result<Statement> Prepare(const std::string& sql) = 0;
  // Copies what stands in the write-ahead log into the file, and syncs both. Waits for
  // nobody, and nobody who writes or reads waits for it. False: readers kept some of it back.
  virtual Result<bool> Checkpoint() = 0;
  virtual std::int64_t LastInsertRowId() const = 0;
  virtual std::int64_t ChangedRows() const = 0;
};

// BEGIN IMMEDIATE … COMMIT; rolls back when it goes out of scope uncommitted.
class Transaction {
 public:
  static Result<Transaction> Begin(Database& database);
  ~Transaction();
  Transaction(Transaction&&) noexcept;
  Transaction& operator=(Transaction&&) = delete;

  Result<> Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;  // Null once committed or moved from.
};

}  // namespace tocsin
