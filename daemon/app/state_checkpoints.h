#pragma once

// Keeps state.db's write-ahead log short without an alert ever waiting for it: a checkpoint
// copies the log into the file in a quiet moment, on a lane and a connection of its own.
// SQLite's own would run within the commit that makes the log too long, which may be the
// one that a page waits for. Thread-safe.

#include <memory>

#include "daemon/base/clock.h"
#include "daemon/base/executor.h"
#include "daemon/base/metrics.h"
#include "daemon/base/mutex.h"
#include "daemon/base/sqlite.h"

namespace tocsin::app {

class StateCheckpoints {
 public:
  static constexpr int kWantedPages = 500;    // From here on the next quiet moment is taken;
  static constexpr int kLongestPages = 4000;  // from here on any (16 MiB).
  static constexpr Millis kQuiet{200};        // Without a commit.
  static constexpr Millis kRetry{
      std::chrono::seconds(10)};  // After an error, or a reader that kept it back.

  // `options` is how the others open the file.
  // Errors: as Database::Open.
  static Result<std::unique_ptr<StateCheckpoints>> Open(Database::Options options,
                                                        const Clock& clock,
                                                        ExecutorFactory& executors,
                                                        MetricRegistry& metrics);

  // Database::Options::after_commit of every other connection, which it must outlive.
  void NoteCommit(int wal_pages);

 private:
  StateCheckpoints(const Clock& clock, ExecutorFactory& executors, MetricRegistry& metrics);

  void Run();
  Result<bool> Checkpoint();  // False: a reader kept some of the log back.

  const Clock& clock_;
  Gauge pages_metric_;
  Counter checkpoints_;
  Counter failures_;
  std::unique_ptr<Database> database_;  // Of the lane.
  bool failing_ = false;                // Of the lane.

  Mutex mutex_;
  int pages_ GUARDED_BY(mutex_) = 0;
  SteadyTime last_commit_ GUARDED_BY(mutex_){};
  bool scheduled_ GUARDED_BY(mutex_) = false;
  std::unique_ptr<Executor> lane_;  // Last: its tasks use what is above.
};

}  // namespace tocsin::app
