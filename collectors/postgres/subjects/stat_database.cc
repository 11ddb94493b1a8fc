#include "collectors/postgres/other_databases.h"

namespace tocsin::collectors::postgres {
namespace {

using model::MetricType;

constexpr std::string_view kStatsReset = "pg_stat_database_stats_reset";

constexpr ValueColumn Counter(std::string_view metric, std::string_view sql,
                              std::string_view help) {
  return {metric, MetricType::kCounter, sql, help, {}, IfNull::kZero};
}

constexpr ValueColumn Untyped(std::string_view metric, std::string_view column,
                              std::string_view needs) {
  return {metric, MetricType::kUnknown, column, "As the column of pg_stat_database",
          needs,  IfNull::kNaN};
}

std::vector<ValueColumn> Columns() {
  return {
      {.metric = "pg_stat_database_numbackends",
       .sql = "numbackends",
       .help = "Number of backends currently connected to this database",
       .if_null = IfNull::kZero},
      Counter("pg_stat_database_xact_commit", "xact_commit",
              "Number of transactions in this database that have been committed"),
      Counter("pg_stat_database_xact_rollback", "xact_rollback",
              "Number of transactions in this database that have been rolled back"),
      Counter("pg_stat_database_blks_read", "blks_read",
              "Number of disk blocks read in this database"),
      Counter("pg_stat_database_blks_hit", "blks_hit",
              "Number of times disk blocks were found already in PostgreSQL's buffer cache"),
      Counter("pg_stat_database_tup_returned", "tup_returned",
              "Number of rows returned by queries in this database"),
      Counter("pg_stat_database_tup_fetched", "tup_fetched",
              "Number of rows fetched by queries in this database"),
      Counter("pg_stat_database_tup_inserted", "tup_inserted",
              "Number of rows inserted by queries in this database"),
      Counter("pg_stat_database_tup_updated", "tup_updated",
              "Number of rows updated by queries in this database"),
      Counter("pg_stat_database_tup_deleted", "tup_deleted",
              "Number of rows deleted by queries in this database"),
      Counter("pg_stat_database_conflicts", "conflicts",
              "Number of queries canceled due to conflicts with recovery in this database"),
      Counter("pg_stat_database_temp_files", "temp_files",
              "Number of temporary files created by queries in this database"),
      Counter("pg_stat_database_temp_bytes", "temp_bytes",
              "Total amount of data written to temporary files by queries in this database"),
      Counter("pg_stat_database_deadlocks", "deadlocks",
              "Number of deadlocks detected in this database"),
      Counter("pg_stat_database_blk_read_time", "blk_read_time",
              "Time spent reading data file blocks by backends in this database, in milliseconds"),
      Counter("pg_stat_database_blk_write_time", "blk_write_time",
              "Time spent writing data file blocks by backends in this database, in milliseconds"),
      Counter(kStatsReset, "floor(extract(epoch FROM stats_reset))",
              "Time at which these statistics were last reset"),
  };
}

Select Make020() {
  Select select{.labels = {{"datid", "datid"}, {"datname", "datname"}},
                .values = Columns(),
                .from = "pg_stat_database WHERE datname IS NOT NULL",
                .by_database = true};
  select.values.push_back(
      {.metric = "pg_stat_database_active_time_seconds_total",
       .type = MetricType::kCounter,
       .sql = "active_time / 1000.0",
       .help = "Time spent executing SQL statements in this database, in seconds",
       .needs = "pg_stat_database.active_time",
       .if_null = IfNull::kZero});
  return select;
}

// Columns that 0.11 did not know, and showed as it found them.
void AddUnknownColumns(Select& select) {
  const auto add = [&](std::string_view metric, std::string_view sql, std::string_view needs) {
    select.values.push_back(Untyped(metric, sql, needs));
  };
  add("pg_stat_database_active_time", "active_time", "pg_stat_database.active_time");
  add("pg_stat_database_session_time", "session_time", "pg_stat_database.session_time");
  add("pg_stat_database_idle_in_transaction_time", "idle_in_transaction_time",
      "pg_stat_database.idle_in_transaction_time");
  add("pg_stat_database_sessions", "sessions", "pg_stat_database.sessions");
  add("pg_stat_database_sessions_abandoned", "sessions_abandoned",
      "pg_stat_database.sessions_abandoned");
  add("pg_stat_database_sessions_fatal", "sessions_fatal", "pg_stat_database.sessions_fatal");
  add("pg_stat_database_sessions_killed", "sessions_killed", "pg_stat_database.sessions_killed");
  add("pg_stat_database_checksum_failures", "checksum_failures",
      "pg_stat_database.checksum_failures");
  add("pg_stat_database_checksum_last_failure", "floor(extract(epoch FROM checksum_last_failure))",
      "pg_stat_database.checksum_last_failure");
}

// 0.11 also showed the row of the shared objects.
Select Make011() {
  Select select{.labels = {{"datid", "datid"}, {"datname", "datname"}},
                .values = Columns(),
                .from = "pg_stat_database",
                .by_database = true};
  select.values.back().if_null = IfNull::kNaN;
  AddUnknownColumns(select);
  return select;
}

Select MakeAll() {
  Select select = Make020();
  AddUnknownColumns(select);
  return select;
}

const Select& SelectOf(Names names) {
  static const Select select020 = Make020();
  static const Select select011 = Make011();
  static const Select select_all = MakeAll();
  if (names == Names::kAll) return select_all;
  return names == Names::k011 ? select011 : select020;
}

}  // namespace

Result<> CollectStatDatabase(SubjectRun& run) {
  const Select& select = SelectOf(run.options.names);
  TOCSIN_ASSIGN_OR_RETURN(const Selected selected, ReadSelect(run, select));
  ShowSelect(run, select, selected);

  std::vector<DatabaseCounter> counters;
  int place = static_cast<int>(select.labels.size());
  for (const ValueColumn* column : selected.columns) {
    // A time is no count, though the exporter says so.
    if (column->type == MetricType::kCounter && column->metric != kStatsReset) {
      counters.push_back({column->metric, column->help, place});
    }
    ++place;
  }
  CountOtherDatabases(run, selected.rows, counters);
  return {};
}

}  // namespace tocsin::collectors::postgres
