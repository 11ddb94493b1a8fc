#include "collectors/postgres/dialer.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <string_view>

#include "collectors/postgres/advice.h"
#include "collectors/postgres/text_encoding.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr Millis kStopCheck{100};
// An attempt that hangs longer is given up for a fresh one: a packet filter that
// dropped its packets may have gone, and the kernel retries ever more rarely.
constexpr std::chrono::seconds kMostAttemptAge{60};
constexpr std::string_view kPreferStandby = "prefer-standby";

struct Keyword {
  const char* name;
  const char* value;
};
// Used unless the connection string says otherwise: a peer that is gone is noticed
// while nothing is asked, and nothing of Kerberos blocks.
constexpr Keyword kDefaults[] = {{"gssencmode", "disable"},
                                 {"keepalives_idle", "30"},
                                 {"keepalives_interval", "10"},
                                 {"keepalives_count", "3"}};

void IgnoreNotice(void* /*unused*/, const char* /*message*/) {}

std::string TextOf(const ServerAddress& server) {
  const std::string& host = server.host.empty() ? server.hostaddr : server.host;
  std::string text = host + ":" + server.port;
  if (!server.hostaddr.empty() && server.hostaddr != host) text += " (" + server.hostaddr + ")";
  return text;
}

bool IsSqlState(std::string_view text) {
  return text.size() == 5 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isdigit(c) || std::isupper(c);
         });
}

ErrorCode CodeOf(std::string_view sqlstate, std::string_view message) {
  if (sqlstate.starts_with("28") || sqlstate == "42501") return ErrorCode::kPermissionDenied;
  if (message.find("no password supplied") != std::string_view::npos) {
    return ErrorCode::kPermissionDenied;
  }
  for (const std::string_view sign : {"received invalid response", "expected authentication",
                                      "invalid response", "unexpected response"}) {
    if (message.find(sign) != std::string_view::npos) return ErrorCode::kCorruption;
  }
  return ErrorCode::kUnavailable;
}

}  // namespace

void CloseConnection::operator()(pg_conn* connection) const { PQfinish(connection); }

Error ConnectError(const std::string& message) {
  std::string line = message.substr(0, message.find('\n'));
  std::string sqlstate;
  // "… failed: FATAL:  28P01: password authentication failed for user "x""
  const auto severity = line.find(":  ");
  if (severity != std::string::npos && IsSqlState(std::string_view(line).substr(severity + 3, 5)) &&
      line.compare(severity + 8, 2, ": ") == 0) {
    sqlstate = line.substr(severity + 3, 5);
    line.erase(severity + 1, 8);
  }
  const ErrorCode code = CodeOf(sqlstate, line);
  return Error{code, line.empty() ? "the connection failed" : line};
}

Result<ConnectionHandle> Dialer::Dial(const CollectContext& context) {
  if (pending_) {
    const auto age = context.clock.SteadyNow() - pending_->started;
    auto attempt = std::move(pending_);
    if (age < kMostAttemptAge) {
      auto advanced = Advance(*attempt, context.deadline, context);
      if (advanced.ok()) return std::move(attempt->connection);
      const bool hangs = advanced.error().code == ErrorCode::kDeadlineExceeded;
      if (hangs) pending_ = std::move(attempt);
      if (hangs || advanced.error().code == ErrorCode::kCancelled) return advanced.error();
      // Else it failed meanwhile, which says nothing of now.
    }
  }

  password_.Renew(files_);
  TOCSIN_ASSIGN_OR_RETURN(const auto endpoints, FindEndpoints(context));
  Error last{ErrorCode::kUnavailable, "there is nowhere to connect to"};
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const SteadyTime now = context.clock.SteadyNow();
    const bool is_last = i + 1 == endpoints.size();
    const auto share = (context.deadline - now) / static_cast<int>(endpoints.size() - i);
    auto attempt = Start(endpoints[i], now);
    if (!attempt.ok()) {
      last = attempt.error();
      continue;
    }
    auto advanced = Advance(*attempt, is_last ? context.deadline : now + share, context);
    if (advanced.ok()) return std::move(attempt->connection);
    last = advanced.error();
    if (last.code == ErrorCode::kCancelled) break;
    if (is_last && last.code == ErrorCode::kDeadlineExceeded) {
      pending_ = std::make_unique<Attempt>(*std::move(attempt));
    }
  }
  return last;
}

