#include <map>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

// One that nobody ends holds locks and rows for ever. Databases without any show 0.
Result<> CollectPreparedTransactions(SubjectRun& run) {
  TOCSIN_ASSIGN_OR_RETURN(
      const Rows rows,
      run.Query("SELECT database, count(*), max(extract(epoch FROM now() - prepared))"
                " FROM pg_prepared_xacts GROUP BY database"));
  std::map<std::string_view, int> row_of;
  for (int row = 0; row < rows.size(); ++row) row_of[rows.Text(row, 0)] = row;
  const auto count = run.out.Declare("tocsin_postgres_prepared_transactions",
                                     "Transactions that are prepared for a two-phase commit",
                                     model::MetricType::kGauge, {"datname"});
  const auto oldest = run.out.Declare("tocsin_postgres_prepared_transactions_oldest_seconds",
                                      "How long ago the oldest of them was prepared",
                                      model::MetricType::kGauge, {"datname"});
  for (const Database& database : run.databases) {
    const auto found = row_of.find(database.name);
    const int row = found == row_of.end() ? -1 : found->second;  // No such row: 0.
    run.out.Add(count, {database.name}, rows.Number(row, 1).value_or(0));
    run.out.Add(oldest, {database.name}, rows.Number(row, 2).value_or(0));
  }
  return {};
}

}  // namespace tocsin::collectors::postgres
