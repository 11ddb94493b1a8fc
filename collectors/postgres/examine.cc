#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "collectors/postgres/advice.h"
#include "collectors/postgres/collector.h"
#include "collectors/postgres/connection.h"
#include "daemon/base/user_name.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr double kMostClockDifferenceSeconds = 2;

// pg_settings and not current_setting(): a role without pg_monitor sees no row there,
// where the function would fail.
constexpr std::string_view kFactsSql =
    "SELECT current_user, (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user),"
    " pg_catalog.pg_has_role(current_user, 'pg_monitor', 'USAGE'),"
    " (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'shared_preload_libraries'),"
    " (SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e"
    "  JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace"
    "  WHERE e.extname = 'pg_stat_statements'),"
    " (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'track_io_timing'),"
    " (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'track_activities'),"
    " (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'track_counts'),"
    " extract(epoch FROM pg_catalog.clock_timestamp()), current_database()";

bool IsLocal(const ServerAddress& server) {
  const std::string& host = server.host.empty() ? server.hostaddr : server.host;
  return host.starts_with('/') || host == "localhost" || host.starts_with("127.") || host == "::1";
}

// psql as somebody who may change the server.
std::string Psql(const PostgresOptions& options, std::string_view database) {
  const ServerAddress& server = options.servers.front();
  const std::string& host = server.host.empty() ? server.hostaddr : server.host;
  if (!IsLocal(server)) {
    return fmt::format("psql -h {} -p {} -U postgres -d {}", host, server.port, database);
  }
  const std::string where = host.starts_with('/') ? " -h " + host : std::string();
  return fmt::format("sudo -u postgres psql{} -p {} -d {}", where, server.port, database);
}

std::string RunSql(const PostgresOptions& options, std::string_view database,
                   std::initializer_list<std::string> statements) {
  std::string command = Psql(options, database);
  for (const std::string& statement : statements) {
    const char quote = statement.find('\'') == statement.npos ? '\'' : '"';
    command += std::string(" -c ") + quote + statement + quote;
  }
  return command;
}

std::string AlterSystem(const PostgresOptions& options, const std::string& setting) {
  return RunSql(options, "postgres", {"ALTER SYSTEM SET " + setting, "SELECT pg_reload_conf()"});
}

std::string SetPassword(const PostgresOptions& options) {
  const ServerAddress& server = options.servers.front();
  return fmt::format(
      "sudo tocsin setup postgres --role tocsin --password-file /etc/tocsin/postgres.password "
      "--dsn 'host={} port={} user=postgres dbname=postgres' --apply, and user=tocsin in the dsn "
      "with password_file: /etc/tocsin/postgres.password beside it",
      server.host.empty() ? server.hostaddr : server.host, server.port);
}

std::string SocketRemedy(const PostgresOptions& options) {
  const ServerAddress& server = options.servers.front();
  if (access(server.host.c_str(), X_OK) != 0) {
    return fmt::format("chmod a+rx {}, or a dsn with host=127.0.0.1", server.host);
  }
  return fmt::format(
      "unix_socket_permissions = 0777 in postgresql.conf and a restart, or a dsn with "
      "host=127.0.0.1 (the socket is {}/.s.PGSQL.{})",
      server.host, server.port);
}

void Add(std::vector<Finding>& findings, Severity severity, std::string check, std::string message,
         std::string remedy) {
  findings.push_back({severity, std::move(check), std::move(message), std::move(remedy)});
}

// Whether what the extension counts can be had; without it the statements' metrics are absent.
Result<> ExamineStatements(Connection& connection, const PostgresOptions& options,
                           const Rows& facts, std::vector<Finding>& findings) {
  if (!options.IsOn("stat_statements", true)) return {};
  const std::string database(facts.Text(0, 9));
  const bool preloaded = facts.Text(0, 3).find("pg_stat_statements") != std::string_view::npos;
  if (!facts.IsNull(0, 3) && !preloaded) {
    const std::string others = facts.Text(0, 3).empty() ? "" : std::string(facts.Text(0, 3)) + ", ";
    Add(findings, Severity::kWarning, "pg_stat_statements",
        "the server does not load it, so that no statement is counted",
        fmt::format("shared_preload_libraries = '{}pg_stat_statements' in postgresql.conf and a "
                    "restart of PostgreSQL",
                    others));
  }
  if (facts.IsNull(0, 4)) {
    Add(findings, Severity::kWarning, "pg_stat_statements",
        fmt::format("database \"{}\" does not have the extension", database),
        RunSql(options, database, {"CREATE EXTENSION IF NOT EXISTS pg_stat_statements"}));
    return {};
  }
  if (!facts.IsNull(0, 3) && !preloaded) return {};
  const auto read = connection.Query(
      fmt::format("SELECT count(*) FROM {}.pg_stat_statements(false)", facts.Text(0, 4)));
  if (!read.ok() && connection.lost()) return read.error();
  if (!read.ok()) {
    Add(findings, Severity::kWarning, "pg_stat_statements", read.error().message,
        RunSql(options, database,
               {fmt::format("GRANT USAGE ON SCHEMA {} TO {}", facts.Text(0, 4),
                            QuoteIdentifier(facts.Text(0, 0)))}));
  }
  return {};
}

void ExamineSettings(const PostgresOptions& options, const Rows& facts,
                     std::vector<Finding>& findings) {
  if (facts.Text(0, 5) == "off") {
    Add(findings, Severity::kNote, "track_io_timing",
        "is off: the time that reads and writes take is counted as 0",
        AlterSystem(options, "track_io_timing = on"));
  }
  constexpr std::pair<int, std::string_view> kTracks[] = {{6, "track_activities"},
                                                          {7, "track_counts"}};
  for (const auto& [column, name] : kTracks) {
    if (facts.Text(0, column) != "off") continue;
    Add(findings, Severity::kWarning, std::string(name),
        "is off: sessions or tables have no statistics",
        AlterSystem(options, std::string(name) + " = on"));
  }
}

