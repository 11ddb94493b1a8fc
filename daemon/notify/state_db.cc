#include "daemon/notify/state_db.h"

#include <fmt/format.h>

#include "daemon/notify/notification.h"
#include "daemon/notify/state_rows.h"

namespace tocsin::notify {
namespace {

constexpr std::int64_t kSchemaVersion = 2;  // 2: notify_channels.

constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS notify_alerts (
  fingerprint INTEGER PRIMARY KEY, labels TEXT NOT NULL, annotations TEXT NOT NULL,
  starts_at INTEGER NOT NULL, ends_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  generator_url TEXT NOT NULL, value REAL, ends_by_timeout INTEGER NOT NULL,
  resolve_reason TEXT NOT NULL, resolved INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS notify_groups (
  group_key TEXT NOT NULL, receiver TEXT NOT NULL, labels TEXT NOT NULL,
  flushed INTEGER NOT NULL, next_flush INTEGER NOT NULL,
  PRIMARY KEY (group_key, receiver)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notify_log (
  group_key TEXT NOT NULL, receiver TEXT NOT NULL, integration TEXT NOT NULL,
  firing TEXT NOT NULL, resolved TEXT NOT NULL, told_at INTEGER NOT NULL, reason INTEGER NOT NULL,
  PRIMARY KEY (group_key, receiver, integration)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notify_silences (
  id TEXT PRIMARY KEY, matchers TEXT NOT NULL, starts_at INTEGER NOT NULL,
  ends_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, created_by TEXT NOT NULL,
  comment TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notify_outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, integration TEXT NOT NULL, group_key TEXT NOT NULL,
  payload TEXT NOT NULL, attempts INTEGER NOT NULL, last_error TEXT NOT NULL,
  created_at INTEGER NOT NULL, next_attempt_at INTEGER NOT NULL, expires_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS notify_channels (
  integration TEXT PRIMARY KEY, channel TEXT NOT NULL) WITHOUT ROWID;
)sql";

std::int64_t Signed(std::uint64_t fingerprint) { return static_cast<std::int64_t>(fingerprint); }
WallTime Time(const Statement& row, int column) { return FromUnixMillis(row.Int(column)); }

// Calls `read` with each row of `sql`.
template <class Read>
Result<> EachRow(Database& database, const char* sql, Read read) {
  TOCSIN_ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const bool found, statement.Step());
    if (!found) return {};
    TOCSIN_RETURN_IF_ERROR(read(statement));
  }
}

// Runs `sql` once per item, `bind` filling in its parameters; prepares nothing for
// an empty list.
template <class List, class Bind>
Result<> RunForEach(Database& database, const char* sql, List& list, Bind bind) {
  if (list.empty()) return {};
  TOCSIN_ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
  for (auto& item : list) {
    bind(statement, item);
    TOCSIN_RETURN_IF_ERROR(statement.Run());
  }
  return {};
}

}  // namespace

bool Changes::empty() const {
  return alerts.empty() && forgotten_alerts.empty() && groups.empty() && forgotten_groups.empty() &&
         log.empty() && silences.empty() && forgotten_silences.empty() && deliveries.empty() &&
         dropped_deliveries.empty() && !channels;
}

Result<std::unique_ptr<StateDb>> StateDb::Open(const Database::Options& options) {
  TOCSIN_ASSIGN_OR_RETURN(auto database, Database::Open(options));
  std::int64_t version = 0;
  TOCSIN_RETURN_IF_ERROR(EachRow(*database, "PRAGMA user_version", [&](Statement& row) -> Result<> {
    version = row.Int(0);
    return {};
  }));
  if (version > kSchemaVersion) {
    return Error{ErrorCode::kCorruption,
                 fmt::format("{}: written by a newer version (schema {}, this one reads {})",
                             options.path, version, kSchemaVersion)};
  }
  if (version < kSchemaVersion) {
    TOCSIN_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database));
    TOCSIN_RETURN_IF_ERROR(database->Execute(kSchema));
    TOCSIN_RETURN_IF_ERROR(
        database->Execute(fmt::format("PRAGMA user_version = {}", kSchemaVersion)));
    TOCSIN_RETURN_IF_ERROR(transaction.Commit());
  }
  return std::unique_ptr<StateDb>(new StateDb(std::move(database)));
}

