#pragma once

// A connection to PgBouncer's admin console: simple query protocol, no `options`
// start-up parameter (PgBouncer refuses both the extended protocol and options),
// never blocking past a deadline. Not thread-safe.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/answer_meter.h"
#include "daemon/base/deadline.h"
#include "daemon/base/result.h"
#include "daemon/base/secret.h"

struct pg_conn;
struct pg_result;

namespace tocsin::collectors::pgbouncer {

struct ConsoleAddress {
  std::string host;  // A name, an address, or the directory of a unix socket.
  std::uint16_t port = 6432;
  // libpq's other keywords (user, dbname, sslmode, …), in its own spelling.
  std::vector<std::pair<std::string, std::string>> parameters;
  Secret password;
};

// One row of an answer; valid only while the callback that got it runs.
class Row {
 public:
  explicit Row(const pg_result& result, int row) : result_(result), row_(row) {}

  // The text in `column`, nullopt if the answer has no such column; NULL reads as "".
  std::optional<std::string_view> Find(std::string_view column) const;
  // The same as a number; nullopt also if it is not one.
  std::optional<double> Number(std::string_view column) const;

 private:
  const pg_result& result_;
  int row_;
};

class Console {
 public:
  // Connects and logs in. Errors: kUnavailable, kNotFound (no such host),
  // kPermissionDenied (user, password or database refused), kCorruption (the peer
  // does not speak the protocol), kDeadlineExceeded, kCancelled.
  static Result<std::unique_ptr<Console>> Open(const ConsoleAddress& address,
                                               const Deadline& deadline);

  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  // Sends "SHOW `what`" and calls `on_row` for each row as it arrives, at most
  // kMaxRows times; returns how many rows there were beyond that.
  // Errors: kPermissionDenied, kInvalidArgument (PgBouncer refuses the command);
  // the console can be used on. Any other error breaks the connection: broken();
  // kResourceExhausted is an answer longer than an AnswerMeter allows.
  Result<std::int64_t> Show(std::string_view what, const Deadline& deadline,
                            const std::function<void(const Row&)>& on_row);

  // Runs a command that answers no rows (RELOAD). Errors: as Show.
  Result<> Run(std::string_view command, const Deadline& deadline);

  bool broken() const { return broken_; }

  // True if PgBouncer has closed the connection, or spoken unasked, since the last Show.
  bool LostWhileIdle() const;

  // More clients than a PgBouncer is run with.
  static constexpr std::int64_t kMaxRows = 100'000;

 private:
  struct Closer {
    void operator()(pg_conn* connection) const;
  };
  explicit Console(std::unique_ptr<pg_conn, Closer> connection);

  Result<> LogIn(const Deadline& deadline);
  Result<std::int64_t> Ask(const std::string& query, const Deadline& deadline,
                           const std::function<void(const Row&)>& on_row);
  Result<> Send(const std::string& query, const Deadline& deadline);
  // Waits until a result, or the end of the answer, can be taken without blocking.
  Result<> AwaitResult(const Deadline& deadline, const AnswerMeter& meter, std::string_view doing);
  Error Break(Error error);

  std::unique_ptr<pg_conn, Closer> connection_;
  bool broken_ = false;
};

}  // namespace tocsin::collectors::pgbouncer
