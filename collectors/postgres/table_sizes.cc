#include "collectors/postgres/table_sizes.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

namespace tocsin::collectors::postgres {
namespace {

constexpr std::chrono::seconds kRefreshAfter{540};
constexpr std::chrono::minutes kForgetAfter{30};
constexpr std::size_t kTablesPerQuery = 50;
constexpr Millis kTimePerRun{150};
// What the backend remembers of a table and its indexes, some 16 kB, stays until the
// visit ends: no more of them in a run than it takes for each to have its turn in time.
constexpr std::size_t kTablesPerRun = 300;
constexpr std::size_t kRunsPerRefresh = 8;  // A minute apart.

// One array: pg_stat_statements keeps one text, however many tables there are.
// Its indexes and its TOAST table are opened too.
constexpr std::string_view kSizesSql =
    "WITH locked AS MATERIALIZED (SELECT relation FROM pg_locks WHERE locktype = 'relation'"
    " AND mode = 'AccessExclusiveLock' AND relation IS NOT NULL),"
    " free AS MATERIALIZED (SELECT c.oid FROM pg_class c WHERE c.oid = ANY('{{{}}}'::oid[])"
    " AND c.oid NOT IN (SELECT relation FROM locked)"
    " AND c.reltoastrelid NOT IN (SELECT relation FROM locked)"
    " AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid IN (c.oid, c.reltoastrelid)"
    " AND x.indexrelid IN (SELECT relation FROM locked)))"
    " SELECT oid, pg_table_size(oid), pg_indexes_size(oid) FROM free";

std::string KeyOf(const std::string& oid, bool of_indexes) {
  return (of_indexes ? "i" : "t") + oid;
}

}  // namespace

void RefreshTableSizes(SubjectRun& run, const std::vector<std::string>& oids) {
  auto& known = run.memory.values;
  const SteadyTime now = run.context.clock.SteadyNow();
  std::set<std::string, std::less<>> wanted;
  std::vector<std::pair<SteadyTime, std::string>> due;
  for (const std::string& oid : oids) {
    wanted.insert(oid);
    const auto found = known.find(KeyOf(oid, false));
    if (found == known.end()) {
      due.emplace_back(SteadyTime{}, oid);
    } else if (now - found->second.read_at >= kRefreshAfter) {
      due.emplace_back(found->second.read_at, oid);
    }
  }
  std::erase_if(known, [&](const auto& entry) {
    return now - entry.second.read_at > kForgetAfter ||
           !wanted.contains(std::string_view(entry.first).substr(1));
  });
  std::sort(due.begin(), due.end());
  due.resize(std::min(due.size(), std::max(kTablesPerRun, oids.size() / kRunsPerRefresh)));

  for (std::size_t first = 0; first < due.size(); first += kTablesPerQuery) {
    if (first > 0 && run.context.clock.SteadyNow() - now > kTimePerRun) return;
    std::string list;
    const std::size_t end = std::min(first + kTablesPerQuery, due.size());
    for (std::size_t i = first; i < end; ++i) list += (i == first ? "" : ",") + due[i].second;
    const auto rows = run.Query(fmt::format(kSizesSql, list));
    if (!rows.ok()) {
      if (run.connection.lost()) return;
      run.out.Note("sizes of tables are those of their last vacuum or analyze: " +
                   rows.error().message);
      return;
    }
    for (int row = 0; row < rows->size(); ++row) {
      const std::string oid(rows->Text(row, 0));
      const auto table = rows->Number(row, 1);
      const auto indexes = rows->Number(row, 2);
      if (!table || !indexes) continue;  // Dropped meanwhile.
      known[KeyOf(oid, false)] = {*table, now};
      known[KeyOf(oid, true)] = {*indexes, now};
    }
  }
}

std::optional<TableSize> KnownTableSize(const SubjectRun& run, const std::string& oid) {
  const auto table = run.memory.values.find(KeyOf(oid, false));
  const auto indexes = run.memory.values.find(KeyOf(oid, true));
  if (table == run.memory.values.end() || indexes == run.memory.values.end()) return std::nullopt;
  return TableSize{table->second.value, indexes->second.value, table->second.read_at};
}

}  // namespace tocsin::collectors::postgres