Result<StoredState> StateDb::Load() {
  StoredState state;
  TOCSIN_RETURN_IF_ERROR(LoadAlerts(state));
  TOCSIN_RETURN_IF_ERROR(LoadGroups(state));
  TOCSIN_RETURN_IF_ERROR(LoadLog(state));
  TOCSIN_RETURN_IF_ERROR(LoadSilences(state));
  TOCSIN_RETURN_IF_ERROR(LoadDeliveries(state));
  TOCSIN_RETURN_IF_ERROR(LoadChannels(state));
  return state;
}

Result<> StateDb::LoadAlerts(StoredState& state) {
  return EachRow(*database_,
                 "SELECT labels, annotations, starts_at, ends_at, updated_at, generator_url, value,"
                 " ends_by_timeout, resolve_reason, resolved FROM notify_alerts",
                 [&](Statement& row) -> Result<> {
                   StoredState::StoredAlert stored;
                   model::Alert& alert = stored.alert;
                   TOCSIN_ASSIGN_OR_RETURN(alert.labels, ParseLabelsJson(row.Text(0)));
                   TOCSIN_ASSIGN_OR_RETURN(alert.annotations, ParseLabelsJson(row.Text(1)));
                   alert.starts_at = Time(row, 2);
                   alert.ends_at = Time(row, 3);
                   alert.updated_at = Time(row, 4);
                   alert.generator_url = row.Text(5);
                   if (!row.IsNull(6)) alert.value = row.Double(6);
                   alert.ends_by_timeout = row.Int(7) != 0;
                   alert.resolve_reason = row.Text(8);
                   stored.resolved = row.Int(9) != 0;
                   state.alerts.push_back(std::move(stored));
                   return {};
                 });
}

Result<> StateDb::LoadGroups(StoredState& state) {
  return EachRow(*database_,
                 "SELECT group_key, receiver, labels, flushed, next_flush FROM notify_groups",
                 [&](Statement& row) -> Result<> {
                   GroupRow group;
                   group.id = {row.Text(0), row.Text(1)};
                   TOCSIN_ASSIGN_OR_RETURN(group.labels, ParseLabelsJson(row.Text(2)));
                   group.flushed = row.Int(3) != 0;
                   group.next_flush = Time(row, 4);
                   state.groups.push_back(std::move(group));
                   return {};
                 });
}

Result<> StateDb::LoadLog(StoredState& state) {
  return EachRow(
      *database_,
      "SELECT group_key, receiver, integration, firing, resolved, told_at, reason FROM notify_log",
      [&](Statement& row) -> Result<> {
        LogRow log;
        log.group = {row.Text(0), row.Text(1)};
        log.integration = row.Text(2);
        TOCSIN_RETURN_IF_ERROR(ParseToldJson(row.Text(3), log.entry));
        TOCSIN_ASSIGN_OR_RETURN(log.entry.resolved, ParseFingerprintsJson(row.Text(4)));
        log.entry.told_at = Time(row, 5);
        log.entry.reason = static_cast<Reason>(row.Int(6));
        state.log.push_back(std::move(log));
        return {};
      });
}

Result<> StateDb::LoadSilences(StoredState& state) {
  return EachRow(*database_,
                 "SELECT id, matchers, starts_at, ends_at, updated_at, created_by, comment"
                 " FROM notify_silences",
                 [&](Statement& row) -> Result<> {
                   Silence silence;
                   silence.id = row.Text(0);
                   TOCSIN_ASSIGN_OR_RETURN(silence.matchers, ParseMatchersJson(row.Text(1)));
                   silence.starts_at = Time(row, 2);
                   silence.ends_at = Time(row, 3);
                   silence.updated_at = Time(row, 4);
                   silence.created_by = row.Text(5);
                   silence.comment = row.Text(6);
                   state.silences.push_back(std::move(silence));
                   return {};
                 });
}

