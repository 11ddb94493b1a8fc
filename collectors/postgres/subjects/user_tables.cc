#include <fmt/format.h>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

using model::MetricType;

// The statistics are read by their functions over the catalogue, not through the
// views and size functions that open each relation: nothing here waits for, or
// asks for, a lock on a user's table. Sizes are the catalogue's page counts.
constexpr std::string_view kTables =
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ({kinds}) AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    " AND n.nspname !~ '^pg_toast'";

struct TableColumn {
  std::string_view metric;
  std::string_view sql;  // Over t (the table), i (its indexes), x (its toast table).
  std::string_view help;
  MetricType type = MetricType::kCounter;
};

constexpr TableColumn kStatColumns[] = {
    {"seq_scan", "pg_stat_get_numscans(t.oid)",
     "Number of sequential scans initiated on this table"},
    {"seq_tup_read", "pg_stat_get_tuples_returned(t.oid)",
     "Number of live rows fetched by sequential scans"},
    {"idx_scan", "coalesce(i.scans, 0)", "Number of index scans initiated on this table"},
    {"idx_tup_fetch", "coalesce(i.fetched + pg_stat_get_tuples_fetched(t.oid), 0)",
     "Number of live rows fetched by index scans"},
    {"n_tup_ins", "pg_stat_get_tuples_inserted(t.oid)", "Number of rows inserted"},
    {"n_tup_upd", "pg_stat_get_tuples_updated(t.oid)", "Number of rows updated"},
    {"n_tup_del", "pg_stat_get_tuples_deleted(t.oid)", "Number of rows deleted"},
    {"n_tup_hot_upd", "pg_stat_get_tuples_hot_updated(t.oid)",
     "Number of rows HOT updated (i.e., with no separate index update required)"},
    {"n_live_tup", "pg_stat_get_live_tuples(t.oid)", "Estimated number of live rows",
     MetricType::kGauge},
    {"n_dead_tup", "pg_stat_get_dead_tuples(t.oid)", "Estimated number of dead rows",
     MetricType::kGauge},
    {"n_mod_since_analyze", "pg_stat_get_mod_since_analyze(t.oid)",
     "Estimated number of rows changed since last analyze", MetricType::kGauge},
    {"last_vacuum", "coalesce(floor(extract(epoch FROM pg_stat_get_last_vacuum_time(t.oid))), 0)",
     "Last time at which this table was manually vacuumed (not counting VACUUM FULL)",
     MetricType::kGauge},
    {"last_autovacuum",
     "coalesce(floor(extract(epoch FROM pg_stat_get_last_autovacuum_time(t.oid))), 0)",
     "Last time at which this table was vacuumed by the autovacuum daemon", MetricType::kGauge},
    {"last_analyze", "coalesce(floor(extract(epoch FROM pg_stat_get_last_analyze_time(t.oid))), 0)",
     "Last time at which this table was manually analyzed", MetricType::kGauge},
    {"last_autoanalyze",
     "coalesce(floor(extract(epoch FROM pg_stat_get_last_autoanalyze_time(t.oid))), 0)",
     "Last time at which this table was analyzed by the autovacuum daemon", MetricType::kGauge},
    {"vacuum_count", "pg_stat_get_vacuum_count(t.oid)",
     "Number of times this table has been manually vacuumed (not counting VACUUM FULL)"},
    {"autovacuum_count", "pg_stat_get_autovacuum_count(t.oid)",
     "Number of times this table has been vacuumed by the autovacuum daemon"},
    {"analyze_count", "pg_stat_get_analyze_count(t.oid)",
     "Number of times this table has been manually analyzed"},
    {"autoanalyze_count", "pg_stat_get_autoanalyze_count(t.oid)",
     "Number of times this table has been analyzed by the autovacuum daemon"},
    {"index_size_bytes", "coalesce(i.pages, 0) * b.size",
     "Total disk space used by this table's indexes, as of its last vacuum or analyze",
     MetricType::kGauge},
    {"table_size_bytes", "(greatest(t.relpages, 0) + coalesce(x.pages, 0)) * b.size",
     "Total disk space used by this table, as of its last vacuum or analyze", MetricType::kGauge},
};

constexpr TableColumn kIoColumns[] = {
    {"heap_{}_read", "pg_stat_get_blocks_fetched(t.oid) - pg_stat_get_blocks_hit(t.oid)",
     "Number of disk blocks read from this table"},
    {"heap_{}_hit", "pg_stat_get_blocks_hit(t.oid)", "Number of buffer hits in this table"},
    {"idx_{}_read", "coalesce(i.blocks_fetched - i.blocks_hit, 0)",
     "Number of disk blocks read from all indexes on this table"},
    {"idx_{}_hit", "coalesce(i.blocks_hit, 0)",
     "Number of buffer hits in all indexes on this table"},
    {"toast_{}_read",
     "coalesce(pg_stat_get_blocks_fetched(t.reltoastrelid) - pg_stat_get_blocks_hit("
     "t.reltoastrelid), 0)",
     "Number of disk blocks read from this table's TOAST table (if any)"},
    {"toast_{}_hit", "coalesce(pg_stat_get_blocks_hit(t.reltoastrelid), 0)",
     "Number of buffer hits in this table's TOAST table (if any)"},
    {"tidx_{}_read", "coalesce(x.blocks_fetched - x.blocks_hit, 0)",
     "Number of disk blocks read from this table's TOAST table indexes (if any)"},
    {"tidx_{}_hit", "coalesce(x.blocks_hit, 0)",
     "Number of buffer hits in this table's TOAST table indexes (if any)"},
};

