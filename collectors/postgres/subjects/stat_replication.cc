#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

// Several senders of one name and state are one series: the one farthest behind.
Result<> CollectStatReplication(SubjectRun& run) {
  static const Select select{
      .labels = {{"application_name", "application_name"},
                 {"client_addr", "client_addr::text"},
                 {"state", "state"},
                 {"slot_name", "slot_name"}},
      .values = {{.metric = "pg_stat_replication_pg_current_wal_lsn_bytes",
                  .sql = "max(pg_wal_lsn_diff(current.lsn, '0/0'))",
                  .help = "WAL position in bytes"},
                 {.metric = "pg_stat_replication_pg_wal_lsn_diff",
                  .sql = "max(pg_wal_lsn_diff(current.lsn, r.replay_lsn))",
                  .help = "Lag in bytes between master and slave"}},
      .from =
          "pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid,"
          " LATERAL (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn()"
          " ELSE pg_current_wal_lsn() END AS lsn) current"
          " GROUP BY application_name, client_addr::text, state, slot_name"};
  return CollectSelect(run, select);
}

}  // namespace tocsin::collectors::postgres
