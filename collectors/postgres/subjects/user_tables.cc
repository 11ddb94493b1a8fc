#include <fmt/format.h>

#include "collectors/postgres/subject.h"
#include "collectors/postgres/table_sizes.h"
#include "daemon/model/sample.h"

namespace tocsin::collectors::postgres {
namespace {

using model::MetricType;

// Beyond these the smallest are not even counted among the others.
constexpr int kMostTablesRead = 50'000;

// The statistics are read by their functions over the catalogue, not through the
// views and size functions that open each relation: nothing here waits for, or
// asks for, a lock on a user's table. All tables are read, for what those without
// series of their own count is shown as a sum.
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
    {"idx_scan", "i.scans", "Number of index scans initiated on this table"},
    {"idx_tup_fetch", "i.fetched + pg_stat_get_tuples_fetched(t.oid)",
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
};

constexpr TableColumn kIoColumns[] = {
    {"heap_{}_read", "pg_stat_get_blocks_fetched(t.oid) - pg_stat_get_blocks_hit(t.oid)",
     "Number of disk blocks read from this table"},
    {"heap_{}_hit", "pg_stat_get_blocks_hit(t.oid)", "Number of buffer hits in this table"},
    {"idx_{}_read", "i.blocks_fetched - i.blocks_hit",
     "Number of disk blocks read from all indexes on this table"},
    {"idx_{}_hit", "i.blocks_hit", "Number of buffer hits in all indexes on this table"},
    {"toast_{}_read",
     "pg_stat_get_blocks_fetched(nullif(t.reltoastrelid, 0))"
     " - pg_stat_get_blocks_hit(nullif(t.reltoastrelid, 0))",
     "Number of disk blocks read from this table's TOAST table (if any)"},
    {"toast_{}_hit", "pg_stat_get_blocks_hit(nullif(t.reltoastrelid, 0))",
     "Number of buffer hits in this table's TOAST table (if any)"},
    {"tidx_{}_read", "x.blocks_fetched - x.blocks_hit",
     "Number of disk blocks read from this table's TOAST table indexes (if any)"},
    {"tidx_{}_hit", "x.blocks_hit",
     "Number of buffer hits in this table's TOAST table indexes (if any)"},
};

constexpr int kFirstNumber = 7;  // Of the columns that TableSql asks for.

std::string TableSql(const ServerFacts& server, std::span<const TableColumn> columns,
                     std::string_view kinds) {
  std::string sql = fmt::format(
      "WITH t AS MATERIALIZED (SELECT c.oid, n.nspname, c.relname, c.relpages, c.reltoastrelid"
      " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ({})"
      " AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'"
      " ORDER BY c.relpages DESC, c.oid LIMIT {}),"
      " i AS MATERIALIZED (SELECT x.indrelid,"
      " sum(pg_stat_get_numscans(x.indexrelid)) AS scans,"
      " sum(pg_stat_get_tuples_fetched(x.indexrelid)) AS fetched,"
      " sum(pg_stat_get_blocks_fetched(x.indexrelid)) AS blocks_fetched,"
      " sum(pg_stat_get_blocks_hit(x.indexrelid)) AS blocks_hit,"
      " sum(greatest(c.relpages, 0)) AS pages, count({}) FROM pg_index x"
      " JOIN pg_class c ON c.oid = x.indexrelid GROUP BY x.indrelid)"
      " SELECT t.oid, current_database(), t.nspname, t.relname, t.relpages,"
      " (greatest(t.relpages, 0) + coalesce(x.pages, 0)) * b.size, coalesce(i.pages, 0) * b.size",
      kinds, kMostTablesRead, ForgetStatisticsSql(server, "x.indexrelid"));
  for (const TableColumn& column : columns) sql.append(", ").append(column.sql);
  sql += ", " + ForgetStatisticsSql(server, "t.oid");
  sql +=
      " FROM t LEFT JOIN i ON i.indrelid = t.oid LEFT JOIN (SELECT c.oid,"
      " greatest(c.relpages, 0) + coalesce(i.pages, 0) AS pages, i.blocks_fetched, i.blocks_hit"
      " FROM pg_class c LEFT JOIN i ON i.indrelid = c.oid WHERE c.relkind = 't') x"
      " ON x.oid = t.reltoastrelid,"
      " (SELECT current_setting('block_size')::bigint AS size) b";
  return sql;
}

// What is shown of the tables: the rows of those chosen, and the sums of the others.
struct Tables {
  Rows rows;
  std::vector<int> chosen;  // Rows.
};

Result<Tables> ReadTables(SubjectRun& run, std::span<const TableColumn> columns,
                          std::string_view kinds, std::string_view collector) {
  TOCSIN_ASSIGN_OR_RETURN(Rows rows, run.Query(TableSql(run.server, columns, kinds)));
  std::vector<TopObjects::Object> objects;
  objects.reserve(static_cast<std::size_t>(rows.size()));
  for (int row = 0; row < rows.size(); ++row) {
    TopObjects::Object object{std::string(rows.Text(row, 0)), rows.Number(row, 4).value_or(0), {}};
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].type != MetricType::kCounter) continue;
      object.counters.push_back(rows.Number(row, kFirstNumber + static_cast<int>(i)).value_or(0));
    }
    objects.push_back(std::move(object));
  }
  const auto is_chosen = run.memory.objects.Choose(
      objects, run.ObjectLimit(run.options.table_limit), run.context.clock.SteadyNow());
  Tables tables{std::move(rows), {}};
  for (int row = 0; row < tables.rows.size(); ++row) {
    if (is_chosen[static_cast<std::size_t>(row)]) tables.chosen.push_back(row);
  }
  const auto left_out = run.out.Declare("tocsin_postgres_tables_left_out",
                                        "Tables without series of their own, because of the limit",
                                        MetricType::kGauge, {"datname", "collector"});
  run.out.Add(left_out, {run.server.database, collector},
              static_cast<double>(run.memory.objects.left_out()));
  return tables;
}

