#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

// Several workers on tables of one name are one series: the one that began first.
Result<> CollectStatActivityAutovacuum(SubjectRun& run) {
  static const Select select{
      .labels = {{"relname", "split_part(query, '.', 2)"}},
      .values = {{.metric = "pg_stat_activity_autovacuum_timestamp_seconds",
                  .sql = "min(extract(epoch FROM xact_start))",
                  .help = "Start of the autovacuum of the table, in seconds since 1970"}},
      .from = "pg_stat_activity WHERE query LIKE 'autovacuum:%' GROUP BY 1"};
  return CollectSelect(run, select);
}

}  // namespace tocsin::collectors::postgres
