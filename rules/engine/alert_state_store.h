#pragma once

// The alerts' state on disk: a row per alert, written at its transitions, and a
// row per group with its last evaluation, in state.db (tables rule_alerts and
// rule_groups). A write is one transaction: after a crash either all of an
// evaluation's transitions are there or none. Thread-safe.

#include <string>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/base/result.h"
#include "daemon/base/sqlite.h"
#include "rules/engine/alerting_rule.h"

namespace tocsin::rules {

// Which rule an alert belongs to. `rule` is RuleKey()'s text.
struct RuleAddress {
  std::string file;
  std::string group;
  std::string rule;

  friend auto operator<=>(const RuleAddress&, const RuleAddress&) = default;
};

// A rule's identity within its group: name and labels as written, and the how
// manieth of those that are equal.
std::string RuleKey(const Rule& rule, int ordinal);

struct StoredAlert {
  RuleAddress address;
  ActiveAlert alert;
};

struct StoredGroup {
  std::string file;
  std::string group;
  WallTime last_evaluation{};
};

class AlertStateStore {
 public:
  struct Forgotten {
    RuleAddress address;
    model::Labels labels;
  };
  struct Change {
    std::vector<StoredAlert> alerts;   // Inserted or replaced.
    std::vector<Forgotten> forgotten;  // Deleted.
    std::vector<StoredGroup> groups;

    bool empty() const { return alerts.empty() && forgotten.empty() && groups.empty(); }
  };

  explicit AlertStateStore(Database& database) : database_(&database) {}
  // Keeps nothing: rule tests end with their process.
  AlertStateStore() = default;

  // Creates the tables. Errors: kIoError, kCorruption.
  Result<> Open();
  Result<std::vector<StoredAlert>> Alerts();
  Result<std::vector<StoredGroup>> Groups();
  // On disk when it returns OK; otherwise nothing has changed.
  Result<> Write(const Change& change);

 private:
  Result<> WriteAlerts(const std::vector<StoredAlert>& alerts) REQUIRES_LOCK(mutex_);
  Result<> Delete(const std::vector<Forgotten>& forgotten) REQUIRES_LOCK(mutex_);
  Result<> WriteGroups(const std::vector<StoredGroup>& groups) REQUIRES_LOCK(mutex_);

  Mutex mutex_;
  Database* database_ GUARDED_BY(mutex_) = nullptr;
};

}  // namespace tocsin::rules
