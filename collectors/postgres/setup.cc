#include <fmt/format.h>

#include "collectors/postgres/advice.h"
#include "collectors/postgres/connection.h"
#include "collectors/postgres/postgres.h"
#include "daemon/base/scram.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr std::string_view kMakeExtension = "CREATE EXTENSION IF NOT EXISTS pg_stat_statements";

std::string Literal(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    quoted += c;
    if (c == '\'') quoted += c;
  }
  return quoted + "'";
}

enum class GivePassword { kYes, kItHasIt };

// Each statement alone: one that fails must not undo the others.
Result<std::vector<std::string>> RoleStatements(const SetupRequest& request, GivePassword give) {
  if (request.role.empty() || request.role.starts_with("pg_")) {
    return Error{ErrorCode::kInvalidArgument,
                 "a role needs a name, and none that begins with pg_: those are PostgreSQL's own"};
  }
  const std::string role = QuoteIdentifier(request.role);
  std::string password;
  if (!request.password.empty() && give == GivePassword::kYes) {
    TOCSIN_ASSIGN_OR_RETURN(const std::string verifier, ScramVerifier(request.password));
    password = " PASSWORD " + Literal(verifier);
  }
  return std::vector<std::string>{
      fmt::format("DO $tocsin$ BEGIN\n"
                  "  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {}) THEN\n"
                  "    CREATE ROLE {};\n"
                  "  END IF;\n"
                  "END $tocsin$",
                  Literal(request.role), role),
      fmt::format("ALTER ROLE {} LOGIN{}", role, password),
      fmt::format("GRANT pg_monitor TO {}", role),
  };
}

SetupStep PreloadStep() {
  return {"in postgresql.conf (beside the libraries that are there), then a restart of PostgreSQL",
          "shared_preload_libraries = 'pg_stat_statements'"};
}

SetupStep HbaStep(const SetupRequest& request) {
  const std::string role = QuoteIdentifier(request.role);
  return {"in pg_hba.conf, above lines that say otherwise, then SELECT pg_reload_conf()",
          request.password.empty()
              ? fmt::format("local all {} peer", role)
              : fmt::format("local all {0} scram-sha-256\nhost all {0} 127.0.0.1/32 scram-sha-256",
                            role)};
}

Result<std::vector<SetupStep>> Plan(const SetupRequest& request) {
  TOCSIN_ASSIGN_OR_RETURN(const auto statements, RoleStatements(request, GivePassword::kYes));
  std::string text;
  for (const std::string& statement : statements) text += statement + ";\n";
  text += std::string(kMakeExtension) + ";";
  return std::vector<SetupStep>{
      {fmt::format("as a superuser, in database \"{}\"", request.database), std::move(text)},
      PreloadStep(),
      HbaStep(request)};
}

Result<PostgresOptions> Administrator(const SetupRequest& request) {
  PostgresOptions options;
  TOCSIN_ASSIGN_OR_RETURN(ParsedDsn dsn, ParseDsn(request.administrator));
  options.connection = std::move(dsn.connection);
  options.servers = std::move(dsn.servers);
  options.password = request.administrator_password.empty() ? std::move(dsn.password)
                                                            : request.administrator_password;
  options.SetDatabase(request.database);
  return options;
}

// Whether the role has this password. Errors: kInvalidArgument if somebody else's would
// be replaced.
Result<GivePassword> LookAtPassword(Connection& connection, const SetupRequest& request) {
  const auto known = connection.Query(
      "SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = " + Literal(request.role));
  if (!known.ok() && connection.lost()) return known.error();
  // Who may not look at passwords may still set that of our own role.
  const std::string_view stored = known.ok() ? known->Text(0, 0) : std::string_view();
  if (ScramMatches(stored, request.password)) return GivePassword::kItHasIt;
  // Ours is given anew, as pg_hba.conf's scram-sha-256 asks for it; of somebody else's role
  // there may be clients that know no more than MD5.
  if (request.role != kOwnRole && Md5Matches(stored, request.role, request.password)) {
    return GivePassword::kItHasIt;
  }
  const bool has_other = !known.ok() || (known->size() == 1 && !known->IsNull(0, 0));
  if (request.password.empty() || !has_other || request.role == kOwnRole) {
    return GivePassword::kYes;
  }
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("role {} may have another password, which others may use: choose "
                           "another --role, or give that one with --password-file",
                           QuoteIdentifier(request.role))};
}

Result<KindSetup::Applied> Apply(const SetupRequest& request, FileSystem& files,
                                 const CollectContext& context) {
  TOCSIN_RETURN_IF_ERROR(RoleStatements(request, GivePassword::kYes));  // What is wrong, first.
  TOCSIN_ASSIGN_OR_RETURN(const PostgresOptions options, Administrator(request));
  Connection connection(options, context.clock, files);
  TOCSIN_RETURN_IF_ERROR(connection.Begin(context));
  TOCSIN_ASSIGN_OR_RETURN(const GivePassword give, LookAtPassword(connection, request));
  TOCSIN_ASSIGN_OR_RETURN(const auto statements, RoleStatements(request, give));
  for (const std::string& statement : statements) {
    TOCSIN_RETURN_IF_ERROR(connection.Query(statement));
  }
  KindSetup::Applied applied;
  applied.done.push_back(fmt::format("role {} may log in and has pg_monitor{}",
                                     QuoteIdentifier(request.role),
                                     request.password.empty() ? "" : ", with this password"));
  if (const auto made = connection.Query(std::string(kMakeExtension)); made.ok()) {
    applied.done.push_back(
        fmt::format("database \"{}\" has the extension pg_stat_statements", request.database));
  } else {
    if (connection.lost()) return made.error();
    applied.left.push_back({"install postgresql-contrib, then in database \"" + request.database +
                                "\" (it said: " + made.error().message + ")",
                            std::string(kMakeExtension) + ";"});
  }
  TOCSIN_ASSIGN_OR_RETURN(
      const Rows preload,
      connection.Query("SELECT setting FROM pg_catalog.pg_settings WHERE name = "
                       "'shared_preload_libraries' AND setting LIKE '%pg_stat_statements%'"));
  if (preload.size() == 0) applied.left.push_back(PreloadStep());
  connection.End();
  return applied;
}

}  // namespace

const KindSetup kSetup{Plan, Apply};

}  // namespace tocsin::collectors::postgres
