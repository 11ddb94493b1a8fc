#pragma once

// The daemon: every room, put together in one straight line and taken apart in
// the reverse order. It knows no signal, no socket of its own and no service
// manager, so that the simulation runs the very same thing in virtual time.

#include <functional>
#include <memory>
#include <string>

#include "daemon/api/context.h"
#include "daemon/api/remote_write_receiver.h"
#include "daemon/app/alert_fanout.h"
#include "daemon/app/commit_fanout.h"
#include "daemon/app/push_relay.h"
#include "daemon/app/state_checkpoints.h"
#include "daemon/base/clock.h"
#include "daemon/base/executor.h"
#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"
#include "daemon/base/metrics.h"
#include "daemon/base/mutex.h"
#include "daemon/base/sqlite.h"
#include "daemon/config/config.h"
#include "daemon/notify/notifier.h"
#include "daemon/poll/poller.h"
#include "daemon/store/store.h"
#include "rules/engine/rule_engine.h"
#include "rules/promql/engine.h"

namespace tocsin::app {

// All that the daemon reaches of the outside; production and tests differ here only.
struct World {
  const Clock& clock;
  ExecutorFactory& executors;
  HttpClient& http;
  FileSystem& files;
  std::string vfs;         // SQLite's; empty: the default.
  std::uint64_t seed = 0;  // Of jitter.
};

// Start, Reload and Stop come from one thread; the rest is thread-safe.
class Daemon {
 public:
  // Opens the store and the state on disk. A damaged file is set aside, and that
  // is visible; nothing is polled or sent yet.
  // Errors: kIoError, kPermissionDenied; kInvalidArgument for a notification template.
  static Result<std::unique_ptr<Daemon>> Open(const World& world, config::Config config);
  ~Daemon();

  // Restores alerts, then polls, evaluates, notifies and pushes.
  // Errors: kIoError, kCorruption from state.db.
  Result<> Start();

  // Takes over a configuration that LoadConfig accepted. What cannot change while
  // running (storage, promql, listen, web) is logged and waits for a restart.
  // Errors: a notification template's; nothing has changed then.
  Result<> Reload(config::Config config);

  // Ends everything; notify attempts what is due until `deadline`.
  void Stop(SteadyTime deadline);

  // For the API. `reload`, `flags` and how the last reload went are the server's
  // business and left empty.
  api::Context ApiContext(std::string version);

  // Nothing is wrong with polling, evaluation and storage: what the heartbeat asks.
  Result<> Healthy() const;

 private:
  Daemon(const World& world, config::Config config);
  Result<> OpenRooms();
  poll::PollConfig WithSelf(const poll::PollConfig& configured) const;
  rules::RuleEngine::Options RuleOptions() const;

  World world_;
  config::Config config_;
  const WallTime started_at_;
  MetricRegistry registry_;
  mutable Mutex mutex_;
  std::string yaml_ GUARDED_BY(mutex_);
  model::Labels external_labels_ GUARDED_BY(mutex_);
  std::vector<std::string> alertmanagers_ GUARDED_BY(mutex_);  // URLs of push.alertmanagers.
  bool ready_ GUARDED_BY(mutex_) = false;
  WallTime applied_at_ GUARDED_BY(mutex_){};  // Of the present configuration.

  // In the order they are built; destroyed in reverse.
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<CommitFanout> sink_;
  std::unique_ptr<StateCheckpoints> checkpoints_;
  std::unique_ptr<Database> rule_state_;
  std::unique_ptr<notify::Notifier> notifier_;
  std::unique_ptr<promql::Engine> promql_;
  std::unique_ptr<poll::Poller> poller_;
  std::unique_ptr<PushRelay> push_;
  std::unique_ptr<AlertFanout> alerts_;
  std::unique_ptr<rules::RuleEngine> rules_;
  std::unique_ptr<api::RemoteWriteReceiver> receiver_;  // Null: web.accept_remote_write is off.
};

}  // namespace tocsin::app
