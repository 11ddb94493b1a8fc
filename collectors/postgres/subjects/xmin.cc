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
  ShowDaysLeft(run, *next);
  return {};
}

}  // namespace tocsin::collectors::postgres
