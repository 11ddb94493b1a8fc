#include <fmt/format.h>

#include <cmath>

#include "collectors/postgres/relations.h"
#include "collectors/postgres/table_sizes.h"
#include "daemon/model/sample.h"

namespace tocsin::collectors::postgres {
namespace {

using model::MetricType;

constexpr std::size_t kMostTablesRead = 50'000;
constexpr std::size_t kFirstColumn = 1;  // Of the numbers: the first is the weight.

struct TableColumn {
  std::string_view metric;
  std::string_view sql;  // Over t (the table), i (its indexes), x (those of its TOAST table).
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

constexpr std::string_view kStatJoins =
    "LEFT JOIN LATERAL (SELECT sum(pg_stat_get_numscans(indexrelid)) AS scans,"
    " sum(pg_stat_get_tuples_fetched(indexrelid)) AS fetched"
    " FROM pg_index WHERE indrelid = t.oid) i ON true";

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

constexpr std::string_view kIoJoins =
    "LEFT JOIN LATERAL (SELECT sum(pg_stat_get_blocks_fetched(indexrelid)) AS blocks_fetched,"
    " sum(pg_stat_get_blocks_hit(indexrelid)) AS blocks_hit"
    " FROM pg_index WHERE indrelid = t.oid) i ON true"
    " LEFT JOIN LATERAL (SELECT sum(pg_stat_get_blocks_fetched(indexrelid)) AS blocks_fetched,"
    " sum(pg_stat_get_blocks_hit(indexrelid)) AS blocks_hit"
    " FROM pg_index WHERE indrelid = t.reltoastrelid) x ON true";

using Tables = std::vector<Relation>;  // Names: the schema's, the table's.

Result<Tables> ReadTables(SubjectRun& run, std::span<const TableColumn> columns,
                          std::string_view joins, std::string_view kinds,
                          std::string_view collector) {
  RelationQuery query{.kinds = kinds,
                      .most_tables = kMostTablesRead,
                      .columns = "t.oid, t.nspname, t.relname, t.relpages",
                      .joins = joins,
                      .names = 2,
                      .numbers = kFirstColumn + columns.size()};
  for (std::size_t i = 0; i < columns.size(); ++i) {
    query.columns.append(", ").append(columns[i].sql);
    if (columns[i].type == MetricType::kCounter) query.counters.push_back(kFirstColumn + i);
  }
  TOCSIN_ASSIGN_OR_RETURN(Tables tables, ReadRelations(run, query, run.options.table_limit));
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
                const std::string& name, std::size_t place) {
  const auto family =
      run.out.Declare(name, column.help, column.type, {"datname", "schemaname", "relname"});
  const double absent = run.options.names == Names::k011 ? model::NormalNaN() : 0;
  for (const Relation& table : tables) {
    const double value = table.numbers[place];
    run.out.Add(family, {run.server.database, table.names[0], table.names[1]},
                std::isnan(value) ? absent : value);
  }
}

Result<> ShowSizes(SubjectRun& run, const Tables& tables) {
  if (run.options.names == Names::k011) return {};  // They came with 0.18; one sum with 0.14.
  std::vector<std::string> oids;
  for (const Relation& table : tables) oids.push_back(table.oid);
  TOCSIN_ASSIGN_OR_RETURN(const TableSizes sizes, ReadTableSizes(run, oids));
  run.memory.oldest.clear();
  for (const auto& [oid, size] : sizes) {
    if (size.read_at) AddRead(run.memory.oldest, "table_sizes", *size.read_at);
  }

  struct Family {
    std::string_view name;
    std::string_view help;
    bool of_table;
    bool of_indexes;
    bool shown;
  };
  const Family families[] = {
      {"pg_stat_user_tables_table_size_bytes", "Total disk space used by this table, in bytes",
       true, false, run.HasNames(Names::k020)},
      {"pg_stat_user_tables_index_size_bytes",
       "Total disk space used by this table's indexes, in bytes", false, true,
       run.HasNames(Names::k020)},
      {"pg_stat_user_tables_size_bytes",
       "Total disk space used by this table with its indexes, in bytes", true, true,
       run.HasNames(Names::k015)}};
  for (const Family& one : families) {
    if (!one.shown) continue;
    const auto family = run.out.Declare(one.name, one.help, MetricType::kGauge,
                                        {"datname", "schemaname", "relname"});
    for (const Relation& table : tables) {
      const auto size = sizes.find(table.oid);
      if (size == sizes.end()) continue;
      run.out.Add(
          family, {run.server.database, table.names[0], table.names[1]},
          (one.of_table ? size->second.table : 0) + (one.of_indexes ? size->second.indexes : 0));
    }
  }
  return {};
}

}  // namespace

Result<> CollectStatUserTables(SubjectRun& run) {
  if (!run.Shows(run.server.database)) return {};
  const std::string_view kinds = run.server.version >= 140'000 ? "'r', 'm', 'p'" : "'r', 'm'";
  TOCSIN_ASSIGN_OR_RETURN(const Tables tables,
                          ReadTables(run, kStatColumns, kStatJoins, kinds, "stat_user_tables"));
  std::size_t place = kFirstColumn;
  for (const TableColumn& column : kStatColumns) {
    ShowColumn(run, tables, column, "pg_stat_user_tables_" + std::string(column.metric), place++);
  }
  ShowOthers(run, kStatColumns, "tables", {});
  return ShowSizes(run, tables);
}

Result<> CollectStatioUserTables(SubjectRun& run) {
  if (!run.Shows(run.server.database)) return {};
  TOCSIN_ASSIGN_OR_RETURN(const Tables tables,
                          ReadTables(run, kIoColumns, kIoJoins, "'r', 'm'", "statio_user_tables"));
  // postgres_exporter says blocks, Debian's queries for 0.11 said blks.
  std::vector<std::string_view> words;
  if (run.options.names != Names::k011) words.push_back("blocks");
  if (run.HasNames(Names::k011)) words.push_back("blks");
  for (const auto word : words) {
    std::size_t place = kFirstColumn;
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
