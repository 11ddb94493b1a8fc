#include "collectors/postgres/connection.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collectors/postgres/text_encoding.h"
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

// For the statements behind it, in a script or a transaction.
constexpr std::string_view kBytesSql =
    "SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', true); ";

// No text of the server's encoding, or none that UTF-8 has.
bool RefusesText(std::string_view sqlstate) { return sqlstate == "22021" || sqlstate == "22P05"; }

void ConvertTexts(PGresult* answer, const TextEncoding& encoding) {
  for (int row = 0; row < PQntuples(answer); ++row) {
    for (int column = 0; column < PQnfields(answer); ++column) {
      const std::string_view text(PQgetvalue(answer, row, column),
                                  static_cast<std::size_t>(PQgetlength(answer, row, column)));
      if (IsAscii(text)) continue;
      auto converted = encoding.ToUtf8(text);
      if (!converted) continue;
      PQsetvalue(answer, row, column, converted->data(), static_cast<int>(converted->size()));
    }
  }
}

}  // namespace

Connection::Connection(const PostgresOptions& options, const Clock& clock, FileSystem& files)
    : dialer_(options, files), watchdog_(clock) {}

Connection::~Connection() = default;

Result<bool> Connection::Begin(const CollectContext& context) {
  const bool is_new = lost();
  stop_ = context.stop;
  if (is_new) {
    TOCSIN_ASSIGN_OR_RETURN(connection_, dialer_.Dial(context));
    refuses_texts_ = false;
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

std::string Connection::server_encoding() const {
  const char* name = PQparameterStatus(connection_.get(), "server_encoding");
  return name != nullptr ? name : "";
}

ServerAddress Connection::server() const {
  const auto text = [](const char* value) { return std::string(value != nullptr ? value : ""); };
  const PGconn* connection = connection_.get();
  return {text(PQhost(connection)), text(PQhostaddr(connection)), text(PQport(connection))};
}

Result<Rows> Connection::Query(const std::string& sql) {
  return AskReadably(
      sql, [&](Texts texts) { return Ask(Before(texts) + sql, Protocol::kScript, texts); });
}

Result<Rows> Connection::QueryBytes(const std::string& sql) {
  return Ask(std::string(kBytesSql) + sql, Protocol::kScript, Texts::kFromServer);
}

Result<Rows> Connection::QueryReadOnly(const std::string& settings, const std::string& statement) {
  return AskReadably(statement, [&](Texts texts) {
    return AskReadOnly(settings + Before(texts), statement, texts);
  });
}

Result<Rows> Connection::AskReadably(const std::string& sql,
                                     const std::function<Result<Rows>(Texts)>& ask) {
  // A server that converts no answer converts no question either.
  const bool may_be_bytes = IsAscii(sql);
  if (!refuses_texts_ || !may_be_bytes) {
    auto answer = ask(Texts::kFromServer);
    if (!refuses_texts_ || !may_be_bytes || lost()) return answer;
  }
  return ask(Texts::kConvertedHere);
}

std::string Connection::Before(Texts texts) {
  return std::string(texts == Texts::kConvertedHere ? kBytesSql : "");
}

Result<Rows> Connection::AskReadOnly(const std::string& settings, const std::string& statement,
                                     Texts texts) {
  auto answer = Ask("BEGIN READ ONLY; " + settings, Protocol::kScript);
  if (answer.ok()) answer = Ask(statement, Protocol::kOneStatement, texts);
  if (lost()) return answer;
  const auto ended = Ask("ROLLBACK", Protocol::kScript);
  if (lost()) return ended.error();
  if (PQtransactionStatus(connection_.get()) != PQTRANS_IDLE) {
    Close();
    return Error{ErrorCode::kUnavailable, "its transaction could not be ended"};
  }
  return answer;
}

Result<Rows> Connection::Ask(const std::string& sql, Protocol protocol, Texts texts) {
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
      const char* field = PQresultErrorField(answer.get(), PG_DIAG_SQLSTATE);
      const std::string_view sqlstate = field != nullptr ? field : "";
      refuses_texts_ = refuses_texts_ || RefusesText(sqlstate);
      return Error{CodeOf(sqlstate), FirstLine(message)};
    }
  }
  if (PQntuples(answer.get()) > kMostRows) {
    return Error{ErrorCode::kResourceExhausted,
                 "the answer has more than " + std::to_string(kMostRows) + " rows"};
  }
  if (texts == Texts::kConvertedHere) ConvertTexts(answer.get(), TextEncoding(server_encoding()));
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