Result<std::vector<Dialer::Endpoint>> Dialer::FindEndpoints(const CollectContext& context) {
  std::vector<Endpoint> endpoints;
  Error last{ErrorCode::kUnavailable, "there is nowhere to connect to"};
  for (std::size_t i = 0; i < options_.servers.size(); ++i) {
    const ServerAddress& server = options_.servers[i];
    if (!server.hostaddr.empty() || IsLiteralHost(server.host)) {
      endpoints.push_back({server, {}});
      continue;
    }
    const SteadyTime now = context.clock.SteadyNow();
    const auto share = (context.deadline - now) / static_cast<int>(options_.servers.size() - i);
    auto addresses = lookup_.Resolve(server.host, now + share, context);
    if (!addresses.ok()) {
      last = addresses.error();
      if (last.code == ErrorCode::kCancelled) return last;
      continue;
    }
    for (auto& address : *addresses) {
      endpoints.push_back({{server.host, std::move(address), server.port}, {}});
    }
  }
  if (endpoints.empty()) return last;

  // libpq sees one endpoint at a time; preferring among them is up to us.
  const bool prefers =
      std::any_of(options_.connection.begin(), options_.connection.end(), [](const auto& keyword) {
        return keyword.first == "target_session_attrs" && keyword.second == kPreferStandby;
      });
  if (prefers && endpoints.size() > 1) {
    const auto any = endpoints;
    for (auto& endpoint : endpoints) endpoint.session_attributes = "standby";
    for (const auto& endpoint : any) endpoints.push_back({endpoint.server, "any"});
  }
  return endpoints;
}

Result<Dialer::Attempt> Dialer::Start(const Endpoint& endpoint, SteadyTime now) const {
  std::vector<const char*> names;
  std::vector<const char*> values;
  const auto add = [&](const char* name, const char* value) {
    names.push_back(name);
    values.push_back(value);
  };
  for (const Keyword& keyword : kDefaults) add(keyword.name, keyword.value);
  for (const auto& [name, value] : options_.connection) add(name.c_str(), value.c_str());
  if (!endpoint.session_attributes.empty()) {
    add("target_session_attrs", endpoint.session_attributes.c_str());
  }
  // An empty value would fall back to PGHOST: name the address twice instead.
  const ServerAddress& server = endpoint.server;
  add("host", server.host.empty() ? server.hostaddr.c_str() : server.host.c_str());
  if (!server.hostaddr.empty()) add("hostaddr", server.hostaddr.c_str());
  add("port", server.port.c_str());
  if (!password_.empty()) add("password", password_.Reveal().c_str());
  add("application_name", options_.application_name.data());
  // The server tells who has logged in, and ends a session in whose encoding that is no text.
  add("client_encoding", IsAscii(RoleOf(options_)) ? "UTF8" : "SQL_ASCII");
  names.push_back(nullptr);
  values.push_back(nullptr);

  Attempt attempt;
  attempt.where = TextOf(server);
  attempt.started = now;
  attempt.connection.reset(PQconnectStartParams(names.data(), values.data(), /*expand_dbname=*/0));
  if (!attempt.connection) return Error{ErrorCode::kUnavailable, "out of memory"};
  PQsetNoticeProcessor(attempt.connection.get(), IgnoreNotice, nullptr);
  PQsetErrorVerbosity(attempt.connection.get(), PQERRORS_VERBOSE);
  if (PQstatus(attempt.connection.get()) == CONNECTION_BAD) {
    return ConnectError(PQerrorMessage(attempt.connection.get()));
  }
  return attempt;
}

Result<> Dialer::Advance(Attempt& attempt, SteadyTime until, const CollectContext& context) const {
  PGconn* connection = attempt.connection.get();
  while (true) {
    if (context.stop.stop_requested()) return Error{ErrorCode::kCancelled, "asked to stop"};
    const auto left = std::chrono::ceil<Millis>(until - context.clock.SteadyNow());
    if (left <= Millis(0)) {
      return Error{ErrorCode::kDeadlineExceeded,
                   "connecting to " + attempt.where + ": no answer within the deadline"};
    }
    pollfd ready{PQsocket(connection), static_cast<short>(attempt.wants_read ? POLLIN : POLLOUT),
                 0};
    const int count = poll(&ready, 1, static_cast<int>(std::min(left, kStopCheck).count()));
    if (count < 0 && errno != EINTR) {
      return Error{ErrorCode::kUnavailable, "connecting to " + attempt.where + ": poll failed"};
    }
    if (count <= 0) continue;
    switch (PQconnectPoll(connection)) {
      case PGRES_POLLING_READING: attempt.wants_read = true; break;
      case PGRES_POLLING_WRITING: attempt.wants_read = false; break;
      case PGRES_POLLING_OK: PQsetErrorVerbosity(connection, PQERRORS_DEFAULT); return {};
      default: return ConnectError(PQerrorMessage(connection));
    }
  }
}

}  // namespace tocsin::collectors::postgres