Result<> StateDb::LoadDeliveries(StoredState& state) {
  return EachRow(*database_,
                 "SELECT id, integration, group_key, payload, attempts, last_error, created_at,"
                 " next_attempt_at, expires_at FROM notify_outbox ORDER BY id",
                 [&](Statement& row) -> Result<> {
                   Delivery delivery;
                   delivery.id = row.Int(0);
                   delivery.integration = row.Text(1);
                   delivery.group_key = row.Text(2);
                   TOCSIN_ASSIGN_OR_RETURN(const Notification told,
                                           DecodeNotification(row.Text(3)));
                   for (const NotifiedAlert& alert : told.alerts) {
                     auto& list = alert.resolved ? delivery.resolved : delivery.firing;
                     list.push_back(alert.labels.Fingerprint());
                   }
                   delivery.attempts = static_cast<int>(row.Int(4));
                   delivery.last_error = row.Text(5);
                   delivery.created_at = Time(row, 6);
                   delivery.next_attempt_at = Time(row, 7);
                   delivery.expires_at = Time(row, 8);
                   state.deliveries.push_back(std::move(delivery));
                   return {};
                 });
}

Result<> StateDb::LoadChannels(StoredState& state) {
  return EachRow(*database_, "SELECT integration, channel FROM notify_channels",
                 [&](Statement& row) -> Result<> {
                   state.channels[row.Text(0)] = row.Text(1);
                   return {};
                 });
}

Result<> StateDb::Write(Changes& changes) {
  if (changes.empty()) return {};
  TOCSIN_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  TOCSIN_RETURN_IF_ERROR(WriteAlerts(changes));
  TOCSIN_RETURN_IF_ERROR(WriteGroups(changes));
  TOCSIN_RETURN_IF_ERROR(WriteSilences(changes));
  TOCSIN_RETURN_IF_ERROR(WriteDeliveries(changes));
  TOCSIN_RETURN_IF_ERROR(WriteChannels(changes));
  return transaction.Commit();
}

Result<> StateDb::WriteAlerts(const Changes& changes) {
  TOCSIN_RETURN_IF_ERROR(
      RunForEach(*database_, "INSERT OR REPLACE INTO notify_alerts VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                 changes.alerts, [](Statement& row, const AlertPtr& tracked) {
                   const model::Alert& alert = tracked->alert;
                   row.Bind(1, Signed(tracked->fingerprint))
                       .BindText(2, LabelsJson(alert.labels))
                       .BindText(3, LabelsJson(alert.annotations))
                       .Bind(4, ToUnixMillis(alert.starts_at))
                       .Bind(5, ToUnixMillis(alert.ends_at))
                       .Bind(6, ToUnixMillis(alert.updated_at))
                       .BindText(7, alert.generator_url);
                   alert.value ? row.Bind(8, *alert.value) : row.BindNull(8);
                   row.Bind(9, std::int64_t{alert.ends_by_timeout})
                       .BindText(10, alert.resolve_reason)
                       .Bind(11, std::int64_t{tracked->resolved});
                 }));
  return RunForEach(
      *database_, "DELETE FROM notify_alerts WHERE fingerprint = ?", changes.forgotten_alerts,
      [](Statement& row, std::uint64_t fingerprint) { row.Bind(1, Signed(fingerprint)); });
}

Result<> StateDb::WriteGroups(const Changes& changes) {
  TOCSIN_RETURN_IF_ERROR(RunForEach(*database_,
                                    "INSERT OR REPLACE INTO notify_groups VALUES (?,?,?,?,?)",
                                    changes.groups, [](Statement& row, const GroupRow& group) {
                                      row.BindText(1, group.id.first)
                                          .BindText(2, group.id.second)
                                          .BindText(3, LabelsJson(group.labels))
                                          .Bind(4, std::int64_t{group.flushed})
                                          .Bind(5, ToUnixMillis(group.next_flush));
                                    }));
  TOCSIN_RETURN_IF_ERROR(RunForEach(*database_,
                                    "INSERT OR REPLACE INTO notify_log VALUES (?,?,?,?,?,?,?)",
                                    changes.log, [](Statement& row, const LogRow& log) {
                                      row.BindText(1, log.group.first)
                                          .BindText(2, log.group.second)
                                          .BindText(3, log.integration)
                                          .BindText(4, ToldJson(log.entry))
                                          .BindText(5, FingerprintsJson(log.entry.resolved))
                                          .Bind(6, ToUnixMillis(log.entry.told_at))
                                          .Bind(7, static_cast<std::int64_t>(log.entry.reason));
                                    }));
  for (const char* sql : {"DELETE FROM notify_groups WHERE group_key = ? AND receiver = ?",
                          "DELETE FROM notify_log WHERE group_key = ? AND receiver = ?"}) {
    TOCSIN_RETURN_IF_ERROR(RunForEach(*database_, sql, changes.forgotten_groups,
                                      [](Statement& row, const GroupId& id) {
                                        row.BindText(1, id.first).BindText(2, id.second);
                                      }));
  }
  return {};
}

