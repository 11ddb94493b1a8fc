#include <string>
#include <vector>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

using model::MetricType;

// As with tables: nothing here opens, or waits for, a relation of the user's. The order is
// made before the statistics are read, so that they can be forgotten on the way.
std::string IndexesSql(const ServerFacts& server) {
  return "WITH x AS MATERIALIZED (SELECT c.oid, n.nspname, t.relname AS of_table, c.relname,"
         " c.relpages FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
         " JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace"
         " WHERE t.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
         " AND n.nspname !~ '^pg_toast' ORDER BY c.relpages DESC, c.oid LIMIT 50000)"
         " SELECT x.oid, x.nspname, x.of_table, x.relname,"
         " greatest(x.relpages, 0) * current_setting('block_size')::bigint,"
         " pg_stat_get_numscans(x.oid), pg_stat_get_tuples_returned(x.oid),"
         " pg_stat_get_tuples_fetched(x.oid),"
         " pg_stat_get_blocks_fetched(x.oid) - pg_stat_get_blocks_hit(x.oid),"
         " pg_stat_get_blocks_hit(x.oid), " +
         ForgetStatisticsSql(server, "x.oid") + " FROM x";
}
constexpr int kFirstNumber = 4;

struct IndexColumn {
  std::string_view metric;
  int place;  // In the answer.
  std::string_view help;
  MetricType type = MetricType::kCounter;
};

constexpr IndexColumn kInfoColumns[] = {
    {"pg_general_index_info_pg_relation_size", 4,
     "Disk space used by the index, as of the last vacuum or analyze, in bytes",
     MetricType::kGauge},
    {"pg_general_index_info_idx_scan", 5, "Number of index scans initiated on this index"},
    {"pg_general_index_info_idx_tup_read", 6, "Number of index entries returned by scans"},
    {"pg_general_index_info_idx_tup_fetch", 7,
     "Number of live table rows fetched by simple index scans"},
};
constexpr IndexColumn kIoColumns[] = {
    {"pg_statio_user_indexes_idx_blks_read_total", 8, "Number of disk blocks read from this index"},
    {"pg_statio_user_indexes_idx_blks_hit_total", 9, "Number of buffer hits in this index"},
};

Result<> CollectIndexes(SubjectRun& run, std::span<const IndexColumn> columns, bool with_database,
                        std::string_view collector) {
  TOCSIN_ASSIGN_OR_RETURN(const Rows rows, run.Query(IndexesSql(run.server)));
  std::vector<TopObjects::Object> objects;
  for (int row = 0; row < rows.size(); ++row) {
    TopObjects::Object object{
        std::string(rows.Text(row, 0)), rows.Number(row, kFirstNumber).value_or(0), {}};
    for (const IndexColumn& column : columns) {
      if (column.type == MetricType::kCounter) {
        object.counters.push_back(rows.Number(row, column.place).value_or(0));
      }
    }
    objects.push_back(std::move(object));
  }
  TopObjects& top = run.memory.objects;
  const auto chosen =
      top.Choose(objects, run.ObjectLimit(run.options.index_limit), run.context.clock.SteadyNow());

  constexpr std::string_view kLabels[] = {"datname", "schemaname", "relname", "indexrelname"};
  const std::size_t skipped = with_database ? 0 : 1;
  std::size_t counter = 0;
  for (const IndexColumn& column : columns) {
    const auto family = run.out.Declare(column.metric, column.help, column.type,
                                        Emitter::LabelValues(kLabels).subspan(skipped));
    for (int row = 0; row < rows.size(); ++row) {
      if (!chosen[static_cast<std::size_t>(row)]) continue;
      const std::string_view values[] = {run.server.database, rows.Text(row, 1), rows.Text(row, 2),
                                         rows.Text(row, 3)};
      run.out.Add(family, Emitter::LabelValues(values).subspan(skipped),
                  rows.Number(row, column.place).value_or(0));
    }
    if (column.type != MetricType::kCounter || counter >= top.others().size()) continue;
    std::string name(column.metric.substr(column.metric.find("idx_")));
    if (!name.ends_with("_total")) name += "_total";
    const auto others =
        run.out.Declare("tocsin_postgres_other_indexes_" + name,
                        std::string(column.help) + "; all indexes without series of their own",
                        MetricType::kCounter, {"datname"});
    run.out.Add(others, {run.server.database}, top.others()[counter++]);
  }
  const auto left_out = run.out.Declare("tocsin_postgres_indexes_left_out",
                                        "Indexes without series of their own, because of the limit",
                                        MetricType::kGauge, {"datname", "collector"});
  run.out.Add(left_out, {run.server.database, collector}, static_cast<double>(top.left_out()));
  return {};
}

}  // namespace

// The names that popular rules about unused and large indexes ask for.
Result<> CollectGeneralIndexInfo(SubjectRun& run) {
  if (!run.Shows(run.server.database)) return {};
  return CollectIndexes(run, kInfoColumns, true, "general_index_info");
}

// postgres_exporter's labels do not name the database: only the one connected to.
Result<> CollectStatioUserIndexes(SubjectRun& run) {
  return CollectIndexes(run, kIoColumns, false, "statio_user_indexes");
}

}  // namespace tocsin::collectors::postgres
