#include <algorithm>
#include <chrono>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

// Transactions until PostgreSQL takes no more writes: it stops three million early.
constexpr double kMostAge = 2'147'483'648.0 - 3'000'000;
// The rate is that of the last six to twelve hours, from ten minutes on.
constexpr hours kRateOver{6};
constexpr minutes kLeastTime{10};

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

// Nothing as long as no transaction number is used: then it never comes to it.
void ShowDaysLeft(SubjectRun& run, double next) {
  const SteadyTime now = run.context.clock.SteadyNow();
  auto& seen = run.memory.values;
  const auto [newer, is_first] = seen.try_emplace("newer", SubjectMemory::Value{next, now});
  if (is_first || next < newer->second.value) {  // Another server has taken its place.
    newer->second = {next, now};
    seen.insert_or_assign("older", newer->second);
  } else if (now - newer->second.read_at >= kRateOver) {
    seen.insert_or_assign("older", newer->second);
    seen.insert_or_assign("newer", SubjectMemory::Value{next, now});
  }
  const SubjectMemory::Value& since = seen.at("older");
  if (now - since.read_at < kLeastTime || next <= since.value) return;
  const double per_day = (next - since.value) / ToSeconds(now - since.read_at) * 86'400;
  const auto family = run.out.Declare(
      "tocsin_postgres_wraparound_days_left",
      "Days until the database's oldest transaction is so old that nothing can be written any "
      "more, at the present rate and without a vacuum",
      model::MetricType::kGauge, {"datname"});
  for (const Database& database : run.databases) {
    run.out.Add(family, {database.name}, std::max(kMostAge - database.xid_age, 0.0) / per_day);
  }
}

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
  ShowDaysLeft(run, *next);
  return {};
}

}  // namespace tocsin::collectors::postgres
