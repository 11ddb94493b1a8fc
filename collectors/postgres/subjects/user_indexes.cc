#include <cmath>
#include <string>
#include <vector>

#include "collectors/postgres/relations.h"

namespace tocsin::collectors::postgres {
namespace {

using model::MetricType;

// Some fifty thousand indexes.
constexpr std::size_t kMostTablesRead = 25'000;

constexpr const char* kColumns =
    "x.oid, t.nspname, t.relname, x.relname,"
    " greatest(x.relpages, 0) * current_setting('block_size')::bigint,"
    " pg_stat_get_numscans(x.oid), pg_stat_get_tuples_returned(x.oid),"
    " pg_stat_get_tuples_fetched(x.oid),"
    " pg_stat_get_blocks_fetched(x.oid) - pg_stat_get_blocks_hit(x.oid),"
    " pg_stat_get_blocks_hit(x.oid)";
constexpr std::size_t kNumbers = 6;
// OFFSET: looked for table by table, and not all indexes for those of a thousand tables.
constexpr std::string_view kJoins =
    "LEFT JOIN LATERAL (SELECT c.oid, c.relname, c.relpages FROM pg_index i"
    " JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = t.oid OFFSET 0) x ON true";

struct IndexColumn {
  std::string_view metric;
  std::size_t number;
  std::string_view help;
  MetricType type = MetricType::kCounter;
};

constexpr IndexColumn kInfoColumns[] = {
    {"pg_general_index_info_pg_relation_size", 0,
     "Disk space used by the index, as of the last vacuum or analyze, in bytes",
     MetricType::kGauge},
    {"pg_general_index_info_idx_scan", 1, "Number of index scans initiated on this index"},
    {"pg_general_index_info_idx_tup_read", 2, "Number of index entries returned by scans"},
    {"pg_general_index_info_idx_tup_fetch", 3,
     "Number of live table rows fetched by simple index scans"},
};
constexpr IndexColumn kIoColumns[] = {
    {"pg_statio_user_indexes_idx_blks_read_total", 4, "Number of disk blocks read from this index"},
    {"pg_statio_user_indexes_idx_blks_hit_total", 5, "Number of buffer hits in this index"},
};

Result<> CollectIndexes(SubjectRun& run, std::span<const IndexColumn> columns, bool with_database,
                        std::string_view collector) {
  RelationQuery query{.kinds = "'r', 'm'",
                      .most_tables = kMostTablesRead,
                      .columns = std::string(kColumns),
                      .joins = kJoins,
                      .names = 3,
                      .numbers = kNumbers};
  for (const IndexColumn& column : columns) {
    if (column.type == MetricType::kCounter) query.counters.push_back(column.number);
  }
  TOCSIN_ASSIGN_OR_RETURN(const auto indexes, ReadRelations(run, query, run.options.index_limit));

  constexpr std::string_view kLabels[] = {"datname", "schemaname", "relname", "indexrelname"};
  const std::size_t skipped = with_database ? 0 : 1;
  const TopObjects& top = run.memory.objects;
  std::size_t counter = 0;
  for (const IndexColumn& column : columns) {
    const auto family = run.out.Declare(column.metric, column.help, column.type,
                                        Emitter::LabelValues(kLabels).subspan(skipped));
    for (const Relation& index : indexes) {
      const std::string_view values[] = {run.server.database, index.names[0], index.names[1],
                                         index.names[2]};
      const double value = index.numbers[column.number];
      run.out.Add(family, Emitter::LabelValues(values).subspan(skipped),
                  std::isnan(value) ? 0 : value);
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
