#include "collectors/postgres/table_sizes.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <span>
#include <utility>

namespace tocsin::collectors::postgres {
namespace {

constexpr std::chrono::seconds kRefreshAfter{540};
constexpr std::chrono::minutes kForgetAfter{30};
constexpr std::size_t kTablesPerQuery = 50;
constexpr std::size_t kBytesPerTable = 16'000;  // A backend keeps of one it opened, with indexes.
constexpr Millis kTimePerRun{150};
// No more in a run than it takes for each to have its turn in time.
constexpr std::size_t kTablesPerRun = 300;
constexpr std::size_t kRunsPerRefresh = 8;  // A minute apart.

// Its indexes and its TOAST table are opened too.
constexpr std::string_view kSizesSql =
    "WITH locked AS MATERIALIZED (SELECT relation FROM pg_locks WHERE locktype = 'relation'"
    " AND mode = 'AccessExclusiveLock' AND relation IS NOT NULL),"
    " free AS MATERIALIZED (SELECT c.oid FROM pg_class c WHERE c.oid = ANY({})"
    " AND c.oid NOT IN (SELECT relation FROM locked)"
    " AND c.reltoastrelid NOT IN (SELECT relation FROM locked)"
    " AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid IN (c.oid, c.reltoastrelid)"
    " AND x.indexrelid IN (SELECT relation FROM locked)))"
    " SELECT oid, pg_table_size(oid), pg_indexes_size(oid) FROM free";

// As many pages as there were, of the table, its TOAST table and that one's index.
constexpr std::size_t kCataloguePerQuery = 500;
constexpr std::string_view kCatalogueSql =
    "SELECT t.oid, b.size * (greatest(t.relpages, 0) + coalesce((SELECT greatest(c.relpages, 0)"
    " FROM pg_class c WHERE c.oid = t.reltoastrelid), 0) + coalesce(x.pages, 0)),"
    " b.size * coalesce(i.pages, 0) FROM pg_class t"
    " LEFT JOIN LATERAL (SELECT sum(greatest(c.relpages, 0)) AS pages FROM pg_index"
    "  JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = t.oid) i ON true"
    " LEFT JOIN LATERAL (SELECT sum(greatest(c.relpages, 0)) AS pages FROM pg_index"
    "  JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = t.reltoastrelid) x ON true,"
    " (SELECT current_setting('block_size')::bigint AS size) b WHERE t.oid = ANY({})";

// One array: pg_stat_statements keeps one text, however many tables there are.
std::string ArrayOf(std::span<const std::string> oids) {
  return fmt::format("'{{{}}}'::oid[]", fmt::join(oids.begin(), oids.end(), ","));
}

std::string KeyOf(const std::string& oid, bool of_indexes) {
  return (of_indexes ? "i" : "t") + oid;
}

void Forget(SubjectRun& run, const std::vector<std::string>& oids) {
  std::set<std::string_view> wanted(oids.begin(), oids.end());
  const SteadyTime now = run.context.clock.SteadyNow();
  std::erase_if(run.memory.values, [&](const auto& entry) {
    return now - entry.second.read_at > kForgetAfter ||
           !wanted.contains(std::string_view(entry.first).substr(1));
  });
}

std::optional<TableSize> Known(const SubjectRun& run, const std::string& oid) {
  const auto& known = run.memory.values;
  const auto table = known.find(KeyOf(oid, false));
  const auto indexes = known.find(KeyOf(oid, true));
  if (table == known.end() || indexes == known.end()) return std::nullopt;
  return TableSize{table->second.value, indexes->second.value, table->second.read_at};
}

Result<> ReadCatalogue(SubjectRun& run, std::span<const std::string> oids, TableSizes& sizes) {
  while (!oids.empty()) {
    const auto some = oids.first(std::min(kCataloguePerQuery, oids.size()));
    oids = oids.subspan(some.size());
    TOCSIN_ASSIGN_OR_RETURN(const Rows rows, run.Query(fmt::format(kCatalogueSql, ArrayOf(some))));
    for (int row = 0; row < rows.size(); ++row) {
      sizes.emplace(rows.Text(row, 0), TableSize{rows.Number(row, 1).value_or(0),
                                                 rows.Number(row, 2).value_or(0), std::nullopt});
    }
  }
  return {};
}

// Those that are due, as far as there is time. A failure leaves what is known.
void ReadDisk(SubjectRun& run, const std::vector<std::string>& oids) {
  auto& known = run.memory.values;
  const SteadyTime now = run.context.clock.SteadyNow();
  std::vector<std::pair<SteadyTime, std::string>> due;
  for (const std::string& oid : oids) {
    const auto found = known.find(KeyOf(oid, false));
    if (found == known.end()) {
      due.emplace_back(SteadyTime{}, oid);
    } else if (now - found->second.read_at >= kRefreshAfter) {
      due.emplace_back(found->second.read_at, oid);
    }
  }
  std::sort(due.begin(), due.end());
  due.resize(std::min(due.size(), std::max(kTablesPerRun, oids.size() / kRunsPerRefresh)));

  for (std::size_t first = 0; first < due.size(); first += kTablesPerQuery) {
    if (first > 0 && run.context.clock.SteadyNow() - now > kTimePerRun) return;
    std::vector<std::string> some;
    for (std::size_t i = first; i < std::min(first + kTablesPerQuery, due.size()); ++i) {
      some.push_back(due[i].second);
    }
    const auto room = run.MakeRoom(some.size() * kBytesPerTable);
    const auto rows = room.ok() ? run.Query(fmt::format(kSizesSql, ArrayOf(some))) : room.error();
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

}  // namespace

Result<TableSizes> ReadTableSizes(SubjectRun& run, const std::vector<std::string>& oids) {
  Forget(run, oids);
  TableSizes sizes;
  std::vector<std::string> unknown;
  for (const std::string& oid : oids) {
    if (!Known(run, oid)) unknown.push_back(oid);
  }
  TOCSIN_RETURN_IF_ERROR(ReadCatalogue(run, unknown, sizes));
  ReadDisk(run, oids);
  for (const std::string& oid : oids) {
    if (const auto known = Known(run, oid)) sizes.insert_or_assign(oid, *known);
  }
  return sizes;
}

}  // namespace tocsin::collectors::postgres
