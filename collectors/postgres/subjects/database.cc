#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

Result<> CollectDatabase(SubjectRun& run) {
  if (run.options.names == Names::k011) return {};  // It came with 0.16.
  const auto limit = run.out.Declare("pg_database_connection_limit",
                                     "Connections the database allows at once, -1 for no limit",
                                     model::MetricType::kGauge, {"datname"});
  for (const Database& database : run.databases) {
    run.out.Add(limit, {database.name}, database.connection_limit);
  }
  return {};
}

}  // namespace tocsin::collectors::postgres
