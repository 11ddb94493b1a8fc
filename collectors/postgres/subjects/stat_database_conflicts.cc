#include "collectors/postgres/other_databases.h"

namespace tocsin::collectors::postgres {
namespace {

using model::MetricType;

struct Conflict {
  std::string_view metric;
  std::string_view column;
  std::string_view help;
  MetricType type = MetricType::kCounter;
};
constexpr Conflict kConflicts[] = {
    {"pg_stat_database_conflicts_confl_tablespace", "confl_tablespace",
     "Number of queries in this database that have been canceled due to dropped tablespaces"},
    {"pg_stat_database_conflicts_confl_lock", "confl_lock",
     "Number of queries in this database that have been canceled due to lock timeouts"},
    {"pg_stat_database_conflicts_confl_snapshot", "confl_snapshot",
     "Number of queries in this database that have been canceled due to old snapshots"},
    {"pg_stat_database_conflicts_confl_bufferpin", "confl_bufferpin",
     "Number of queries in this database that have been canceled due to pinned buffers"},
    {"pg_stat_database_conflicts_confl_deadlock", "confl_deadlock",
     "Number of queries in this database that have been canceled due to deadlocks"},
    {"pg_stat_database_conflicts_confl_active_logicalslot", "confl_active_logicalslot",
     "Number of uses of logical slots in this database that have been canceled",
     MetricType::kUnknown},
};

}  // namespace

// Of postgres_exporter's old kind even in 0.20: see Emitter.
Result<> CollectStatDatabaseConflicts(SubjectRun& run) {
  std::string columns = "SELECT datid, datname";
  std::vector<const Conflict*> known;
  for (const Conflict& conflict : kConflicts) {
    if (!run.server.Has("pg_stat_database_conflicts." + std::string(conflict.column))) continue;
    known.push_back(&conflict);
    columns.append(", ").append(conflict.column);
  }
  TOCSIN_ASSIGN_OR_RETURN(const Rows rows, run.Query(columns + " FROM pg_stat_database_conflicts"));
  std::vector<DatabaseCounter> counters;
  for (std::size_t i = 0; i < known.size(); ++i) {
    const Conflict& conflict = *known[i];
    const int place = 2 + static_cast<int>(i);
    counters.push_back({conflict.metric, conflict.help, place});
    const auto family =
        run.out.Declare(conflict.metric, conflict.help, conflict.type, {"datid", "datname"});
    for (int row = 0; row < rows.size(); ++row) {
      const auto name = rows.Text(row, 1);
      if (!run.Shows(name)) continue;
      run.out.Add(family, {rows.Text(row, 0), name}, rows.Number(row, place).value_or(0));
    }
  }
  CountOtherDatabases(run, rows, counters);
  return {};
}

}  // namespace tocsin::collectors::postgres