Result<> ExamineServer(const PostgresOptions& options, FileSystem& files,
                       const CollectContext& context, std::vector<Finding>& findings) {
  Connection connection(options, context.clock, files);
  TOCSIN_RETURN_IF_ERROR(connection.Begin(context));
  TOCSIN_ASSIGN_OR_RETURN(const Rows facts, connection.Query(std::string(kFactsSql)));
  const WallTime now = context.clock.WallNow();
  if (facts.size() != 1) return Error{ErrorCode::kCorruption, "the server told no facts"};
  if (facts.Text(0, 1) == "t") {
    Add(findings, Severity::kNote, "rights",
        fmt::format("role {} is a superuser, which is more than is needed", facts.Text(0, 0)),
        "tocsin setup postgres shows a role that sees enough");
  }
  const std::string role(facts.Text(0, 0));
  const bool told = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.message.find("GRANT pg_monitor") != std::string::npos;
  });
  if (facts.Text(0, 2) == "f" && !told) {
    Add(findings, Severity::kWarning, "rights", "role " + role + " lacks pg_monitor",
        RunSql(options, "postgres", {"GRANT pg_monitor TO " + QuoteIdentifier(role)}));
  }
  TOCSIN_RETURN_IF_ERROR(ExamineStatements(connection, options, facts, findings));
  ExamineSettings(options, facts, findings);
  const double difference =
      facts.Number(0, 8).value_or(0) - static_cast<double>(ToUnixMillis(now)) / 1000;
  if (std::abs(difference) > kMostClockDifferenceSeconds) {
    Add(findings, Severity::kWarning, "clock",
        fmt::format("the server's clock is {:.0f} seconds {} this host's", std::abs(difference),
                    difference > 0 ? "ahead of" : "behind"),
        "timedatectl set-ntp true, on both hosts");
  }
  connection.End();
  return {};
}

bool Says(const std::string& message, std::string_view words) {
  return message.find(words) != message.npos;
}

}  // namespace

std::string QuoteIdentifier(std::string_view name) {
  bool plain = !name.empty() && (name[0] < '0' || name[0] > '9');
  std::string quoted = "\"";
  for (const char c : name) {
    plain = plain && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
    quoted += c;
    if (c == '"') quoted += c;
  }
  return plain ? std::string(name) : quoted + "\"";
}

std::string RoleOf(const PostgresOptions& options) {
  for (const auto& [keyword, value] : options.connection) {
    if (keyword == "user") return value;
  }
  if (const char* user = std::getenv("PGUSER"); user != nullptr && *user != '\0') return user;
  return UserName(geteuid()).value_or(std::to_string(geteuid()));
}

std::string RemedyFor(const PostgresOptions& options, const Error& error) {
  const std::string& message = error.message;
  const std::string role = QuoteIdentifier(RoleOf(options));
  if (Says(message, "role \"") && Says(message, "does not exist")) {
    return RunSql(options, "postgres",
                  {"CREATE ROLE " + role + " LOGIN", "GRANT pg_monitor TO " + role});
  }
  if (Says(message, "database \"") && Says(message, "does not exist")) {
    return "dbname=postgres in the dsn";
  }
  if (Says(message, "too many connections for role")) {
    return RunSql(options, "postgres", {"ALTER ROLE " + role + " CONNECTION LIMIT -1"});
  }
  if (Says(message, "Peer authentication failed") || Says(message, "Ident authentication failed")) {
    return fmt::format(
        "'local all {} scram-sha-256' above the other lines of pg_hba.conf and a reload; then {}",
        role, SetPassword(options));
  }
  if (Says(message, "no pg_hba.conf entry")) {
    return fmt::format(
        "'host all {} ADDRESS/32 scram-sha-256' in pg_hba.conf, with this host's address, and a "
        "reload; then {}",
        role, SetPassword(options));
  }
  if (Says(message, "password authentication failed") || Says(message, "no password supplied")) {
    return SetPassword(options);
  }
  if (Says(message, "Permission denied") && options.servers.front().host.starts_with('/')) {
    return SocketRemedy(options);
  }
  if (Says(message, "log_min_duration_statement = 0")) {
    return AlterSystem(options, "log_min_duration_statement = 0");
  }
  if (Says(message, "GRANT pg_monitor") || Says(message, "grant pg_monitor")) {
    return RunSql(options, "postgres", {"GRANT pg_monitor TO " + role});
  }
  if (Says(message, "logging_collector = on")) {
    return RunSql(options, "postgres", {"ALTER SYSTEM SET logging_collector = on"}) +
           ", and a restart of PostgreSQL";
  }
  if (Says(message, "let tocsin's user read it")) {
    return "usermod -aG adm tocsin (or the log's own group), and a restart of tocsin";
  }
  return {};
}

Examination Examine(const PostgresOptions& options, const CollectorEnvironment& environment,
                    const CollectContext& context) {
  PostgresCollector collector(options, environment);
  Examination examination = ExamineByCollecting(
      collector, context, [&](const Error& error) { return RemedyFor(options, error); });
  if (!examination.reached.ok()) return examination;
  const auto examined = ExamineServer(options, environment.files, context, examination.findings);
  if (!examined.ok()) {
    Add(examination.findings, Severity::kWarning, "settings", examined.error().message,
        RemedyFor(options, examined.error()));
  }
  return examination;
}

}  // namespace tocsin::collectors::postgres