Result<> StateDb::WriteSilences(const Changes& changes) {
  TOCSIN_RETURN_IF_ERROR(RunForEach(*database_,
                                    "INSERT OR REPLACE INTO notify_silences VALUES (?,?,?,?,?,?,?)",
                                    changes.silences, [](Statement& row, const Silence& silence) {
                                      row.BindText(1, silence.id)
                                          .BindText(2, MatchersJson(silence.matchers))
                                          .Bind(3, ToUnixMillis(silence.starts_at))
                                          .Bind(4, ToUnixMillis(silence.ends_at))
                                          .Bind(5, ToUnixMillis(silence.updated_at))
                                          .BindText(6, silence.created_by)
                                          .BindText(7, silence.comment);
                                    }));
  return RunForEach(*database_, "DELETE FROM notify_silences WHERE id = ?",
                    changes.forgotten_silences,
                    [](Statement& row, const std::string& id) { row.BindText(1, id); });
}

Result<> StateDb::WriteDeliveries(Changes& changes) {
  // A delivery that is known already has only its attempts to change.
  const auto bind_attempt = [](Statement& row, const Delivery& delivery) {
    row.Bind(1, std::int64_t{delivery.attempts})
        .BindText(2, delivery.last_error)
        .Bind(3, ToUnixMillis(delivery.next_attempt_at))
        .Bind(4, delivery.id);
  };
  TOCSIN_ASSIGN_OR_RETURN(
      Statement update, database_->Prepare("UPDATE notify_outbox SET attempts = ?, last_error = ?,"
                                           " next_attempt_at = ? WHERE id = ?"));
  TOCSIN_ASSIGN_OR_RETURN(
      Statement insert,
      database_->Prepare("INSERT INTO notify_outbox (integration, group_key, payload, attempts,"
                         " last_error, created_at, next_attempt_at, expires_at)"
                         " VALUES (?,?,?,?,?,?,?,?)"));
  for (Delivery& delivery : changes.deliveries) {
    if (delivery.id != 0) {
      bind_attempt(update, delivery);
      TOCSIN_RETURN_IF_ERROR(update.Run());
      continue;
    }
    insert.BindText(1, delivery.integration)
        .BindText(2, delivery.group_key)
        .BindText(3, delivery.payload)
        .Bind(4, std::int64_t{delivery.attempts})
        .BindText(5, delivery.last_error)
        .Bind(6, ToUnixMillis(delivery.created_at))
        .Bind(7, ToUnixMillis(delivery.next_attempt_at))
        .Bind(8, ToUnixMillis(delivery.expires_at));
    TOCSIN_RETURN_IF_ERROR(insert.Run());
    delivery.id = database_->LastInsertRowId();
  }
  return RunForEach(*database_, "DELETE FROM notify_outbox WHERE id = ?",
                    changes.dropped_deliveries,
                    [](Statement& row, std::int64_t id) { row.Bind(1, id); });
}

Result<> StateDb::WriteChannels(const Changes& changes) {
  if (!changes.channels) return {};
  TOCSIN_RETURN_IF_ERROR(database_->Execute("DELETE FROM notify_channels"));
  return RunForEach(*database_, "INSERT INTO notify_channels VALUES (?,?)", *changes.channels,
                    [](Statement& row, const auto& channel) {
                      row.BindText(1, channel.first).BindText(2, channel.second);
                    });
}

Result<std::string> StateDb::LoadPayload(std::int64_t delivery) {
  TOCSIN_ASSIGN_OR_RETURN(Statement row,
                          database_->Prepare("SELECT payload FROM notify_outbox WHERE id = ?"));
  row.Bind(1, delivery);
  TOCSIN_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (found) return row.Text(0);
  return Error{ErrorCode::kNotFound, fmt::format("delivery {} is not in the outbox", delivery)};
}

}  // namespace tocsin::notify
