#include <string>

#include "collectors/postgres/wraparound.h"

namespace tocsin::collectors::postgres {
namespace {

// Of each kind the oldest: the kind, the age, the name.
constexpr std::string_view kHoldersSql =
    "SELECT DISTINCT ON (holder) holder, age, name FROM"
    " (SELECT 'session' AS holder, greatest(age(backend_xmin), age(backend_xid)) AS age,"
    "  CASE WHEN xact_start < now() - interval '10 s' THEN pid::text END AS name,"
    "  xact_start AS since FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    "  AND backend_type IS DISTINCT FROM 'walsender'"
    " UNION ALL SELECT 'replica', age(backend_xmin), pid::text, backend_start"
    "  FROM pg_stat_replication"
    " UNION ALL SELECT 'replication_slot', greatest(age(xmin), age(catalog_xmin)), slot_name, NULL"
    "  FROM pg_replication_slots"
    " UNION ALL SELECT 'prepared_transaction', age(transaction), gid, prepared"
    "  FROM pg_prepared_xacts"
    " UNION ALL VALUES ('session', 0, NULL, NULL::timestamptz), ('replica', 0, NULL, NULL),"
    "  ('replication_slot', 0, NULL, NULL), ('prepared_transaction', 0, NULL, NULL)) AS holders"
    " ORDER BY holder, age DESC NULLS LAST, since, name";

}  // namespace

// Who holds back vacuum: the age of the oldest transaction that each kind of holder keeps
// rows for, and which of them that is. A kind that holds nothing is 0. Names have a family
// of their own, so that an alert on the age stays the same one when another holder is the
// oldest; sessions come and go, and those that hold nothing up are not named.
Result<> CollectXmin(SubjectRun& run) {
  TOCSIN_ASSIGN_OR_RETURN(const Rows holders, run.Query(std::string(kHoldersSql)));
  const auto age =
      run.out.Declare("tocsin_postgres_xmin_age_transactions",
                      "Transactions since the oldest one that this kind of holder keeps rows for",
                      model::MetricType::kGauge, {"holder"});
  const auto oldest = run.out.Declare(
      "tocsin_postgres_xmin_oldest_holder_age_transactions",
      "The same, with the name of the oldest: a slot's, a prepared transaction's gid, the pid of "
      "a replica's sender or of a session whose transaction is ten seconds old",
      model::MetricType::kGauge, {"holder", "name"});
  for (int row = 0; row < holders.size(); ++row) {
    const double transactions = holders.Number(row, 1).value_or(0);
    run.out.Add(age, {holders.Text(row, 0)}, transactions);
    if (holders.IsNull(row, 2)) continue;
    run.out.Add(oldest, {holders.Text(row, 0), holders.Text(row, 2)}, transactions);
  }
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
