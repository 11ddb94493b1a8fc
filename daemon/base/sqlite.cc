#include "daemon/base/sqlite.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace tocsin {
namespace {

constexpr int kPrimaryCodeMask = 0xff;  // Extended result codes keep the primary one here.
constexpr int kWalSizeLimitBytes = 16 << 20;

ErrorCode CodeOf(int sqlite_code, int system_errno) {
  switch (sqlite_code & kPrimaryCodeMask) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ErrorCode::kCorruption;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY: return ErrorCode::kPermissionDenied;
    case SQLITE_CANTOPEN:
      return system_errno == EACCES || system_errno == EPERM ? ErrorCode::kPermissionDenied
                                                             : ErrorCode::kIoError;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ErrorCode::kUnavailable;
    case SQLITE_INTERRUPT: return ErrorCode::kCancelled;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
    case SQLITE_TOOBIG: return ErrorCode::kInvalidArgument;
    case SQLITE_ERROR:
    case SQLITE_MISUSE: return ErrorCode::kInternal;
    default: return ErrorCode::kIoError;
  }
}

bool NamesSystemError(int sqlite_code) {
  const int primary = sqlite_code & kPrimaryCodeMask;
  return primary == SQLITE_CANTOPEN || primary == SQLITE_IOERR || primary == SQLITE_FULL;
}

Error ErrorOf(sqlite3* handle, int code, const std::string& path) {
  const int system_errno = handle == nullptr ? 0 : sqlite3_system_errno(handle);
  const char* text = handle == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle);
  std::string message = fmt::format("{}: {}", path, text);
  if (system_errno != 0 && NamesSystemError(code)) {
    message += fmt::format(" ({})", std::strerror(system_errno));
  }
  return Error{CodeOf(code, system_errno), std::move(message)};
}

Error ErrorOf(const SQLite::Exception& exception, const std::string& path) {
  return Error{CodeOf(exception.getErrorCode(), 0), fmt::format("{}: {}", path, exception.what())};
}

// SQLite would create the file readable by all; -wal and -shm take its mode.
Result<> CreatePrivately(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file >= 0) {
    ::close(file);
    return {};
  }
  const int error = errno;
  const bool denied = error == EACCES || error == EPERM || error == EROFS;
  return Error{denied ? ErrorCode::kPermissionDenied : ErrorCode::kIoError,
               fmt::format("{}: {}", path, std::strerror(error))};
}

// SQLite says only that it cannot open a file, not why.
Result<> FindReadable(const std::string& path) {
  if (::access(path.c_str(), R_OK) == 0) return {};
  const int error = errno;
  const bool absent = error == ENOENT || error == ENOTDIR;
  return Error{absent ? ErrorCode::kNotFound : ErrorCode::kPermissionDenied,
               fmt::format("{}: {}", path, std::strerror(error))};
}

}  // namespace

struct Statement::Rep {
  Rep(SQLite::Database& database, const std::string& sql, const std::string& file)
      : statement(database, sql), handle(database.getHandle()), path(file) {}

  template <class Call>
  void TryBind(Call call) {
    if (bind_error.has_value()) return;
    try {
      call();
    } catch (const SQLite::Exception& exception) {
      bind_error = ErrorOf(exception, path);
    }
  }

  SQLite::Statement statement;
  sqlite3* handle;
  std::string path;
  std::optional<Error> bind_error;  // Told by the next Step().
  bool done = false;
};

Statement::Statement(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Statement::~Statement() = default;
Statement::Statement(Statement&&) noexcept = default;
Statement& Statement::operator=(Statement&&) noexcept = default;

Statement& Statement::Bind(int position, std::int64_t value) {
  rep_->TryBind([&] { rep_->statement.bind(position, value); });
  return *this;
}

Statement& Statement::Bind(int position, double value) {
  rep_->TryBind([&] { rep_->statement.bind(position, value); });
  return *this;
}

Statement& Statement::BindText(int position, std::string_view value) {
  rep_->TryBind([&] { rep_->statement.bind(position, std::string(value)); });
  return *this;
}

Statement& Statement::BindBlob(int position, std::string_view bytes) {
  // An empty view may have no address, which SQLite would take for NULL.
  const char* data = bytes.data() == nullptr ? "" : bytes.data();
  rep_->TryBind(
      [&] { rep_->statement.bindNoCopy(position, data, static_cast<int>(bytes.size())); });
  return *this;
}

Statement& Statement::BindNull(int position) {
  rep_->TryBind([&] { rep_->statement.bind(position); });
  return *this;
}

Result<bool> Statement::Step() {
  if (rep_->bind_error.has_value()) {
    Error error = *std::exchange(rep_->bind_error, std::nullopt);
    Reset();
    return error;
  }
  if (rep_->done) return false;
  const int code = rep_->statement.tryExecuteStep();
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    rep_->done = true;
    return false;
  }
  Error error = ErrorOf(rep_->handle, code, rep_->path);
  Reset();
  return error;
}

Result<> Statement::Run() {
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const bool row, Step());
    if (!row) break;
  }
  Reset();
  return {};
}

void Statement::Reset() {
  rep_->statement.tryReset();
  rep_->done = false;
}

std::int64_t Statement::Int(int column) const {
  return rep_->statement.getColumn(column).getInt64();
}

double Statement::Double(int column) const { return rep_->statement.getColumn(column).getDouble(); }

std::string Statement::Text(int column) const {
  return rep_->statement.getColumn(column).getString();
}

std::string Statement::Blob(int column) const {
  const SQLite::Column blob = rep_->statement.getColumn(column);
  const void* data = blob.getBlob();
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(blob.getBytes())};
}

