#include "collectors/pgbouncer/console.h"

#include <fmt/format.h>

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <initializer_list>

#include "daemon/base/socket.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::pgbouncer {
namespace {

struct ResultClearer {
  void operator()(pg_result* result) const { PQclear(result); }
};
using ResultOwner = std::unique_ptr<pg_result, ResultClearer>;

// libpq's messages end in line breaks and may have several lines.
std::string OneLine(const char* message) {
  std::string line(TrimSpace(message == nullptr ? "" : message));
  std::size_t at = 0;
  while ((at = line.find('\n', at)) != std::string::npos) line.replace(at, 1, "; ");
  return line.empty() ? "no reason given" : line;
}

bool ContainsAny(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [text](std::string_view word) {
    return text.find(word) != std::string_view::npos;
  });
}

// A failed login has no SQLSTATE in libpq; its wording must do.
ErrorCode LoginErrorCode(const pg_conn* connection, std::string_view message) {
  if (PQconnectionNeedsPassword(connection) != 0 ||
      ContainsAny(message, {"authentication failed", "no such user", "not allowed",
                            "no such database", "permission denied", "no password supplied"})) {
    return ErrorCode::kPermissionDenied;
  }
  if (ContainsAny(message, {"expected authentication request", "invalid response"})) {
    return ErrorCode::kCorruption;
  }
  return ErrorCode::kUnavailable;
}

void AppendParameter(std::string_view key, std::string_view value, std::string& out) {
  fmt::format_to(std::back_inserter(out), "{}='", key);
  for (char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  out += "' ";
}

// What libpq is told. A host name is resolved here, with a deadline, and handed
// over as hostaddr: libpq's own look-up blocks for as long as the resolver does.
Result<std::string> ConnectionString(const ConsoleAddress& address, const Deadline& deadline) {
  std::string text;
  std::string hosts = address.host;
  if (!address.host.empty() && address.host.front() != '/' && address.host.front() != '@') {
    TOCSIN_ASSIGN_OR_RETURN(auto resolved, Resolve(address.host, address.port, deadline));
    std::string numeric;
    hosts.clear();
    for (const ResolvedAddress& one : resolved) {
      const char* comma = numeric.empty() ? "" : ",";
      numeric += comma + one.text;
      hosts += comma + address.host;
    }
    AppendParameter("hostaddr", numeric, text);
  }
  AppendParameter("host", hosts, text);
  AppendParameter("port", std::to_string(address.port), text);
  for (const auto& [key, value] : address.parameters) AppendParameter(key, value, text);
  if (!address.password.empty()) AppendParameter("password", address.password.Reveal(), text);
  // Empty, but set: otherwise libpq takes PGOPTIONS from the environment.
  AppendParameter("options", "", text);
  return text;
}

}  // namespace

std::optional<std::string_view> Row::Find(std::string_view column) const {
  for (int i = 0, count = PQnfields(&result_); i < count; ++i) {
    if (column == PQfname(&result_, i)) {
      return std::string_view(PQgetvalue(&result_, row_, i),
                              static_cast<std::size_t>(PQgetlength(&result_, row_, i)));
    }
  }
  return std::nullopt;
}

std::optional<double> Row::Number(std::string_view column) const {
  auto text = Find(column);
  return text.has_value() ? ParseDouble(*text) : std::nullopt;
}

void Console::Closer::operator()(pg_conn* connection) const { PQfinish(connection); }

Console::Console(std::unique_ptr<pg_conn, Closer> connection)
    : connection_(std::move(connection)) {}

Console::~Console() = default;

Result<std::unique_ptr<Console>> Console::Open(const ConsoleAddress& address,
                                               const Deadline& deadline) {
  TOCSIN_ASSIGN_OR_RETURN(std::string parameters, ConnectionString(address, deadline));
  std::unique_ptr<pg_conn, Closer> connection(PQconnectStart(parameters.c_str()));
  if (connection == nullptr) return Error{ErrorCode::kInternal, "libpq is out of memory"};
  std::unique_ptr<Console> console(new Console(std::move(connection)));
  TOCSIN_RETURN_IF_ERROR(console->LogIn(deadline));
  return console;
}

