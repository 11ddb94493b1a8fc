#include <map>
#include <string>
#include <utility>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr std::string_view kModes[] = {
    "accesssharelock", "rowsharelock",          "rowexclusivelock", "shareupdateexclusivelock",
    "sharelock",       "sharerowexclusivelock", "exclusivelock",    "accessexclusivelock",
    "sireadlock"};

}  // namespace

// Every mode of every database, zeros too: dashboards and absent() rely on them.
Result<> CollectLocks(SubjectRun& run) {
  TOCSIN_ASSIGN_OR_RETURN(const Rows rows,
                          run.Query("SELECT database, lower(mode), count(*) FROM pg_locks"
                                    " WHERE database <> 0 GROUP BY 1, 2"));
  std::map<std::pair<std::string_view, std::string_view>, double> counts;
  for (int row = 0; row < rows.size(); ++row) {
    counts[{rows.Text(row, 0), rows.Text(row, 1)}] = rows.Number(row, 2).value_or(0);
  }
  const auto family = run.out.Declare("pg_locks_count", "Number of locks",
                                      model::MetricType::kGauge, {"datname", "mode"});
  for (const Database& database : run.databases) {
    for (const auto mode : kModes) {
      const auto found = counts.find({database.oid, mode});
      run.out.Add(family, {database.name, mode}, found == counts.end() ? 0 : found->second);
    }
  }
  return {};
}

}  // namespace tocsin::collectors::postgres
