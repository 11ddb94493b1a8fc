#include "collectors/postgres/connection.h"

#include <libpq-fe.h>

#include <cctype>
#include <pqxx/pqxx>

#include "daemon/base/text.h"

namespace tocsin::collectors::postgres {
namespace {

// Gives libpqxx a connection that is already established: its own way to connect
// blocks without end against a silent server.
class AdoptPolicy : public pqxx::connectionpolicy {
 public:
  explicit AdoptPolicy(ConnectionHandle established)
      : pqxx::connectionpolicy(std::string()), established_(std::move(established)) {}

  handle do_startconnect(handle current) override {
    return current != nullptr ? current : established_.release();
  }
  handle do_completeconnect(handle current) override {
    if (current == nullptr) throw pqxx::broken_connection("the connection is gone");
    return current;
  }

 private:
  ConnectionHandle established_;
};

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

}  // namespace

class Connection::Adopted final : public pqxx::connection_base {
 public:
  explicit Adopted(ConnectionHandle established)
      : pqxx::connection_base(policy_),
        session_(established.get()),
        policy_(std::move(established)) {
    init();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    inhibit_reactivation(true);
#pragma GCC diagnostic pop
  }
  ~Adopted() noexcept { close(); }

  ServerAddress Server() const {
    const auto text = [](const char* value) { return std::string(value != nullptr ? value : ""); };
    return {text(PQhost(session_)), text(PQhostaddr(session_)), text(PQport(session_))};
  }
  bool IsIdle() const { return is_open() && PQtransactionStatus(session_) == PQTRANS_IDLE; }

 private:
  PGconn* session_;  // Valid while open; libpqxx does not hand it out.
  AdoptPolicy policy_;
};

Connection::Connection(const PostgresOptions& options, const Clock& clock)
    : dialer_(options), watchdog_(clock) {}

Connection::~Connection() = default;

Result<bool> Connection::Begin(const CollectContext& context) {
  const bool is_new = lost();
  stop_ = context.stop;
  if (is_new) {
    TOCSIN_ASSIGN_OR_RETURN(auto established, dialer_.Dial(context));
    try {
      connection_ = std::make_unique<Adopted>(std::move(established));
    } catch (const std::exception& error) {
      return Error{ErrorCode::kUnavailable, FirstLine(error.what())};
    }
  }
  watch_ = watchdog_.Start(connection_->sock(), context.deadline, context.stop);
  return is_new;
}

void Connection::End() { watch_.reset(); }

void Connection::Close() {
  watch_.reset();
  connection_.reset();
}

int Connection::backend_pid() const { return connection_->backendpid(); }

int Connection::server_version() const { return connection_->server_version(); }

ServerAddress Connection::server() const { return connection_->Server(); }

Result<Rows> Connection::Query(const std::string& sql) { return Ask(sql, Protocol::kScript); }

Result<Rows> Connection::QueryReadOnly(const std::string& settings, const std::string& statement) {
  auto answer = Ask("BEGIN READ ONLY; " + settings, Protocol::kScript);
  if (answer.ok()) answer = Ask(statement, Protocol::kOneStatement);
  if (lost()) return answer;
  const auto ended = Ask("ROLLBACK", Protocol::kScript);
  if (lost()) return ended.error();
  if (!connection_->IsIdle()) {
    Close();
    return Error{ErrorCode::kUnavailable, "its transaction could not be ended"};
  }
  return answer;
}

Result<Rows> Connection::Ask(const std::string& sql, Protocol protocol) {
  if (lost()) return Error{ErrorCode::kUnavailable, "the connection is gone"};
  TOCSIN_CHECK(watch_ != nullptr);
  try {
    watch_->BeginAnswer();
    pqxx::nontransaction session(*connection_);
    // With parameters, though there are none: the extended protocol takes one statement.
    auto result = std::make_shared<const pqxx::result>(
        protocol == Protocol::kScript ? session.exec(sql) : session.exec_params(sql));
    if (result->size() > kMostRows) {
      return Error{ErrorCode::kResourceExhausted,
                   "the answer has more than " + std::to_string(kMostRows) + " rows"};
    }
    return Rows(std::move(result));
  } catch (const pqxx::broken_connection& error) {
    return Lost(error.what());
  } catch (const pqxx::sql_error& error) {
    if (!connection_->is_open()) return Lost(error.what());
    return Error{CodeOf(error.sqlstate()), FirstLine(error.what())};
  } catch (const std::exception& error) {
    Close();
    return Error{ErrorCode::kInternal, FirstLine(error.what())};
  }
}

Error Connection::Lost(const char* reason) {
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

int Rows::size() const { return static_cast<int>(result_->size()); }

int Rows::columns() const { return static_cast<int>(result_->columns()); }

std::string_view Rows::ColumnName(int column) const {
  return result_->column_name(static_cast<pqxx::row::size_type>(column));
}

// A server that answers another shape than was asked for has nothing to say.
bool Rows::Has(int row, int column) const {
  return row >= 0 && column >= 0 && static_cast<std::size_t>(row) < std::size_t(result_->size()) &&
         column < static_cast<int>(result_->columns());
}

std::string_view Rows::Text(int row, int column) const {
  if (!Has(row, column)) return {};
  const auto field = (*result_)[static_cast<pqxx::result::size_type>(row)]
                               [static_cast<pqxx::row::size_type>(column)];
  return {field.c_str(), field.size()};
}

bool Rows::IsNull(int row, int column) const {
  return !Has(row, column) || (*result_)[static_cast<pqxx::result::size_type>(row)]
                                        [static_cast<pqxx::row::size_type>(column)]
                                            .is_null();
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