Result<> Console::LogIn(const Deadline& deadline) {
  PGconn* connection = connection_.get();
  PostgresPollingStatusType status =
      PQstatus(connection) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK) {
    if (status == PGRES_POLLING_FAILED) {
      std::string message = OneLine(PQerrorMessage(connection));
      return Error{LoginErrorCode(connection, message), "cannot log in: " + message};
    }
    Readiness what = status == PGRES_POLLING_READING ? Readiness::kReadable : Readiness::kWritable;
    TOCSIN_RETURN_IF_ERROR(WaitUntilReady(PQsocket(connection), what, deadline, "connecting"));
    status = PQconnectPoll(connection);
  }
  if (PQsetnonblocking(connection, 1) != 0) {
    return Error{ErrorCode::kInternal, OneLine(PQerrorMessage(connection))};
  }
  return {};
}

Error Console::Break(Error error) {
  broken_ = true;
  return error;
}

Result<> Console::Send(const std::string& query, const Deadline& deadline) {
  PGconn* connection = connection_.get();
  if (PQsendQuery(connection, query.c_str()) == 0 || PQsetSingleRowMode(connection) == 0) {
    return Error{ErrorCode::kUnavailable, OneLine(PQerrorMessage(connection))};
  }
  while (true) {
    int left = PQflush(connection);
    if (left == 0) return {};
    if (left < 0) return Error{ErrorCode::kUnavailable, OneLine(PQerrorMessage(connection))};
    TOCSIN_RETURN_IF_ERROR(
        WaitUntilReady(PQsocket(connection), Readiness::kWritable, deadline, "sending " + query));
  }
}

Result<> Console::AwaitResult(const Deadline& deadline, const AnswerMeter& meter,
                              std::string_view doing) {
  PGconn* connection = connection_.get();
  while (PQisBusy(connection) != 0) {
    TOCSIN_RETURN_IF_ERROR(
        WaitUntilReady(PQsocket(connection), Readiness::kReadable, deadline, doing));
    if (PQconsumeInput(connection) == 0) {
      return Error{ErrorCode::kUnavailable, OneLine(PQerrorMessage(connection))};
    }
    TOCSIN_RETURN_IF_ERROR(meter.Check());
    // A peer that sends without end is always ready to be read.
    TOCSIN_RETURN_IF_ERROR(deadline.Check(doing));
  }
  return {};
}

Result<std::int64_t> Console::Show(std::string_view what, const Deadline& deadline,
                                   const std::function<void(const Row&)>& on_row) {
  return Ask(fmt::format("SHOW {}", what), deadline, on_row);
}

Result<> Console::Run(std::string_view command, const Deadline& deadline) {
  TOCSIN_RETURN_IF_ERROR(Ask(std::string(command), deadline, [](const Row&) {}));
  return {};
}

Result<std::int64_t> Console::Ask(const std::string& query, const Deadline& deadline,
                                  const std::function<void(const Row&)>& on_row) {
  if (auto sent = Send(query, deadline); !sent.ok()) return Break(sent.error().WithContext(query));
  const AnswerMeter meter(PQsocket(connection_.get()));
  std::int64_t rows = 0;
  std::optional<Error> refused;
  while (true) {
    if (auto ready = AwaitResult(deadline, meter, "waiting for " + query); !ready.ok()) {
      return Break(ready.error().WithContext(query));
    }
    ResultOwner result(PQgetResult(connection_.get()));
    if (result == nullptr) break;
    ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK) {
      for (int row = 0, count = PQntuples(result.get()); row < count; ++row) {
        if (rows++ < kMaxRows) on_row(Row(*result, row));
      }
    } else if (PQstatus(connection_.get()) == CONNECTION_BAD) {
      return Break({ErrorCode::kUnavailable, OneLine(PQresultErrorMessage(result.get()))});
    } else if (status != PGRES_COMMAND_OK) {
      const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
      std::string message = OneLine(PQresultErrorMessage(result.get()));
      bool denied = (state != nullptr && std::string_view(state) == "42501") ||
                    ContainsAny(message, {"not allowed", "permission", "admin access needed"});
      refused = Error{denied ? ErrorCode::kPermissionDenied : ErrorCode::kInvalidArgument, message};
    }
  }
  if (PQstatus(connection_.get()) == CONNECTION_BAD) {
    return Break({ErrorCode::kUnavailable, OneLine(PQerrorMessage(connection_.get()))});
  }
  if (refused.has_value()) return refused->WithContext(query);
  return std::max<std::int64_t>(rows - kMaxRows, 0);
}

bool Console::LostWhileIdle() const {
  pollfd waited{PQsocket(connection_.get()), POLLIN, 0};
  return PQstatus(connection_.get()) == CONNECTION_BAD || poll(&waited, 1, 0) > 0;
}

}  // namespace tocsin::collectors::pgbouncer
