#pragma once

// The one connection of a target, kept between collections. Begin() opens it when
// there is none and sets its limits; while a collection runs, a watchdog ends
// whatever passes the deadline. A lost connection is opened again by the next
// Begin(), never silently in between.
//
// Texts come as UTF-8, converted by the server. It refuses those that are none in its own
// encoding: the names of databases and roles are shared by databases of any, and one such
// name would cost every answer that holds it. Then they come as they are and are converted
// here, one by one; what cannot be converted stays as it is.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "collectors/collector.h"
#include "collectors/postgres/dialer.h"
#include "collectors/postgres/postgres_config.h"
#include "collectors/postgres/rows.h"
#include "collectors/postgres/watchdog.h"

namespace tocsin::collectors::postgres {

// Not thread-safe. `options`, `clock` and `files` must outlive it.
class Connection {
 public:
  Connection(const PostgresOptions& options, const Clock& clock, FileSystem& files);
  ~Connection();

  // Makes sure that there is a connection, and starts the watch over it. Returns
  // whether it is a new one. Errors: as Dialer::Dial.
  Result<bool> Begin(const CollectContext& context);
  // Ends the watch; the connection stays.
  void End();

  // Runs a query, or several separated by semicolons; the rows of the last.
  // Requires: between Begin() and End().
  // Errors: kDeadlineExceeded, kCancelled, kUnavailable and lost() if the connection
  // is gone; kResourceExhausted if the answer has more than kMostRows rows or, with
  // lost(), is longer than an AnswerMeter allows; else what the server says of this query:
  // kPermissionDenied, kNotFound (a relation, column or function), kDeadlineExceeded
  // (statement_timeout), kUnavailable (lock_timeout and all else).
  Result<Rows> Query(const std::string& sql);

  // As Query(), with texts as the server has them, in server_encoding().
  Result<Rows> QueryBytes(const std::string& sql);

  // Runs one statement that is not ours: after `settings` (statements of ours, each with
  // its semicolon) in a transaction that is read-only and rolled back, so that nothing it
  // does outlives it. The server itself refuses several statements in one.
  // Errors: as Query(); kUnavailable with lost() if the transaction cannot be ended.
  Result<Rows> QueryReadOnly(const std::string& settings, const std::string& statement);

  static constexpr int kMostRows = 500'000;

  bool lost() const { return connection_ == nullptr; }
  // Requires: !lost().
  int backend_pid() const;
  int server_version() const;           // 150020 for 15.20.
  std::string server_encoding() const;  // "UTF8", "EUC_JP"; of "SQL_ASCII" texts are any bytes.
  ServerAddress server() const;         // The one of the target's servers that was reached.
  void Close();
  // Closes it, and waits until its backend has ended too, so that the next one does not find it
  // still there. Of one that does not end no longer than a third of a second.
  void Leave();

 private:
  enum class Protocol { kScript, kOneStatement };
  enum class Texts { kFromServer, kConvertedHere };

  Result<Rows> Ask(const std::string& sql, Protocol protocol, Texts texts = Texts::kFromServer);
  Result<Rows> AskReadably(const std::string& sql, const std::function<Result<Rows>(Texts)>& ask);
  static std::string Before(Texts texts);  // What comes before a question for such.
  Result<Rows> AskReadOnly(const std::string& settings, const std::string& statement, Texts texts);
  Error Lost(std::string_view reason);

  Dialer dialer_;
  Watchdog watchdog_;
  ConnectionHandle connection_;
  bool refuses_texts_ = false;  // The server, since the connection was opened.
  std::unique_ptr<Watchdog::Watch> watch_;
  std::stop_token stop_;
};

}  // namespace tocsin::collectors::postgres
