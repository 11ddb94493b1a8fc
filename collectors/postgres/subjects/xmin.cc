#include "collectors/postgres/subject.h"

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
  static const Select current{.labels = {},
                              .values = {{.metric = "pg_txid_current",
                                          .sql = "txid_snapshot_xmax(txid_current_snapshot())",
                                          .help = "The next transaction number, with its epoch"}},
                              .from = "(SELECT 1) AS once"};
  return CollectSelect(run, current);
}

}  // namespace tocsin::collectors::postgres
