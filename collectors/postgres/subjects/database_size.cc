#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

// pg_database_size reads the directory entry of every file: dear, and slow to change.
constexpr std::chrono::seconds kRefreshAfter{540};
// A size that could not be read again ends after three missed runs.
constexpr std::chrono::seconds kForgetAfter{1800};
constexpr std::size_t kDatabasesPerQuery = 10;
// One collection spends no more than this on sizes once one query is done.
constexpr Millis kTimePerCollection{150};

}  // namespace

// Sizes are refreshed a few databases at a time, the oldest first, so that a
// thousand databases never cost one collection its deadline.
Result<> CollectDatabaseSize(SubjectRun& run) {
  const SteadyTime now = run.context.clock.SteadyNow();
  auto& sizes = run.memory.values;
  std::vector<std::pair<SteadyTime, std::string>> due;
  for (const Database& database : run.databases) {
    const auto known = sizes.find(database.oid);
    if (known == sizes.end()) {
      due.emplace_back(SteadyTime{}, database.oid);
    } else if (now - known->second.read_at >= kRefreshAfter) {
      due.emplace_back(known->second.read_at, database.oid);
    }
  }
  std::sort(due.begin(), due.end());

  Result<> outcome;
  for (std::size_t first = 0; first < due.size(); first += kDatabasesPerQuery) {
    if (first > 0 && run.context.clock.SteadyNow() - now > kTimePerCollection) break;
    std::string oids;
    const std::size_t end = std::min(first + kDatabasesPerQuery, due.size());
    for (std::size_t i = first; i < end; ++i) oids += (i == first ? "" : ",") + due[i].second;
    const auto rows = run.Query(
        fmt::format("SELECT oid, CASE WHEN has_database_privilege(oid, 'CONNECT')"
                    " OR pg_has_role('pg_read_all_stats', 'USAGE') THEN pg_database_size(oid) END"
                    " FROM pg_database WHERE oid = ANY('{{{}}}'::oid[])",
                    oids));
    if (!rows.ok()) {
      outcome = rows.error();
      break;
    }
    for (int row = 0; row < rows->size(); ++row) {
      const auto size = rows->Number(row, 1);
      if (size) sizes[std::string(rows->Text(row, 0))] = {*size, now};
    }
  }

  std::erase_if(sizes,
                [&](const auto& entry) { return now - entry.second.read_at > kForgetAfter; });
  run.memory.oldest.clear();
  const auto family = run.out.Declare("pg_database_size_bytes", "Disk space used by the database",
                                      model::MetricType::kGauge, {"datname"});
  for (const Database& database : run.databases) {
    const auto known = sizes.find(database.oid);
    if (known == sizes.end()) continue;
    run.out.Add(family, {database.name}, known->second.value);
    AddRead(run.memory.oldest, "database_size", known->second.read_at);
  }
  return outcome;
}

}  // namespace tocsin::collectors::postgres
