#pragma once

// Alerts whose rule is gone: each one that was firing is resolved with the reason
// "rule removed", told to notify until notify has taken it, and then forgotten on
// disk. A crash before that leaves the row, and the next start tells it again.
// Thread-safe.

#include <vector>

#include "daemon/base/executor.h"
#include "daemon/base/mutex.h"
#include "rules/engine/alert_state_store.h"
#include "rules/engine/rule_environment.h"

namespace tocsin::rules {

class RemovedAlerts {
 public:
  static constexpr Millis kRetryDelay{std::chrono::seconds(1)};

  RemovedAlerts(RuleEnvironment& environment, Executor& lane)
      : environment_(environment), lane_(lane) {}

  // Resolves those that fire as of now, writes that down, and tells notify.
  void Add(std::vector<StoredAlert> alerts);

 private:
  void Send();

  RuleEnvironment& environment_;
  Executor& lane_;
  Mutex mutex_;
  std::vector<StoredAlert> waiting_ GUARDED_BY(mutex_);
};

}  // namespace tocsin::rules
