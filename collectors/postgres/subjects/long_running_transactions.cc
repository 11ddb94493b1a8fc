#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

Result<> CollectLongRunningTransactions(SubjectRun& run) {
  static const Select select{
      .labels = {},
      .values = {{.metric = "pg_long_running_transactions",
                  .sql = "count(*)",
                  .help = "Current number of long running transactions"},
                 {.metric = "pg_long_running_transactions_oldest_timestamp_seconds",
                  .sql = "coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)",
                  .help = "Age of the oldest of them (seconds, not a point in time)"}},
      .from =
          "pg_stat_activity WHERE state IS DISTINCT FROM 'idle' AND xact_start IS NOT NULL"
          " AND query NOT LIKE 'autovacuum:%' AND pid <> pg_backend_pid()"};
  return CollectSelect(run, select);
}

}  // namespace tocsin::collectors::postgres
