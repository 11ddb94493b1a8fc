#include "collectors/postgres/server_facts.h"

#include <fmt/format.h>

namespace tocsin::collectors::postgres {
namespace {

// Nothing we read is worth waiting for somebody's lock.
constexpr Millis kLockTimeout{100};

// set_config and not the start-up packet's options: PgBouncer refuses those, and
// pg_settings keeps showing the server's own values as reset_val.
// A database in SQL_ASCII holds any bytes: asked for UTF-8, the server converts nothing and
// refuses every answer with bytes that are none. We take them as they are; whoever shows
// them mends them.
// The search path by itself: until it is set, the owner of a database says what a name means
// there, and who asks may see more than he does.
std::string LimitsSql(Millis statement_timeout, int version) {
  std::string sql = fmt::format(
      "SELECT pg_catalog.set_config('search_path', 'pg_catalog', false);"
      " SELECT pg_catalog.set_config('statement_timeout', '{}', false),"
      " set_config('lock_timeout', '{}', false),"
      " set_config('max_parallel_workers_per_gather', '0', false),"
      " set_config('client_encoding', CASE current_setting('server_encoding')"
      "  WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, false)",
      statement_timeout.count(), kLockTimeout.count());
  if (version >= 110'000) sql += ", set_config('jit', 'off', false)";
  if (version >= 140'000) sql += ", set_config('idle_session_timeout', '0', false)";
  if (version >= ServerFacts::kVersionThatSharesStatistics) {
    // All numbers of an object are of one moment, and no other object is read for them.
    sql += ", set_config('stats_fetch_consistency', 'cache', false)";
  }
  return sql;
}

constexpr std::string_view kFactsSql =
    "SELECT version(), current_setting('server_version_num'), current_database(),"
    " inet_client_addr() IS NOT DISTINCT FROM inet_server_addr()";

constexpr std::string_view kStatementsSchemaSql =
    "SELECT quote_ident(n.nspname) FROM pg_extension e"
    " JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'";

constexpr std::string_view kColumnsSql =
    "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " WHERE a.attnum > 0 AND NOT a.attisdropped AND ("
    "c.relnamespace = 'pg_catalog'::regnamespace AND c.relname IN ('pg_stat_activity',"
    " 'pg_stat_archiver', 'pg_stat_bgwriter', 'pg_stat_checkpointer', 'pg_stat_database',"
    " 'pg_stat_database_conflicts', 'pg_stat_io', 'pg_replication_slots', 'pg_stat_replication',"
    " 'pg_stat_ssl', 'pg_stat_wal', 'pg_stat_wal_receiver',"
    " 'pg_stat_subscription_stats')"
    " OR c.relname = 'pg_stat_statements' AND c.oid IN (SELECT d.objid FROM pg_depend d"
    "  JOIN pg_extension e ON e.oid = d.refobjid WHERE d.classid = 'pg_class'::regclass"
    "  AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'pg_stat_statements'))";

// Who has this role sees the states and queries of other users' sessions; it came
// with PostgreSQL 10, and pg_monitor is a member of it.
constexpr std::string_view kBlindRoleSql =
    "SELECT quote_ident(current_user) FROM pg_roles WHERE rolname = 'pg_read_all_stats'"
    " AND NOT pg_has_role(current_user, oid, 'USAGE')";

}  // namespace

Result<std::string> FindBlindRole(Connection& connection) {
  TOCSIN_ASSIGN_OR_RETURN(const Rows rows, connection.Query(std::string(kBlindRoleSql)));
  return std::string(rows.Text(0, 0));
}

Result<> RefreshExtensions(Connection& connection, ServerFacts& facts) {
  TOCSIN_ASSIGN_OR_RETURN(const Rows schema, connection.Query(std::string(kStatementsSchemaSql)));
  const bool still_none = schema.size() == 0 && facts.statements_schema.empty();
  if (still_none && !facts.columns.empty()) return {};
  TOCSIN_ASSIGN_OR_RETURN(const Rows rows, connection.Query(std::string(kColumnsSql)));
  facts.statements_schema = schema.Text(0, 0);
  facts.columns.clear();
  for (int row = 0; row < rows.size(); ++row) {
    const std::string relation(rows.Text(row, 0));
    facts.columns.insert(relation + "." + std::string(rows.Text(row, 1)));
    facts.columns.insert(relation);
  }
  return {};
}

Result<ServerFacts> PrepareSession(Connection& connection, Millis statement_timeout) {
  ServerFacts facts;
  facts.version = connection.server_version();
  TOCSIN_RETURN_IF_ERROR(connection.Query(LimitsSql(statement_timeout, facts.version)));

  TOCSIN_ASSIGN_OR_RETURN(const Rows rows, connection.Query(std::string(kFactsSql)));
  if (rows.size() != 1) {
    return Error{ErrorCode::kCorruption, "the server answered nonsense to its version's query"};
  }
  facts.version_text = rows.Text(0, 0);
  facts.version = static_cast<int>(rows.Number(0, 1).value_or(facts.version));
  facts.short_version = fmt::format("{}.{}.0", facts.version / 10'000, facts.version % 10'000);
  facts.database = rows.Text(0, 2);
  facts.is_same_host = rows.Text(0, 3) == "t";

  // Only a note hangs on it: a server that does not tell is no reason to give up.
  auto blind_role = FindBlindRole(connection);
  if (!blind_role.ok() && connection.lost()) return blind_role.error();
  facts.blind_role = blind_role.ok() ? *std::move(blind_role) : std::string();
  TOCSIN_RETURN_IF_ERROR(RefreshExtensions(connection, facts));
  return facts;
}

Result<ServerFacts> PrepareVisit(Connection& connection, Millis statement_timeout,
                                 const ServerFacts& known, const std::string& database) {
  TOCSIN_RETURN_IF_ERROR(connection.Query(LimitsSql(statement_timeout, known.version)));
  ServerFacts facts = known;
  facts.database = database;
  facts.statements_schema.clear();
  return facts;
}

// By a hash: the numbers of tables that were made in a row are all odd, or all multiples of eight.
std::string ForgetStatisticsSql(const ServerFacts& server, std::string_view oid) {
  if (!server.SharesStatistics()) return "NULL";
  return fmt::format("CASE WHEN hashoid({}) % 64 = 0 THEN pg_stat_clear_snapshot()::text END", oid);
}

}  // namespace tocsin::collectors::postgres
