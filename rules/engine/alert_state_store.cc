#include "rules/engine/alert_state_store.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace tocsin::rules {
namespace {

constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS rule_alerts (
  file TEXT NOT NULL,
  "group" TEXT NOT NULL,
  rule TEXT NOT NULL,
  labels TEXT NOT NULL,
  result_labels TEXT NOT NULL,
  annotations TEXT NOT NULL,
  state TEXT NOT NULL,
  value REAL,
  active_at INTEGER NOT NULL,
  fired_at INTEGER,
  resolved_at INTEGER,
  keep_firing_since INTEGER,
  last_sent_at INTEGER,
  held_since INTEGER,
  hold_reason TEXT NOT NULL,
  resolve_reason TEXT NOT NULL,
  PRIMARY KEY (file, "group", rule, labels)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rule_groups (
  file TEXT NOT NULL,
  "group" TEXT NOT NULL,
  last_evaluation INTEGER NOT NULL,
  PRIMARY KEY (file, "group")
) WITHOUT ROWID;
)sql";

std::string LabelsText(const model::Labels& labels) {
  nlohmann::json out = nlohmann::json::object();
  for (const auto& [name, value] : labels) out[std::string(name)] = std::string(value);
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<model::Labels> ParseLabels(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) {
    return Error{ErrorCode::kCorruption, "a stored alert's labels cannot be read"};
  }
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_string()) {
      return Error{ErrorCode::kCorruption, "a stored alert's labels cannot be read"};
    }
    pairs.emplace_back(name, value.get<std::string>());
  }
  return model::Labels::FromMap(pairs);
}

void BindTime(Statement& statement, int position, const std::optional<WallTime>& time) {
  if (time) {
    statement.Bind(position, ToUnixMillis(*time));
  } else {
    statement.BindNull(position);
  }
}

std::optional<WallTime> TimeOf(const Statement& row, int column) {
  if (row.IsNull(column)) return std::nullopt;
  return FromUnixMillis(row.Int(column));
}

AlertState StateOf(const std::string& name) {
  if (name == "pending") return AlertState::kPending;
  return name == "firing" ? AlertState::kFiring : AlertState::kInactive;
}

Result<StoredAlert> ReadRow(const Statement& row) {
  StoredAlert out;
  out.address = {row.Text(0), row.Text(1), row.Text(2)};
  ActiveAlert& alert = out.alert;
  TOCSIN_ASSIGN_OR_RETURN(alert.labels, ParseLabels(row.Text(3)));
  TOCSIN_ASSIGN_OR_RETURN(alert.result_labels, ParseLabels(row.Text(4)));
  TOCSIN_ASSIGN_OR_RETURN(alert.annotations, ParseLabels(row.Text(5)));
  alert.state = StateOf(row.Text(6));
  // SQLite keeps NaN as NULL.
  alert.value = row.IsNull(7) ? model::NormalNaN() : row.Double(7);
  alert.active_at = FromUnixMillis(row.Int(8));
  alert.fired_at = TimeOf(row, 9);
  alert.resolved_at = TimeOf(row, 10);
  alert.keep_firing_since = TimeOf(row, 11);
  alert.last_sent_at = TimeOf(row, 12);
  alert.held_since = TimeOf(row, 13);
  alert.hold_reason = row.Text(14);
  alert.resolve_reason = row.Text(15);
  if (alert.state == AlertState::kInactive && !alert.resolved_at)
    alert.resolved_at = alert.active_at;
  alert.changed = false;
  return out;
}

}  // namespace

std::string RuleKey(const Rule& rule, int ordinal) {
  std::string key = rule.name;
  for (const auto& [name, text] : rule.labels) key += "\n" + name + "=" + text;
  if (ordinal > 0) key += "\n#" + std::to_string(ordinal);
  return key;
}

Result<> AlertStateStore::Open() {
  MutexLock lock(mutex_);
  if (database_ == nullptr) return {};
  return database_->Execute(kSchema);
}

