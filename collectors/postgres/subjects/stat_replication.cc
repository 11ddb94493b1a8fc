#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

// Several senders of one name and state are one series: the one farthest behind. Before
// 0.20 the address had no netmask, the slot's name was the process id, and a column that
// was not known was shown.
Result<> CollectStatReplication(SubjectRun& run) {
  const bool is_old = run.IsBefore020();
  const IfNull if_null = is_old ? IfNull::kNaN : IfNull::kSkip;
  Select select{
      .labels = {{"application_name", "application_name"},
                 {"client_addr", is_old ? "host(client_addr)" : "client_addr::text"},
                 {"state", "state"},
                 {"slot_name", is_old ? "r.pid::text" : "slot_name"}},
      .values = {{.metric = "pg_stat_replication_pg_current_wal_lsn_bytes",
                  .sql = "max(pg_wal_lsn_diff(current.lsn, '0/0'))",
                  .help = "WAL position in bytes",
                  .if_null = if_null},
                 {.metric = "pg_stat_replication_pg_wal_lsn_diff",
                  .sql = "max(pg_wal_lsn_diff(current.lsn, r.replay_lsn))",
                  .help = "Lag in bytes between master and slave",
                  .if_null = if_null}},
      .from =
          "pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid,"
          " LATERAL (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn()"
          " ELSE pg_current_wal_lsn() END AS lsn) current"
          " GROUP BY 1, 2, 3, 4"};
  if (is_old) {
    select.values.push_back({.metric = "pg_stat_replication_reply_time",
                             .type = model::MetricType::kUnknown,
                             .sql = "max(floor(extract(epoch FROM reply_time)))",
                             .help = "As the column of pg_stat_replication",
                             .needs = "pg_stat_replication.reply_time",
                             .if_null = IfNull::kNaN});
  }
  return CollectSelect(run, select);
}

}  // namespace tocsin::collectors::postgres
