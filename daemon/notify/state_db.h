#pragma once

// What notify keeps on disk (state.db): alerts, groups, the notification log,
// silences and the outbox. All of a step's changes are one transaction: after a
// crash either the whole step has happened or none of it.
//
// Not thread-safe; Notifier's writer lock guards it. Internal.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/sqlite.h"
#include "daemon/notify/delivery.h"
#include "daemon/notify/notification_log.h"
#include "daemon/notify/silence.h"
#include "daemon/notify/tracked_alert.h"

namespace tocsin::notify {

// A group is known by its key and its receiver: two routes may share a key.
using GroupId = std::pair<std::string, std::string>;

struct GroupRow {
  GroupId id;
  model::Labels labels;
  bool flushed = false;
  WallTime next_flush{};
};

struct LogRow {
  GroupId group;
  std::string integration;
  LogEntry entry;
};

// Which channel each integration of the configuration leads to, as a digest: by it a
// receiver is known again under another name.
using IntegrationChannels = std::map<std::string, std::string>;

// What one step writes.
struct Changes {
  std::vector<AlertPtr> alerts;
  std::vector<std::uint64_t> forgotten_alerts;
  std::vector<GroupRow> groups;
  std::vector<GroupId> forgotten_groups;  // With their log.
  std::vector<LogRow> log;
  std::vector<Silence> silences;
  std::vector<std::string> forgotten_silences;
  std::vector<Delivery> deliveries;  // Write() fills in the ids of new ones.
  std::vector<std::int64_t> dropped_deliveries;
  std::optional<IntegrationChannels> channels;  // Takes the place of what is there.

  bool empty() const;
};

// What the last process left.
struct StoredState {
  struct StoredAlert {
    model::Alert alert;
    bool resolved = false;
  };
  std::vector<StoredAlert> alerts;
  std::vector<GroupRow> groups;
  std::vector<LogRow> log;
  std::vector<Silence> silences;
  std::vector<Delivery> deliveries;  // Without payload; oldest first.
  IntegrationChannels channels;
};

class StateDb {
 public:
  // Errors: kIoError, kPermissionDenied, kCorruption.
  static Result<std::unique_ptr<StateDb>> Open(const Database::Options& options);

  // Errors: kIoError, kCorruption.
  Result<StoredState> Load();

  // On return all of it is on disk, or, on an error, nothing.
  // Errors: kIoError.
  Result<> Write(Changes& changes);

  // Errors: kNotFound, kIoError.
  Result<std::string> LoadPayload(std::int64_t delivery);

 private:
  explicit StateDb(std::unique_ptr<Database> database) : database_(std::move(database)) {}

  Result<> LoadAlerts(StoredState& state);
  Result<> LoadGroups(StoredState& state);
  Result<> LoadLog(StoredState& state);
  Result<> LoadSilences(StoredState& state);
  Result<> LoadDeliveries(StoredState& state);
  Result<> LoadChannels(StoredState& state);
  Result<> WriteAlerts(const Changes& changes);
  Result<> WriteGroups(const Changes& changes);
  Result<> WriteSilences(const Changes& changes);
  Result<> WriteDeliveries(Changes& changes);
  Result<> WriteChannels(const Changes& changes);

  std::unique_ptr<Database> database_;
};

}  // namespace tocsin::notify
