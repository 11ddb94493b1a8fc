#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

// The lag is postgres_exporter's: 0 when all that was received is replayed, also
// when nothing is received any more.
Result<> CollectReplication(SubjectRun& run) {
  TOCSIN_ASSIGN_OR_RETURN(
      const Rows rows,
      run.Query(
          "SELECT CASE WHEN NOT pg_is_in_recovery() THEN 0"
          " WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0"
          " ELSE greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp())) END,"
          " pg_is_in_recovery(),"
          " greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp()))"));
  if (rows.size() != 1) return Error{ErrorCode::kCorruption, "no answer"};
  const double lag = rows.Number(0, 0).value_or(0);
  constexpr std::string_view kLagHelp = "Replication lag behind master in seconds";
  if (run.options.names != Names::k011) {
    run.out.Gauge("pg_replication_lag_seconds", kLagHelp, lag);
  }
  if (run.HasNames(Names::k011)) run.out.Gauge("pg_replication_lag", kLagHelp, lag);
  run.out.Gauge("pg_replication_is_replica", "Indicates if the server is a replica",
                rows.Number(0, 1).value_or(0));
  if (run.HasNames(Names::k020)) {
    run.out.Gauge("pg_replication_last_replay_seconds", "Age of last transaction in seconds",
                  rows.Number(0, 2).value_or(0));
  }
  return {};
}

}  // namespace tocsin::collectors::postgres
