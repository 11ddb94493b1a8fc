#include "collectors/postgres/wraparound.h"

namespace tocsin::collectors::postgres {

Result<> CollectDatabaseWraparound(SubjectRun& run) {
  const auto xid = run.out.Declare(
      "pg_database_wraparound_age_datfrozenxid_seconds",
      "Transactions since the oldest unfrozen one of the database (a count, not seconds)",
      model::MetricType::kGauge, {"datname"});
  const auto multixact =
      run.out.Declare("pg_database_wraparound_age_datminmxid_seconds",
                      "Multixacts since the oldest one of the database (a count, not seconds)",
                      model::MetricType::kGauge, {"datname"});
  for (const Database& database : run.databases) {
    if (!database.allows_connections) continue;
    run.out.Add(xid, {database.name}, database.xid_age);
    run.out.Add(multixact, {database.name}, database.multixact_age);
  }
  if (run.databases.empty()) return {};
  ShowWraparoundDays(
      run, "tocsin_postgres_multixact_wraparound_days_left",
      "Days until the database's oldest multixact is so old that nothing can be written any "
      "more, at the present rate and without a vacuum",
      run.databases.front().next_multixact, &Database::multixact_age);
  return {};
}

}  // namespace tocsin::collectors::postgres
