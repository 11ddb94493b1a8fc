#include <string>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

using model::MetricType;

constexpr std::string_view kPhases[] = {
    "initializing",        "scanning heap",   "vacuuming indexes",       "vacuuming heap",
    "cleaning up indexes", "truncating heap", "performing final cleanup"};

struct Progress {
  std::string_view metric;
  std::string_view help;
};
constexpr Progress kProgress[] = {
    // The second parameter and those after it.
    {"pg_stat_progress_vacuum_heap_blks", "Blocks of the table when the vacuum began"},
    {"pg_stat_progress_vacuum_heap_blks_scanned", "Blocks of the table scanned"},
    {"pg_stat_progress_vacuum_heap_blks_vacuumed", "Blocks of the table vacuumed"},
    {"pg_stat_progress_vacuum_index_vacuums", "Completed passes over the indexes"},
    {"pg_stat_progress_vacuum_max_dead_tuples",
     "Dead rows that fit in memory before a pass over the indexes (bytes since PostgreSQL 17)"},
    {"pg_stat_progress_vacuum_num_dead_tuples",
     "Dead rows collected since the last pass over the indexes (bytes since PostgreSQL 17)"},
};

// The name of a table is known in its own database only; elsewhere it is its number.
// Of another role's vacuum it may be hidden: nothing is told then.
constexpr std::string_view kSql =
    "SELECT d.datname, coalesce((SELECT CASE WHEN n.nspname = 'public' THEN c.relname::text"
    "  ELSE n.nspname || '.' || c.relname END FROM pg_class c"
    "  JOIN pg_namespace n ON n.oid = c.relnamespace"
    "  WHERE c.oid = s.relid AND d.datname = current_database()), s.relid::text),"
    " s.param1, s.param2, s.param3, s.param4, s.param5, s.param6, s.param7"
    " FROM pg_stat_get_progress_info('VACUUM') s JOIN pg_database d ON d.oid = s.datid"
    " WHERE s.relid IS NOT NULL";

}  // namespace

Result<> CollectStatProgressVacuum(SubjectRun& run) {
  TOCSIN_ASSIGN_OR_RETURN(const Rows rows, run.Query(std::string(kSql)));
  const auto phases =
      run.out.Declare("pg_stat_progress_vacuum_phase", "1 for the phase that the vacuum is in",
                      MetricType::kGauge, {"datname", "relname", "phase"});
  for (int row = 0; row < rows.size(); ++row) {
    if (!run.Shows(rows.Text(row, 0))) continue;
    for (std::size_t phase = 0; phase < std::size(kPhases); ++phase) {
      run.out.Add(phases, {rows.Text(row, 0), rows.Text(row, 1), kPhases[phase]},
                  rows.Number(row, 2) == static_cast<double>(phase) ? 1 : 0);
    }
  }
  int place = 3;
  for (const Progress& progress : kProgress) {
    const auto family =
        run.out.Declare(progress.metric, progress.help, MetricType::kGauge, {"datname", "relname"});
    for (int row = 0; row < rows.size(); ++row) {
      const auto value = rows.Number(row, place);
      if (!value || !run.Shows(rows.Text(row, 0))) continue;
      run.out.Add(family, {rows.Text(row, 0), rows.Text(row, 1)}, *value);
    }
    ++place;
  }
  return {};
}

}  // namespace tocsin::collectors::postgres