Result<std::vector<StoredAlert>> AlertStateStore::Alerts() {
  MutexLock lock(mutex_);
  if (database_ == nullptr) return std::vector<StoredAlert>();
  TOCSIN_ASSIGN_OR_RETURN(
      Statement rows,
      database_->Prepare(
          "SELECT file, \"group\", rule, labels, result_labels, annotations, state, "
          "value, active_at, fired_at, resolved_at, keep_firing_since, last_sent_at, "
          "held_since, hold_reason, resolve_reason FROM rule_alerts"));
  std::vector<StoredAlert> out;
  for (;;) {
    TOCSIN_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return out;
    TOCSIN_ASSIGN_OR_RETURN(StoredAlert alert, ReadRow(rows));
    out.push_back(std::move(alert));
  }
}

Result<std::vector<StoredGroup>> AlertStateStore::Groups() {
  MutexLock lock(mutex_);
  if (database_ == nullptr) return std::vector<StoredGroup>();
  TOCSIN_ASSIGN_OR_RETURN(
      Statement rows,
      database_->Prepare("SELECT file, \"group\", last_evaluation FROM rule_groups"));
  std::vector<StoredGroup> out;
  for (;;) {
    TOCSIN_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return out;
    out.push_back({rows.Text(0), rows.Text(1), FromUnixMillis(rows.Int(2))});
  }
}

Result<> AlertStateStore::Write(const Change& change) {
  if (change.empty()) return {};
  MutexLock lock(mutex_);
  if (database_ == nullptr) return {};
  TOCSIN_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  TOCSIN_RETURN_IF_ERROR(Delete(change.forgotten));
  TOCSIN_RETURN_IF_ERROR(WriteAlerts(change.alerts));
  TOCSIN_RETURN_IF_ERROR(WriteGroups(change.groups));
  return transaction.Commit();
}

Result<> AlertStateStore::WriteAlerts(const std::vector<StoredAlert>& alerts) {
  if (alerts.empty()) return {};
  TOCSIN_ASSIGN_OR_RETURN(Statement insert,
                          database_->Prepare("INSERT OR REPLACE INTO rule_alerts VALUES "
                                             "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  for (const auto& [address, alert] : alerts) {
    insert.BindText(1, address.file).BindText(2, address.group).BindText(3, address.rule);
    insert.BindText(4, LabelsText(alert.labels)).BindText(5, LabelsText(alert.result_labels));
    insert.BindText(6, LabelsText(alert.annotations)).BindText(7, AlertStateName(alert.state));
    insert.Bind(8, alert.value).Bind(9, ToUnixMillis(alert.active_at));
    BindTime(insert, 10, alert.fired_at);
    BindTime(insert, 11, alert.resolved_at);
    BindTime(insert, 12, alert.keep_firing_since);
    BindTime(insert, 13, alert.last_sent_at);
    BindTime(insert, 14, alert.held_since);
    insert.BindText(15, alert.hold_reason).BindText(16, alert.resolve_reason);
    TOCSIN_RETURN_IF_ERROR(insert.Run());
  }
  return {};
}

Result<> AlertStateStore::Delete(const std::vector<Forgotten>& forgotten) {
  if (forgotten.empty()) return {};
  TOCSIN_ASSIGN_OR_RETURN(Statement erase,
                          database_->Prepare("DELETE FROM rule_alerts WHERE file = ? AND "
                                             "\"group\" = ? AND rule = ? AND labels = ?"));
  for (const auto& [address, labels] : forgotten) {
    erase.BindText(1, address.file).BindText(2, address.group).BindText(3, address.rule);
    erase.BindText(4, LabelsText(labels));
    TOCSIN_RETURN_IF_ERROR(erase.Run());
  }
  return {};
}

Result<> AlertStateStore::WriteGroups(const std::vector<StoredGroup>& groups) {
  if (groups.empty()) return {};
  TOCSIN_ASSIGN_OR_RETURN(
      Statement insert, database_->Prepare("INSERT OR REPLACE INTO rule_groups VALUES (?, ?, ?)"));
  for (const auto& group : groups) {
    insert.BindText(1, group.file).BindText(2, group.group);
    insert.Bind(3, ToUnixMillis(group.last_evaluation));
    TOCSIN_RETURN_IF_ERROR(insert.Run());
  }
  return {};
}

}  // namespace tocsin::rules
