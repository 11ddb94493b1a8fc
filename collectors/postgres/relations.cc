#include "collectors/postgres/relations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "daemon/model/sample.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr std::size_t kTablesPerQuery = 1000;
// What a backend keeps of the statistics of a table, its TOAST table and their indexes.
constexpr std::size_t kBytesPerTable = 600;

// A condition that is met by so many tables as are read, if there were more at the last run.
Result<std::string> ConditionOnSize(SubjectRun& run, const RelationQuery& query) {
  if (2 * run.memory.tables <= query.most_tables) return std::string();  // Not worth the asking.
  TOCSIN_ASSIGN_OR_RETURN(
      const Rows rows,
      run.Query(fmt::format("SELECT relpages, oid FROM pg_class WHERE relkind IN ({})"
                            " ORDER BY relpages DESC, oid OFFSET {} LIMIT 1",
                            query.kinds, query.most_tables - 1)));
  if (rows.size() == 0) return std::string();
  return fmt::format(" AND (-c.relpages, c.oid) <= (-({}), '{}'::oid)", rows.Text(0, 0),
                     rows.Text(0, 1));
}

std::string TablesSql(const ServerFacts& server, const RelationQuery& query,
                      std::string_view condition, std::string_view after, std::size_t count) {
  return fmt::format(
      "SELECT t.oid, {}, {} FROM (SELECT c.oid, n.nspname, c.relname, c.relpages, c.reltoastrelid"
      " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid > '{}'"
      " AND c.relkind IN ({}) AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
      " AND n.nspname !~ '^pg_toast'{} ORDER BY c.oid LIMIT {}) t {} ORDER BY t.oid",
      query.columns, ForgetStatisticsSql(server, "t.oid"), after, query.kinds, condition, count,
      query.joins);
}

// By oid, which no table ever changes: each is met once, whatever comes and goes meanwhile.
Result<> ReadTables(SubjectRun& run, const RelationQuery& query,
                    const std::function<void(const Rows&)>& take) {
  const bool shares = run.server.SharesStatistics();
  // Else each query has the backend read those of the whole database from a file, and forget them.
  const std::size_t at_once = shares ? kTablesPerQuery : query.most_tables;
  TOCSIN_ASSIGN_OR_RETURN(const std::string condition, ConditionOnSize(run, query));
  std::string after = "0";
  std::size_t tables = 0;
  for (std::size_t found = at_once; found == at_once; tables += found) {
    if (shares) TOCSIN_RETURN_IF_ERROR(run.MakeRoom(at_once * kBytesPerTable));
    TOCSIN_ASSIGN_OR_RETURN(const Rows rows,
                            run.Query(TablesSql(run.server, query, condition, after, at_once)));
    found = 0;
    for (int row = 0; row < rows.size(); ++row) {
      if (rows.Text(row, 0) == after) continue;
      after = rows.Text(row, 0);
      ++found;
    }
    run.memory.tables = std::max(run.memory.tables, tables + found);
    if (tables + found > 2 * query.most_tables) {  // The next run knows, and asks for the largest.
      return Error{ErrorCode::kResourceExhausted,
                   fmt::format("there are more than {} tables: the largest of them are read at"
                               " the next run",
                               2 * query.most_tables)};
    }
    take(rows);
  }
  run.memory.tables = tables;
  return {};
}

Relation RelationOf(const Rows& rows, int row, const RelationQuery& query) {
  Relation relation{std::string(rows.Text(row, 1)), std::vector<std::string>(query.names),
                    std::vector<double>(query.numbers)};
  int column = 2;
  for (std::string& name : relation.names) name = rows.Text(row, column++);
  for (double& number : relation.numbers) {
    number = rows.Number(row, column++).value_or(model::NormalNaN());
  }
  return relation;
}

}  // namespace

Result<std::vector<Relation>> ReadRelations(SubjectRun& run, const RelationQuery& query,
                                            int limit) {
  std::vector<Relation> all;
  std::vector<TopObjects::Object> objects;
  TOCSIN_RETURN_IF_ERROR(ReadTables(run, query, [&](const Rows& rows) {
    for (int row = 0; row < rows.size(); ++row) {
      if (rows.IsNull(row, 1)) continue;
      const Relation& relation = all.emplace_back(RelationOf(rows, row, query));
      const auto number = [&](std::size_t place) {
        return std::isnan(relation.numbers[place]) ? 0 : relation.numbers[place];
      };
      TopObjects::Object& object = objects.emplace_back();
      object.key = relation.oid;
      object.weight = number(0);
      object.counters.reserve(query.counters.size());
      for (const std::size_t place : query.counters) object.counters.push_back(number(place));
    }
  }));
  const auto chosen =
      run.memory.objects.Choose(objects, run.ObjectLimit(limit), run.context.clock.SteadyNow());
  std::vector<Relation> shown;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (chosen[i]) shown.push_back(std::move(all[i]));
  }
  return shown;
}

}  // namespace tocsin::collectors::postgres
