#include <fmt/format.h>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

using model::MetricType;

// The name that a column has in this version of the extension; empty: none.
std::string FirstOf(const ServerFacts& server, std::initializer_list<std::string_view> columns) {
  for (const auto column : columns) {
    if (server.Has("pg_stat_statements." + std::string(column))) return std::string(column);
  }
  return {};
}

}  // namespace

// Read without texts, which lie in a file of their own. One statement at the top
// and the same one within a function are two rows since version 14: they are one
// series here.
Result<> CollectStatStatements(SubjectRun& run) {
  const ServerFacts& server = run.server;
  if (server.statements_schema.empty()) {
    run.out.Note(fmt::format(
        "statements: the extension pg_stat_statements is not in database \"{0}\"; to have "
        "pg_stat_statements_* set shared_preload_libraries = 'pg_stat_statements', restart, and "
        "run CREATE EXTENSION pg_stat_statements in \"{0}\"",
        server.database));
    return {};
  }
  const std::string time = FirstOf(server, {"total_exec_time", "total_time"});
  const std::string read = FirstOf(server, {"shared_blk_read_time", "blk_read_time"});
  const std::string write = FirstOf(server, {"shared_blk_write_time", "blk_write_time"});
  if (time.empty() || read.empty() || write.empty()) {
    return Error{ErrorCode::kNotFound, "pg_stat_statements has no columns of time that are known"};
  }
  TOCSIN_ASSIGN_OR_RETURN(
      const Rows rows,
      run.Query(fmt::format("SELECT pg_get_userbyid(s.userid), d.datname, s.queryid, sum(s.calls),"
                            " sum(s.{0}) / 1000, sum(s.rows), sum(s.{1}) / 1000, sum(s.{2}) / 1000,"
                            " count(*) OVER () FROM {3}.pg_stat_statements(false) s"
                            " JOIN pg_database d ON d.oid = s.dbid WHERE s.queryid IS NOT NULL"
                            " GROUP BY s.userid, d.datname, s.queryid ORDER BY 5 DESC, 3 LIMIT {4}",
                            time, read, write, server.statements_schema,
                            run.options.statement_limit)));

  struct Metric {
    std::string_view name;
    std::string_view help;
  };
  constexpr Metric kMetrics[] = {
      {"pg_stat_statements_calls_total", "Number of times executed"},
      {"pg_stat_statements_seconds_total", "Total time spent in the statement, in seconds"},
      {"pg_stat_statements_rows_total",
       "Total number of rows retrieved or affected by the statement"},
      {"pg_stat_statements_block_read_seconds_total",
       "Total time the statement spent reading blocks, in seconds"},
      {"pg_stat_statements_block_write_seconds_total",
       "Total time the statement spent writing blocks, in seconds"},
  };
  for (std::size_t i = 0; i < std::size(kMetrics); ++i) {
    const auto family = run.out.Declare(kMetrics[i].name, kMetrics[i].help, MetricType::kCounter,
                                        {"user", "datname", "queryid"});
    for (int row = 0; row < rows.size(); ++row) {
      if (!run.Shows(rows.Text(row, 1))) continue;
      run.out.Add(family, {rows.Text(row, 0), rows.Text(row, 1), rows.Text(row, 2)},
                  rows.Number(row, 3 + static_cast<int>(i)).value_or(0));
    }
  }
  const double all = rows.size() > 0 ? rows.Number(0, 8).value_or(0) : 0;
  run.out.Gauge("tocsin_postgres_statements_left_out",
                "Statements of pg_stat_statements without series, because of the limit",
                all - rows.size());
  return {};
}

}  // namespace tocsin::collectors::postgres
