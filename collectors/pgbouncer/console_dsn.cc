#include "collectors/pgbouncer/console_dsn.h"

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <utility>

#include "daemon/base/host_port.h"

namespace tocsin::collectors::pgbouncer {
namespace {

struct OptionsFree {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

// Takes one keyword of the dsn; what is wrong with it, or empty.
std::string TakeKeyword(std::string_view keyword, const std::string& value,
                        ConsoleAddress& address) {
  if (keyword == "host" || keyword == "hostaddr") {
    if (value.find(',') != std::string::npos) {
      return "names several hosts; each PgBouncer is a target of its own";
    }
    if (keyword == "host" || address.host.empty()) address.host = value;
  } else if (keyword == "port") {
    auto port = ParsePort(value);
    if (!port.has_value()) return "port must be between 1 and 65535";
    address.port = *port;
  } else if (keyword == "password") {
    address.password = Secret(value);
  } else if (keyword == "options") {
    return "PgBouncer's console takes no \"options\"";
  } else if (keyword == "replication") {
    return "PgBouncer's console takes no \"replication\"";
  } else {
    address.parameters.emplace_back(keyword, value);
  }
  return {};
}

bool HasParameter(const ConsoleAddress& address, std::string_view name) {
  for (const auto& [key, value] : address.parameters) {
    if (key == name) return true;
  }
  return false;
}

void AddDefaults(ConsoleAddress& address) {
  constexpr std::pair<std::string_view, std::string_view> kDefaults[] = {
      {"dbname", "pgbouncer"},
      {"application_name", "tocsin"},
      {"gssencmode", "disable"},  // Kerberos would look names up without a deadline.
  };
  if (address.host.empty()) address.host = "/var/run/postgresql";
  for (const auto& [key, value] : kDefaults) {
    if (!HasParameter(address, key)) address.parameters.emplace_back(key, value);
  }
}

}  // namespace

Result<ConsoleAddress> ParseConsoleDsn(const std::string& dsn) {
  ConsoleAddress address;
  char* message = nullptr;
  std::unique_ptr<PQconninfoOption, OptionsFree> options(PQconninfoParse(dsn.c_str(), &message));
  PQfreemem(message);  // Not shown: it quotes the dsn, which may hold a password.
  if (options == nullptr) {
    return Error{ErrorCode::kInvalidArgument,
                 "not a connection string (write \"host=… port=6432 user=… dbname=pgbouncer\" or "
                 "\"postgresql://user@host:6432/pgbouncer\")"};
  }
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr || *option->val == '\0') continue;
    std::string wrong = TakeKeyword(option->keyword, option->val, address);
    if (!wrong.empty()) return Error{ErrorCode::kInvalidArgument, std::move(wrong)};
  }
  AddDefaults(address);
  return address;
}

// A user of its own: the dsn's may be somebody's whose password is not ours to change.
std::string RemedyFor(const Error& error) {
  const std::string& message = error.message;
  const bool refused = error.code == ErrorCode::kPermissionDenied ||
                       message.find("stats_users") != message.npos ||
                       message.find("login") != message.npos;
  if (!refused) return {};
  return "sudo tocsin setup pgbouncer --role tocsin --ini /etc/pgbouncer/pgbouncer.ini "
         "--password-file /etc/tocsin/pgbouncer.password --apply (which adds tocsin to stats_users "
         "and to the auth_file), then sudo systemctl reload pgbouncer, and user=tocsin in the dsn "
         "with password_file: /etc/tocsin/pgbouncer.password beside it";
}

}  // namespace tocsin::collectors::pgbouncer
