#include "daemon/app/state_checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/base/log.h"

namespace tocsin::app {

Result<std::unique_ptr<StateCheckpoints>> StateCheckpoints::Open(Database::Options options,
                                                                 const Clock& clock,
                                                                 ExecutorFactory& executors,
                                                                 MetricRegistry& metrics) {
  std::unique_ptr<StateCheckpoints> checkpoints(new StateCheckpoints(clock, executors, metrics));
  options.quick_check = false;  // The others have done it.
  options.after_commit = [self = checkpoints.get()](int wal_pages) {
    self->pages_metric_.Set(wal_pages);
  };
  TOCSIN_ASSIGN_OR_RETURN(checkpoints->database_, Database::Open(options));
  return checkpoints;
}

StateCheckpoints::StateCheckpoints(const Clock& clock, ExecutorFactory& executors,
                                   MetricRegistry& metrics)
    : clock_(clock),
      pages_metric_(metrics.Gauge("tocsin_state_wal_pages",
                                  "Pages in state.db's write-ahead log after the last commit.")),
      checkpoints_(metrics.Counter("tocsin_state_checkpoints_total",
                                   "Checkpoints of state.db's write-ahead log.")),
      failures_(metrics.Counter("tocsin_state_checkpoint_failures_total",
                                "Checkpoints of state.db that failed; the log grows meanwhile.")),
      lane_(executors.NewExecutor("state.db")) {}

void StateCheckpoints::NoteCommit(int wal_pages) {
  pages_metric_.Set(wal_pages);
  const SteadyTime now = clock_.SteadyNow();
  MutexLock lock(mutex_);
  pages_ = wal_pages;
  last_commit_ = now;
  if (scheduled_ || wal_pages < kWantedPages) return;
  scheduled_ = true;
  lane_->RunAt(now + kQuiet, [this] { Run(); });
}

void StateCheckpoints::Run() {
  {
    MutexLock lock(mutex_);
    const SteadyTime quiet_at = last_commit_ + kQuiet;
    if (pages_ < kLongestPages && clock_.SteadyNow() < quiet_at) {
      lane_->RunAt(quiet_at, [this] { Run(); });
      return;
    }
    scheduled_ = false;  // A commit from here on asks again.
  }
  const auto whole = Checkpoint();
  if (whole.ok()) {
    if (failing_) LogInfo("state.db's write-ahead log is short again");
    failing_ = false;
    if (*whole) {
      checkpoints_.Add();
      return;
    }
  } else {
    failures_.Add();
    if (!failing_) {
      LogError("state.db's write-ahead log cannot be copied into the file and grows",
               {{"error", whole.error().message}});
    }
    failing_ = true;
  }
  MutexLock lock(mutex_);
  if (scheduled_) return;
  scheduled_ = true;
  lane_->RunAt(clock_.SteadyNow() + kRetry, [this] { Run(); });
}

Result<bool> StateCheckpoints::Checkpoint() {
  TOCSIN_ASSIGN_OR_RETURN(const bool whole, database_->Checkpoint());
  if (!whole) return false;
  // The next commit begins the log anew and syncs it twice for that: not an alert's.
  TOCSIN_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  TOCSIN_ASSIGN_OR_RETURN(Statement version, database_->Prepare("PRAGMA user_version"));
  TOCSIN_ASSIGN_OR_RETURN(const bool row, version.Step());
  const std::int64_t value = row ? version.Int(0) : 0;
  version.Reset();
  TOCSIN_RETURN_IF_ERROR(database_->Execute(fmt::format("PRAGMA user_version = {}", value)));
  TOCSIN_RETURN_IF_ERROR(transaction.Commit());
  return true;
}

}  // namespace tocsin::app