bool Statement::IsNull(int column) const { return rep_->statement.isColumnNull(column); }

namespace {

using MakeStatement = Statement (*)(SQLite::Database&, const std::string& sql,
                                    const std::string& path);

class SqliteDatabase : public Database {
 public:
  SqliteDatabase(const Options& options, MakeStatement make)
      : path_(options.path),
        make_statement_(make),
        database_(options.path,
                  options.read_only ? SQLite::OPEN_READONLY
                                    : SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE,
                  options.busy_timeout_ms, options.vfs) {}

  Result<> Execute(const std::string& sql) override {
    const int code = database_.tryExec(sql);
    if (code == SQLITE_OK) return {};
    return ErrorOf(database_.getHandle(), code, path_);
  }

  Result<Statement> Prepare(const std::string& sql) override {
    try {
      return make_statement_(database_, sql, path_);
    } catch (const SQLite::Exception& exception) {
      return ErrorOf(database_.getHandle(), exception.getErrorCode(), path_);
    }
  }

  Result<bool> Checkpoint() override {
    TOCSIN_ASSIGN_OR_RETURN(Statement checkpoint, Prepare("PRAGMA wal_checkpoint(PASSIVE)"));
    TOCSIN_ASSIGN_OR_RETURN(const bool row, checkpoint.Step());
    return row && checkpoint.Int(0) == 0 && checkpoint.Int(1) == checkpoint.Int(2);
  }

  std::int64_t LastInsertRowId() const override { return database_.getLastInsertRowid(); }
  std::int64_t ChangedRows() const override { return database_.getChanges(); }

  Result<> Configure(const Options& options) {
    // A database found damaged is not to be touched by the checkpoint of a close.
    KeepWalOnClose(true);
    if (options.read_only) {
      return Execute(
          fmt::format("PRAGMA cache_size=-{}; PRAGMA temp_store=MEMORY; "
                      "PRAGMA query_only=ON;",
                      options.cache_kib));
    }
    // auto_vacuum comes first: it is fixed once the first page is written.
    TOCSIN_RETURN_IF_ERROR(
        Execute(fmt::format("PRAGMA auto_vacuum=INCREMENTAL; PRAGMA cache_size=-{};"
                            "PRAGMA journal_size_limit={}; PRAGMA synchronous={};"
                            "PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;",
                            options.cache_kib, kWalSizeLimitBytes,
                            options.durability == Durability::kEveryCommit ? "FULL" : "NORMAL")));
    if (options.path != ":memory:") TOCSIN_RETURN_IF_ERROR(UseWal());
    if (options.quick_check) TOCSIN_RETURN_IF_ERROR(QuickCheck());
    KeepWalOnClose(false);
    if (options.after_commit) {
      after_commit_ = options.after_commit;
      sqlite3_wal_hook(database_.getHandle(), &OnCommit, this);  // Ends automatic checkpoints.
    }
    return {};
  }

 private:
  Result<> UseWal() {
    TOCSIN_ASSIGN_OR_RETURN(Statement wal, Prepare("PRAGMA journal_mode=WAL"));
    TOCSIN_ASSIGN_OR_RETURN(const bool row, wal.Step());
    if (row && wal.Text(0) == "wal") return {};
    return Error{ErrorCode::kIoError, fmt::format("{}: cannot use write-ahead logging", path_)};
  }

  Result<> QuickCheck() {
    TOCSIN_ASSIGN_OR_RETURN(Statement check, Prepare("PRAGMA quick_check(1)"));
    TOCSIN_ASSIGN_OR_RETURN(const bool row, check.Step());
    if (row && check.Text(0) == "ok") return {};
    return Error{ErrorCode::kCorruption,
                 fmt::format("{}: {}", path_, row ? check.Text(0) : "quick_check told nothing")};
  }

  void KeepWalOnClose(bool keep) {
    sqlite3_db_config(database_.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep ? 1 : 0,
                      nullptr);
  }

  static int OnCommit(void* self, sqlite3*, const char*, int wal_pages) {
    static_cast<SqliteDatabase*>(self)->after_commit_(wal_pages);
    return SQLITE_OK;
  }

  std::string path_;
  MakeStatement make_statement_;
  std::function<void(int)> after_commit_;
  SQLite::Database database_;
};

}  // namespace

Result<std::unique_ptr<Database>> Database::Open(const Options& options) {
  if (options.vfs.empty() && options.path != ":memory:") {
    TOCSIN_RETURN_IF_ERROR(options.read_only ? FindReadable(options.path)
                                             : CreatePrivately(options.path));
  }
  const MakeStatement make = [](SQLite::Database& database, const std::string& sql,
                                const std::string& path) {
    return Statement(std::make_unique<Statement::Rep>(database, sql, path));
  };
  try {
    auto database = std::make_unique<SqliteDatabase>(options, make);
    TOCSIN_RETURN_IF_ERROR(database->Configure(options));
    return std::unique_ptr<Database>(std::move(database));
  } catch (const SQLite::Exception& exception) {
    return ErrorOf(exception, options.path);
  }
}

Result<Transaction> Transaction::Begin(Database& database) {
  TOCSIN_RETURN_IF_ERROR(database.Execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  if (database_ == nullptr) return;
  // SQLite may have rolled back by itself (disk full); then there is nothing to undo.
  (void)database_->Execute("ROLLBACK");
}

Result<> Transaction::Commit() {
  TOCSIN_CHECK(database_ != nullptr);
  TOCSIN_RETURN_IF_ERROR(database_->Execute("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace tocsin
