#include <string>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

// Without pg_monitor the columns are NULL; without a receiver there is no row. A link that
// hangs leaves the status as it was: a receiver asks its primary for a sign of life once it
// has heard nothing for half of wal_receiver_timeout, and gives up after the whole of it. At
// three quarters (45 s by default) the question is overdue. With a time-out of 0 it never asks,
// and silence says nothing.
constexpr std::string_view kReceives =
    "EXISTS (SELECT FROM pg_stat_wal_receiver WHERE coalesce(status, 'streaming') = 'streaming'"
    " AND (current_setting('wal_receiver_timeout') = '0' OR coalesce(clock_timestamp()"
    " - last_msg_receipt_time < 0.75 * current_setting('wal_receiver_timeout')::interval, true)))";

}  // namespace

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
          " greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp())),"
          " " +
          std::string(kReceives)));
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
  // The lag that is true when the receiver, or its link, is dead: then what was replayed last only
  // ages.
  const bool is_replica = rows.Number(0, 1).value_or(0) != 0;
  const bool receives = rows.Number(0, 3).value_or(0) != 0;
  const auto age = is_replica && !receives ? rows.Number(0, 2) : lag;
  if (age) {  // Else nothing was replayed yet: nobody knows.
    run.out.Gauge("tocsin_postgres_replication_lag_seconds",
                  "Age of the last replayed transaction, 0 only while the replica hears from its "
                  "primary and has replayed all",
                  *age);
  }
  if (is_replica) {
    run.out.Gauge("tocsin_postgres_replication_receiving",
                  "Whether the replica is connected to its primary, streams, and hears from it",
                  receives ? 1 : 0);
  }
  return {};
}

}  // namespace tocsin::collectors::postgres
