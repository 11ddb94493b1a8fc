#include "collectors/postgres/wraparound.h"

namespace tocsin::collectors::postgres {

// Who holds back vacuum: the age of the oldest transaction each kind of holder
// keeps rows for. A kind that holds nothing is 0.
Result<> CollectXmin(SubjectRun& run) {
  static const Select holders{
      .labels = {{"holder", "holder"}},
      .values = {{.metric = "tocsin_postgres_xmin_age_transactions",
                  .sql = "coalesce(max(age), 0)",
                  .help = "Transactions since the oldest one that this kind of holder keeps rows "
                          "for"}},
      .from =
          "(SELECT 'session' AS holder, greatest(age(backend_xmin), age(backend_xid)) AS age"
          " FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
          " UNION ALL SELECT 'replica', age(backend_xmin) FROM pg_stat_replication"
          " UNION ALL SELECT 'replication_slot', greatest(age(xmin), age(catalog_xmin))"
          " FROM pg_replication_slots"
          " UNION ALL SELECT 'prepared_transaction', age(transaction) FROM pg_prepared_xacts"
          " UNION ALL VALUES ('session', 0), ('replica', 0), ('replication_slot', 0),"
          " ('prepared_transaction', 0)) AS holders GROUP BY holder"};
  TOCSIN_RETURN_IF_ERROR(CollectSelect(run, holders));
  // The name that popular rules ask for; reading it takes no transaction number.
  TOCSIN_ASSIGN_OR_RETURN(const Rows rows,
                          run.Query("SELECT txid_snapshot_xmax(txid_current_snapshot())"));
  const auto next = rows.Number(0, 0);
  if (!next) return Error{ErrorCode::kCorruption, "no answer"};
  run.out.Gauge("pg_txid_current", "The next transaction number, with its epoch", *next);
  ShowWraparoundDays(
      run, "tocsin_postgres_wraparound_days_left",
      "Days until the database's oldest transaction is so old that nothing can be written any "
      "more, at the present rate and without a vacuum",
      *next, &Database::xid_age);
  return {};
}

}  // namespace tocsin::collectors::postgres