void ShowOthers(SubjectRun& run, std::span<const TableColumn> columns, std::string_view what,
                std::string_view word) {
  const auto& others = run.memory.objects.others();
  std::size_t counter = 0;
  for (const TableColumn& column : columns) {
    if (column.type != MetricType::kCounter || counter >= others.size()) continue;
    const auto family =
        run.out.Declare(fmt::format("tocsin_postgres_other_{}_{}_total", what,
                                    fmt::format(fmt::runtime(column.metric), word)),
                        fmt::format("{}; all tables without series of their own", column.help),
                        MetricType::kCounter, {"datname"});
    run.out.Add(family, {run.server.database}, others[counter++]);
  }
}

// What a table cannot have (scans of indexes, without any) is 0, and was NaN in 0.11.
void ShowColumn(SubjectRun& run, const Tables& tables, const TableColumn& column,
                const std::string& name, int place) {
  const auto family =
      run.out.Declare(name, column.help, column.type, {"datname", "schemaname", "relname"});
  const double absent = run.options.names == Names::k011 ? model::NormalNaN() : 0;
  for (const int row : tables.chosen) {
    run.out.Add(family,
                {tables.rows.Text(row, 1), tables.rows.Text(row, 2), tables.rows.Text(row, 3)},
                tables.rows.Number(row, place).value_or(absent));
  }
}

// As they are on the disk where that was read of late, else as the catalogue's page counts.
void ShowSizes(SubjectRun& run, const Tables& tables) {
  if (run.options.names == Names::k011) return;  // They came with 0.18; one sum with 0.14.
  const Rows& rows = tables.rows;
  std::vector<std::string> oids;
  for (const int row : tables.chosen) oids.emplace_back(rows.Text(row, 0));
  RefreshTableSizes(run, oids);
  run.memory.oldest.clear();

  struct Size {
    std::string_view name;
    std::string_view help;
    bool of_table;
    bool of_indexes;
    bool shown;
  };
  const Size sizes[] = {
      {"pg_stat_user_tables_table_size_bytes", "Total disk space used by this table, in bytes",
       true, false, run.HasNames(Names::k020)},
      {"pg_stat_user_tables_index_size_bytes",
       "Total disk space used by this table's indexes, in bytes", false, true,
       run.HasNames(Names::k020)},
      {"pg_stat_user_tables_size_bytes",
       "Total disk space used by this table with its indexes, in bytes", true, true,
       run.HasNames(Names::k015)}};
  for (const Size& size : sizes) {
    if (!size.shown) continue;
    const auto family = run.out.Declare(size.name, size.help, MetricType::kGauge,
                                        {"datname", "schemaname", "relname"});
    for (const int row : tables.chosen) {
      const auto exact = KnownTableSize(run, std::string(rows.Text(row, 0)));
      if (exact) AddRead(run.memory.oldest, "table_sizes", exact->read_at);
      const double table = exact ? exact->table : rows.Number(row, 5).value_or(0);
      const double indexes = exact ? exact->indexes : rows.Number(row, 6).value_or(0);
      run.out.Add(family, {rows.Text(row, 1), rows.Text(row, 2), rows.Text(row, 3)},
                  (size.of_table ? table : 0) + (size.of_indexes ? indexes : 0));
    }
  }
}

}  // namespace

Result<> CollectStatUserTables(SubjectRun& run) {
  if (!run.Shows(run.server.database)) return {};
  const std::string_view kinds = run.server.version >= 140'000 ? "'r', 'm', 'p'" : "'r', 'm'";
  TOCSIN_ASSIGN_OR_RETURN(const Tables tables,
                          ReadTables(run, kStatColumns, kinds, "stat_user_tables"));
  int place = kFirstNumber;
  for (const TableColumn& column : kStatColumns) {
    ShowColumn(run, tables, column, "pg_stat_user_tables_" + std::string(column.metric), place++);
  }
  ShowOthers(run, kStatColumns, "tables", {});
  ShowSizes(run, tables);
  return {};
}

Result<> CollectStatioUserTables(SubjectRun& run) {
  if (!run.Shows(run.server.database)) return {};
  TOCSIN_ASSIGN_OR_RETURN(const Tables tables,
                          ReadTables(run, kIoColumns, "'r', 'm'", "statio_user_tables"));
  // postgres_exporter says blocks, Debian's queries for 0.11 said blks.
  std::vector<std::string_view> words;
  if (run.options.names != Names::k011) words.push_back("blocks");
  if (run.HasNames(Names::k011)) words.push_back("blks");
  for (const auto word : words) {
    int place = kFirstNumber;
    for (const TableColumn& column : kIoColumns) {
      ShowColumn(run, tables, column,
                 "pg_statio_user_tables_" + fmt::format(fmt::runtime(column.metric), word),
                 place++);
    }
  }
  ShowOthers(run, kIoColumns, "tables", "blocks");
  return {};
}

}  // namespace tocsin::collectors::postgres
