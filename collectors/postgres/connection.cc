#include "collectors/postgres/connection.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::postgres {
namespace {

// "ERROR:  permission denied for function pg_ls_waldir\nHINT: …" in one plain line.
std::string FirstLine(std::string_view message) {
  message = message.substr(0, message.find('\n'));
  if (const auto colon = message.find(":  "); colon != std::string_view::npos && colon < 16) {
    message.remove_prefix(colon + 3);
  }
  return std::string(TrimSpace(message));
}

ErrorCode CodeOf(std::string_view sqlstate) {
  if (sqlstate == "42501") return ErrorCode::kPermissionDenied;
  if (sqlstate == "42P01" || sqlstate == "42703" || sqlstate == "42883") {
    return ErrorCode::kNotFound;
  }
  if (sqlstate == "57014") return ErrorCode::kDeadlineExceeded;
  return ErrorCode::kUnavailable;
}

constexpr int kMillisToEnd = 100;
constexpr int kMostLastWords = 3;

}  // namespace

Connection::Connection(const PostgresOptions& options, const Clock& clock, FileSystem& files)
    : dialer_(options, files), watchdog_(clock) {}

Connection::~Connection() = default;

Result<bool> Connection::Begin(const CollectContext& context) {
  const bool is_new = lost();
  stop_ = context.stop;
  if (is_new) {
    TOCSIN_ASSIGN_OR_RETURN(connection_, dialer_.Dial(context));
  }
  watch_ = watchdog_.Start(PQsocket(connection_.get()), context.deadline, context.stop);
  return is_new;
}

void Connection::End() { watch_.reset(); }

void Connection::Close() {
  watch_.reset();
  connection_.reset();
}

// A backend closes its end by ending, which whoever still has ours open can see.
void Connection::Leave() {
  const int end = lost() ? -1 : fcntl(PQsocket(connection_.get()), F_DUPFD_CLOEXEC, 0);
  Close();
  if (end < 0) return;
  pollfd ready{end, POLLIN, 0};
  char last_word[256];  // Of TLS.
  for (int i = 0; i < kMostLastWords; ++i) {
    if (poll(&ready, 1, kMillisToEnd) <= 0) break;
    if (recv(end, last_word, sizeof(last_word), MSG_DONTWAIT) <= 0) break;
  }
  close(end);
}

int Connection::backend_pid() const { return PQbackendPID(connection_.get()); }

int Connection::server_version() const { return PQserverVersion(connection_.get()); }

ServerAddress Connection::server() const {
  const auto text = [](const char* value) { return std::string(value != nullptr ? value : ""); };
  const PGconn* connection = connection_.get();
  return {text(PQhost(connection)), text(PQhostaddr(connection)), text(PQport(connection))};
}

Result<Rows> Connection::Query(const std::string& sql) { return Ask(sql, Protocol::kScript); }

Result<Rows> Connection::QueryReadOnly(const std::string& settings, const std::string& statement) {
  auto answer = Ask("BEGIN READ ONLY; " + settings, Protocol::kScript);
  if (answer.ok()) answer = Ask(statement, Protocol::kOneStatement);
  if (lost()) return answer;
  const auto ended = Ask("ROLLBACK", Protocol::kScript);
  if (lost()) return ended.error();
  if (PQtransactionStatus(connection_.get()) != PQTRANS_IDLE) {
    Close();
    return Error{ErrorCode::kUnavailable, "its transaction could not be ended"};
  }
  return answer;
}

Result<Rows> Connection::Ask(const std::string& sql, Protocol protocol) {
  if (lost()) return Error{ErrorCode::kUnavailable, "the connection is gone"};
  TOCSIN_CHECK(watch_ != nullptr);
  watch_->BeginAnswer();
  PGconn* connection = connection_.get();
  // With parameters, though there are none: the extended protocol takes one statement.
  std::shared_ptr<PGresult> answer(
      protocol == Protocol::kScript
          ? PQexec(connection, sql.c_str())
          : PQexecParams(connection, sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0),
      PQclear);
  // Without an answer, what the connection says: the same, or that memory ran out.
  const std::string_view message =
      answer ? PQresultErrorMessage(answer.get()) : PQerrorMessage(connection);
  if (PQstatus(connection) != CONNECTION_OK) {
    return Lost(message.empty() ? PQerrorMessage(connection) : message);
  }
  switch (PQresultStatus(answer.get())) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY: break;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH: return Error{ErrorCode::kUnavailable, "COPY gives no rows"};
    default: {
      const char* sqlstate = PQresultErrorField(answer.get(), PG_DIAG_SQLSTATE);
      return Error{CodeOf(sqlstate != nullptr ? sqlstate : ""), FirstLine(message)};
    }
  }
  if (PQntuples(answer.get()) > kMostRows) {
    return Error{ErrorCode::kResourceExhausted,
                 "the answer has more than " + std::to_string(kMostRows) + " rows"};
  }
  return Rows(std::move(answer));
}

Error Connection::Lost(std::string_view reason) {
  const bool fired = watch_->fired();
  const Result<> fits = watch_->AnswerFits();
  const std::string line = FirstLine(reason);
  Close();
  if (stop_.stop_requested()) return Error{ErrorCode::kCancelled, "asked to stop"};
  if (!fits.ok()) return fits.error();
  if (fired) {
    return Error{ErrorCode::kDeadlineExceeded, "the server does not answer within the deadline"};
  }
  return Error{ErrorCode::kUnavailable, "the connection was lost: " + line};
}

int Rows::size() const { return PQntuples(answer_.get()); }

int Rows::columns() const { return PQnfields(answer_.get()); }

std::string_view Rows::ColumnName(int column) const { return PQfname(answer_.get(), column); }

// A server that answers another shape than was asked for has nothing to say.
bool Rows::Has(int row, int column) const {
  return row >= 0 && column >= 0 && row < size() && column < columns();
}

std::string_view Rows::Text(int row, int column) const {
  if (!Has(row, column)) return {};
  return {PQgetvalue(answer_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(answer_.get(), row, column))};
}

bool Rows::IsNull(int row, int column) const {
  return !Has(row, column) || PQgetisnull(answer_.get(), row, column) != 0;
}

std::optional<double> Rows::Number(int row, int column) const {
  if (IsNull(row, column)) return std::nullopt;
  const auto text = Text(row, column);
  if (text == "t") return 1;
  if (text == "f") return 0;
  if (text == "Infinity") return ParseDouble("+Inf");
  if (text == "-Infinity") return ParseDouble("-Inf");
  return ParseDouble(text);
}

}  // namespace tocsin::collectors::postgres
