#include <algorithm>
#include <chrono>

#include "collectors/postgres/subject.h"
#include "daemon/model/sample.h"

namespace tocsin::collectors::postgres {
namespace {

using std::chrono::seconds;

constexpr seconds kTableInterval{60};
constexpr seconds kSizeInterval{600};

// The order is that of the work: what alerts need most comes first, what may take
// long comes last.
constexpr Subject kSubjects[] = {
    {"stat_activity", true, {}, CollectStatActivity},
    {"settings", true, {}, CollectSettings},
    {"stat_database", true, {}, CollectStatDatabase},
    {"stat_database_conflicts", true, {}, CollectStatDatabaseConflicts},
    {"locks", true, {}, CollectLocks},
    {"replication", true, {}, CollectReplication},
    {"replication_slots", true, {}, CollectReplicationSlots},
    {"stat_replication", true, {}, CollectStatReplication},
    {"stat_wal_receiver", true, {}, CollectStatWalReceiver},
    {"database", true, {}, CollectDatabase},
    {"database_wraparound", true, {}, CollectDatabaseWraparound},
    {"roles", true, {}, CollectRoles},
    {"stat_archiver", true, {}, CollectStatArchiver},
    {"stat_bgwriter", true, {}, CollectStatBgwriter},
    {"stat_checkpointer", true, {}, CollectStatCheckpointer},
    {"postmaster", true, {}, CollectPostmaster},
    {"long_running_transactions", true, {}, CollectLongRunningTransactions},
    {"stat_activity_autovacuum", true, {}, CollectStatActivityAutovacuum},
    {"stat_progress_vacuum", true, {}, CollectStatProgressVacuum},
    {"blocking", true, {}, CollectBlocking},
    {"prepared_transactions", true, {}, CollectPreparedTransactions},
    {"process_idle", false, {}, CollectProcessIdle},
    {"stat_ssl", true, {}, CollectStatSsl},
    {"stat_io", true, {}, CollectStatIo},
    {"stat_wal", true, {}, CollectStatWal},
    {"stat_slru", true, {}, CollectStatSlru},
    {"subscriptions", true, {}, CollectSubscriptions},
    {"xmin", true, {}, CollectXmin},
    {"stat_statements", true, {}, CollectStatStatements},
    {"wal", true, {}, CollectWal},
    {"stat_user_tables", true, kTableInterval, CollectStatUserTables, Scope::kDatabase},
    {"statio_user_tables", true, kTableInterval, CollectStatioUserTables, Scope::kDatabase},
    {"general_index_info", true, kTableInterval, CollectGeneralIndexInfo, Scope::kDatabase},
    {"sequences", true, kSizeInterval, CollectSequences, Scope::kDatabase},
    // Its labels do not name the database.
    {"statio_user_indexes", false, kTableInterval, CollectStatioUserIndexes, Scope::kOwnDatabase},
    {"buffercache_summary", false, kTableInterval, CollectBuffercacheSummary},
    {"database_size", true, {}, CollectDatabaseSize},
};

}  // namespace

std::span<const Subject> Subjects() { return kSubjects; }

bool SubjectRun::Shows(std::string_view database) const {
  return std::any_of(databases.begin(), databases.end(),
                     [&](const Database& one) { return one.name == database; });
}

void AddRead(OldestReads& oldest, std::string_view name, SteadyTime read_at) {
  const auto [known, is_new] = oldest.try_emplace(std::string(name), read_at);
  if (!is_new) known->second = std::min(known->second, read_at);
}

std::size_t SubjectRun::ObjectLimit(int limit) const {
  const auto most = static_cast<std::size_t>(limit);
  return std::clamp<std::size_t>(10 * most / std::max<std::size_t>(databases.size(), 1), 1, most);
}

Result<Rows> SubjectRun::Query(const std::string& sql) {
  const auto left = std::chrono::floor<Millis>(until - context.clock.SteadyNow());
  if (left < Millis(10)) return Error{ErrorCode::kDeadlineExceeded, "there is no time left"};
  if (left >= statement_timeout) return connection.Query(sql);
  // Not SET LOCAL: of that pg_stat_statements keeps a text for every value.
  return connection.Query("SELECT set_config('statement_timeout', '" +
                          std::to_string(left.count()) + "', true); " + sql);
}

Result<Selected> ReadSelect(SubjectRun& run, const Select& select) {
  std::vector<const ValueColumn*> columns;
  for (const ValueColumn& column : select.values) {
    const bool is_known = std::any_of(columns.begin(), columns.end(), [&](const auto* other) {
      return other->metric == column.metric;
    });
    if (!is_known && (column.needs.empty() || run.server.Has(column.needs))) {
      columns.push_back(&column);
    }
  }
  if (columns.empty()) return Selected{{}, Rows(nullptr)};

  std::string sql = "SELECT ";
  for (const LabelColumn& label : select.labels) sql.append(label.sql).append(", ");
  for (const ValueColumn* column : columns) sql.append(column->sql).append(", ");
  sql.resize(sql.size() - 2);
  sql.append(" FROM ").append(select.from);
  TOCSIN_ASSIGN_OR_RETURN(Rows rows, run.Query(sql));
  return Selected{std::move(columns), std::move(rows)};
}

void ShowSelect(SubjectRun& run, const Select& select, const Selected& selected) {
  const auto& [columns, rows] = selected;
  int label_count = 0;
  int database_label = -1;
  std::array<std::string_view, Emitter::kMostLabels> names;
  for (const LabelColumn& label : select.labels) {
    if (label.label == "datname") database_label = label_count;
    names[label_count++] = label.label;
  }
  const Emitter::LabelValues label_names(names.data(), label_count);
  std::array<std::string_view, Emitter::kMostLabels> values;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const ValueColumn& column = *columns[i];
    const int place = label_count + static_cast<int>(i);
    const auto family = run.out.Declare(column.metric, column.help, column.type, label_names);
    for (int row = 0; row < rows.size(); ++row) {
      for (int label = 0; label < label_count; ++label) values[label] = rows.Text(row, label);
      if (select.by_database && !rows.IsNull(row, database_label) &&
          !run.Shows(values[database_label])) {
        continue;
      }
      auto value = rows.Number(row, place);
      if (!value && column.if_null == IfNull::kZero) value = 0;
      if (!value && column.if_null == IfNull::kNaN) value = model::NormalNaN();
      if (value) run.out.Add(family, Emitter::LabelValues(values.data(), label_count), *value);
    }
  }
}

Result<> CollectSelect(SubjectRun& run, const Select& select) {
  TOCSIN_ASSIGN_OR_RETURN(const Selected selected, ReadSelect(run, select));
  ShowSelect(run, select, selected);
  return {};
}

}  // namespace tocsin::collectors::postgres