std::string TableSql(const SubjectRun& run, std::span<const TableColumn> columns,
                     std::string_view kinds) {
  const std::string tables = fmt::format(kTables, fmt::arg("kinds", kinds));
  std::string sql = fmt::format(
      "WITH t AS MATERIALIZED (SELECT c.oid, n.nspname, c.relname, c.relpages, c.reltoastrelid,"
      " count(*) OVER () AS total {} ORDER BY c.relpages DESC, c.oid LIMIT {}),"
      " i AS MATERIALIZED (SELECT x.indrelid,"
      " sum(pg_stat_get_numscans(x.indexrelid)) AS scans,"
      " sum(pg_stat_get_tuples_fetched(x.indexrelid)) AS fetched,"
      " sum(pg_stat_get_blocks_fetched(x.indexrelid)) AS blocks_fetched,"
      " sum(pg_stat_get_blocks_hit(x.indexrelid)) AS blocks_hit,"
      " sum(greatest(c.relpages, 0)) AS pages FROM pg_index x"
      " JOIN pg_class c ON c.oid = x.indexrelid GROUP BY x.indrelid)"
      " SELECT current_database(), t.nspname, t.relname, t.total",
      tables, run.options.table_limit);
  for (const TableColumn& column : columns) sql.append(", ").append(column.sql);
  sql +=
      " FROM t LEFT JOIN i ON i.indrelid = t.oid LEFT JOIN (SELECT c.oid,"
      " greatest(c.relpages, 0) + coalesce(i.pages, 0) AS pages, i.blocks_fetched, i.blocks_hit"
      " FROM pg_class c LEFT JOIN i ON i.indrelid = c.oid WHERE c.relkind = 't') x"
      " ON x.oid = t.reltoastrelid,"
      " (SELECT current_setting('block_size')::bigint AS size) b";
  return sql;
}

Result<> CollectTables(SubjectRun& run, std::span<const TableColumn> columns,
                       std::string_view kinds, std::string_view prefix,
                       std::span<const std::string_view> words) {
  TOCSIN_ASSIGN_OR_RETURN(const Rows rows, run.Query(TableSql(run, columns, kinds)));
  constexpr int kFirstValue = 4;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    for (const auto word : words) {
      const std::string name =
          std::string(prefix) + fmt::format(fmt::runtime(columns[i].metric), word);
      const auto family = run.out.Declare(name, columns[i].help, columns[i].type,
                                          {"datname", "schemaname", "relname"});
      for (int row = 0; row < rows.size(); ++row) {
        run.out.Add(family, {rows.Text(row, 0), rows.Text(row, 1), rows.Text(row, 2)},
                    rows.Number(row, kFirstValue + static_cast<int>(i)).value_or(0));
      }
    }
  }
  const double all = rows.size() > 0 ? rows.Number(0, 3).value_or(0) : 0;
  const auto left_out = run.out.Declare("tocsin_postgres_tables_left_out",
                                        "Tables without series, because of the limit",
                                        MetricType::kGauge, {"collector"});
  run.out.Add(left_out,
              {prefix == "pg_stat_user_tables_" ? "stat_user_tables" : "statio_user_tables"},
              all - rows.size());
  return {};
}

}  // namespace

Result<> CollectStatUserTables(SubjectRun& run) {
  if (!run.Shows(run.server.database)) return {};
  constexpr std::string_view kNoWord[] = {""};
  TOCSIN_RETURN_IF_ERROR(CollectTables(run, kStatColumns,
                                       run.server.version >= 140'000 ? "'r', 'm', 'p'" : "'r', 'm'",
                                       "pg_stat_user_tables_", kNoWord));
  return {};
}

Result<> CollectStatioUserTables(SubjectRun& run) {
  if (!run.Shows(run.server.database)) return {};
  // postgres_exporter says blocks, Debian's queries for 0.11 said blks.
  std::vector<std::string_view> words;
  if (run.options.names != Names::k011) words.push_back("blocks");
  if (run.HasNames(Names::k011)) words.push_back("blks");
  return CollectTables(run, kIoColumns, "'r', 'm'", "pg_statio_user_tables_", words);
}

}  // namespace tocsin::collectors::postgres
