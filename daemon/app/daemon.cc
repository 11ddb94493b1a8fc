#include "daemon/app/daemon.h"

#include "daemon/app/process_status.h"
#include "daemon/app/self_monitor.h"
#include "daemon/app/state_database.h"
#include "daemon/base/log.h"

namespace tocsin::app {
namespace {

// Polling and evaluation are stuck when they are this many intervals late.
constexpr int kLateIntervals = 3;
constexpr Millis kLateSlack = std::chrono::seconds(5);

std::string SelfInstance(const api::ApiConfig& config) {
  for (const api::ListenAddress& address : config.listen) {
    if (address.unix_path.empty()) return address.Text();
  }
  return config.listen.front().Text();
}

std::vector<std::string> AlertmanagerUrls(const push::PushConfig& config) {
  std::vector<std::string> urls;
  for (const push::AlertmanagerConfig& alertmanager : config.alertmanagers) {
    urls.push_back(alertmanager.request.url + push::kAlertsPath);
  }
  return urls;
}

}  // namespace

Daemon::Daemon(const World& world, config::Config config)
    : world_(world), config_(std::move(config)), started_at_(world.clock.WallNow()) {
  yaml_ = config_.yaml;
  external_labels_ = config_.external_labels;
  alertmanagers_ = AlertmanagerUrls(config_.push);
  applied_at_ = started_at_;
}

Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::Open(const World& world, config::Config config) {
  std::unique_ptr<Daemon> daemon(new Daemon(world, std::move(config)));
  TOCSIN_RETURN_IF_ERROR(daemon->OpenRooms());
  return daemon;
}

Result<> Daemon::OpenRooms() {
  const auto& [clock, executors, http, files, vfs, seed] = world_;
  TOCSIN_ASSIGN_OR_RETURN(
      store_, store::Store::Open(config_.store, clock, executors, files, registry_, vfs));
  sink_ = std::make_unique<CommitFanout>(*store_);
  Database::Options state = StateDatabaseOptions(config_.store.path, vfs);
  state.after_commit = [this](int wal_pages) {
    if (checkpoints_) checkpoints_->NoteCommit(wal_pages);
  };
  TOCSIN_ASSIGN_OR_RETURN(rule_state_,
                          OpenStateDatabase(config_.store.path, state, clock, files, registry_));
  TOCSIN_ASSIGN_OR_RETURN(checkpoints_, StateCheckpoints::Open(state, clock, executors, registry_));

  notify::Notifier::Options notify_options;
  notify_options.database = state;
  notify_options.external_url = config_.api.external_url;
  notify_options.seed = seed;
  notify_options.healthy = [this] { return Healthy(); };
  TOCSIN_ASSIGN_OR_RETURN(
      notifier_, notify::Notifier::Open(config_.notify, std::move(notify_options), clock, executors,
                                        http, files, registry_));
  promql_ = std::make_unique<promql::Engine>(config_.promql);
  poller_ = std::make_unique<poll::Poller>(clock, executors, http, files, *sink_, *store_,
                                           config_.promql.lookback, registry_);
  push_ = std::make_unique<PushRelay>(*poller_, clock, executors, http, files, registry_);
  alerts_ = std::make_unique<AlertFanout>(*notifier_, *push_);
  rules_ =
      std::make_unique<rules::RuleEngine>(clock, executors, *promql_, *store_, *sink_, *alerts_,
                                          *poller_, *rule_state_, registry_, RuleOptions());
  sink_->AddObserver(*rules_);
  sink_->AddObserver(*push_);
  if (config_.api.accept_remote_write) {
    receiver_ = std::make_unique<api::RemoteWriteReceiver>(clock, *sink_, registry_);
  }
  return Result<>();
}

Result<> Daemon::Start() {
  push_->Apply(config_.push, config_.external_labels, config_.push_digest);
  // Alerts that were firing are known to notify before it flushes anything.
  TOCSIN_RETURN_IF_ERROR(rules_->Start(config_.rule_set));
  notifier_->Start();
  poller_->Apply(WithSelf(config_.poll));
  MutexLock lock(mutex_);
  ready_ = true;
  return Result<>();
}

Result<> Daemon::Reload(config::Config config) {
  TOCSIN_RETURN_IF_ERROR(notifier_->Reload(config.notify));
  if (config.NeedsRestartAfter(config_)) {
    LogWarning(
        "listen, web, storage and promql have changed: they take effect at the next restart");
  }
  config_ = std::move(config);
  TOCSIN_RETURN_IF_ERROR(rules_->Reload(config_.rule_set, RuleOptions()));
  push_->Apply(config_.push, config_.external_labels, config_.push_digest);
  poller_->Apply(WithSelf(config_.poll));
  MutexLock lock(mutex_);
  yaml_ = config_.yaml;
  external_labels_ = config_.external_labels;
  alertmanagers_ = AlertmanagerUrls(config_.push);
  applied_at_ = world_.clock.WallNow();
  return Result<>();
}

void Daemon::Stop(SteadyTime deadline) {
  {
    MutexLock lock(mutex_);
    ready_ = false;
  }
  poller_->Stop();
  rules_->Stop();
  notifier_->Stop(deadline);
  push_->Stop(deadline);
  if (const auto flushed = store_->Flush(); !flushed.ok()) {
    LogError("the last samples could not be synced to disk", {{"error", flushed.error().message}});
  }
}

api::Context Daemon::ApiContext(std::string version) {
  api::Context context{.clock = world_.clock,
                       .promql = *promql_,
                       .store = *store_,
                       .poller = *poller_,
                       .rules = *rules_,
                       .notifier = *notifier_,
                       .receiver = receiver_.get()};
  context.version = std::move(version);
  context.started_at = started_at_;
  context.ready = [this] {
    MutexLock lock(mutex_);
    return ready_;
  };
  context.config_text = [this] {
    MutexLock lock(mutex_);
    return yaml_;
  };
  context.external_labels = [this] {
    MutexLock lock(mutex_);
    return external_labels_;
  };
  context.alertmanagers = [this] {
    MutexLock lock(mutex_);
    return alertmanagers_;
  };
  context.process = [this] {
    api::ProcessStatus status = ReadProcessStatus(world_.files);
    MutexLock lock(mutex_);
    status.last_reload_at = applied_at_;
    return status;
  };
  return context;
}

Result<> Daemon::Healthy() const {
  const WallTime now = world_.clock.WallNow();
  WallTime applied_at;
  {
    MutexLock lock(mutex_);
    applied_at = applied_at_;
  }
  // That a target does not answer is for the rules to judge; that it is not asked is not.
  for (const model::SourceState& source : poller_->Snapshot()) {
    // One that runs into its time-out begins again only at the slot after it.
    if (now - std::max(source.last_poll, applied_at) >
        kLateIntervals * source.interval + 2 * source.timeout + kLateSlack) {
      return Error{ErrorCode::kUnavailable,
                   "polling of " + source.kind + "/" + source.name + " is late"};
    }
  }
  for (const rules::GroupStatus& group : rules_->Groups()) {
    const WallTime last = std::max(group.last_evaluation.value_or(applied_at), applied_at);
    if (now - last > kLateIntervals * group.interval + kLateSlack) {
      return Error{ErrorCode::kUnavailable, "evaluation of group " + group.name + " is late"};
    }
  }
  return Result<>();
}

poll::PollConfig Daemon::WithSelf(const poll::PollConfig& configured) const {
  poll::PollConfig with_self = configured;
  with_self.targets.push_back(
      SelfTarget(registry_, configured.interval, SelfInstance(config_.api)));
  return with_self;
}

rules::RuleEngine::Options Daemon::RuleOptions() const {
  rules::RuleEngine::Options options;
  options.interval = config_.rules.interval;
  options.evaluation = config_.rules.evaluation;
  options.hold = config_.rules.hold;
  options.external_labels = config_.external_labels;
  options.external_url = config_.api.external_url;
  return options;
}

}  // namespace tocsin::app
