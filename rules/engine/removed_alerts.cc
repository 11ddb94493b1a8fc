#include "rules/engine/removed_alerts.h"

#include <utility>

#include "daemon/base/log.h"

namespace tocsin::rules {

void RemovedAlerts::Add(std::vector<StoredAlert> alerts) {
  if (alerts.empty()) return;
  const WallTime now = environment_.clock.WallNow();
  AlertStateStore::Change change;
  std::vector<StoredAlert> to_tell;
  for (StoredAlert& stored : alerts) {
    ActiveAlert& alert = stored.alert;
    if (alert.state == AlertState::kPending) {
      change.forgotten.push_back({stored.address, alert.labels});
      continue;
    }
    if (alert.state == AlertState::kFiring) {
      alert.state = AlertState::kInactive;
      alert.resolved_at = now;
      alert.resolve_reason = "rule removed";
    }
    change.alerts.push_back(stored);
    to_tell.push_back(std::move(stored));
  }
  const auto written = environment_.state.Write(change);
  if (!written.ok()) {
    environment_.metrics.state_write_failures.Add();
    LogError("the state of alerts whose rule was removed could not be written",
             {{"error", written.error().message}});
  }
  if (to_tell.empty()) return;
  {
    MutexLock lock(mutex_);
    for (StoredAlert& stored : to_tell) waiting_.push_back(std::move(stored));
  }
  Send();
}

void RemovedAlerts::Send() {
  std::vector<StoredAlert> waiting;
  {
    MutexLock lock(mutex_);
    waiting.swap(waiting_);
  }
  if (waiting.empty()) return;
  const WallTime now = environment_.clock.WallNow();
  const auto options = environment_.options();
  std::vector<model::Alert> batch;
  for (const StoredAlert& stored : waiting) {
    batch.push_back(ToModelAlert(stored.alert, "", now, options->interval, *options));
  }
  const auto count = static_cast<double>(batch.size());
  const auto accepted = environment_.alerts.Accept(std::move(batch));
  if (accepted.ok()) {
    environment_.metrics.alerts_sent.Add(count);
    AlertStateStore::Change change;
    for (const StoredAlert& stored : waiting) {
      change.forgotten.push_back({stored.address, stored.alert.labels});
    }
    if (!environment_.state.Write(change).ok()) environment_.metrics.state_write_failures.Add();
    return;
  }
  environment_.metrics.send_failures.Add();
  LogWarning("notify did not take the alerts of removed rules; they are sent again",
             {{"error", accepted.error().message}});
  {
    MutexLock lock(mutex_);
    for (StoredAlert& stored : waiting) waiting_.push_back(std::move(stored));
  }
  lane_.RunAt(environment_.clock.SteadyNow() + kRetryDelay, [this] { Send(); });
}

}  // namespace tocsin::rules
