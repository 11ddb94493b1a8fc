#include "daemon/notify/notifier.h"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/base/log.h"
#include "daemon/base/text.h"
#include "daemon/notify/notifier_impl.h"

namespace tocsin::notify {
namespace {

constexpr Millis kDiskRetry = std::chrono::seconds(1);
constexpr Millis kDeliveryOverdue = std::chrono::minutes(5);

}  // namespace

Result<std::unique_ptr<Notifier>> Notifier::Open(std::shared_ptr<const NotifyConfig> config,
                                                 Options options, const Clock& clock,
                                                 ExecutorFactory& executors, HttpClient& http,
                                                 FileSystem& files, MetricRegistry& metrics) {
  TOCSIN_ASSIGN_OR_RETURN(auto db, StateDb::Open(options.database));
  auto notifier = std::make_unique<NotifierImpl>(std::move(options), std::move(db), clock,
                                                 executors, http, files, metrics);
  TOCSIN_RETURN_IF_ERROR(notifier->Restore(std::move(config)));
  return std::unique_ptr<Notifier>(std::move(notifier));
}

NotifierImpl::NotifierImpl(Options options, std::unique_ptr<StateDb> db, const Clock& clock,
                           ExecutorFactory& executors, HttpClient& http, FileSystem& files,
                           MetricRegistry& metrics)
    : options_(std::move(options)),
      clock_(clock),
      executors_(executors),
      http_(http),
      files_(files),
      registry_(metrics),
      metrics_(metrics),
      db_(std::move(db)),
      random_(options_.seed),
      owned_lane_(executors.NewExecutor("notify")),
      lane_(owned_lane_.get()) {}

NotifierImpl::~NotifierImpl() { Stop(clock_.SteadyNow()); }

Result<> NotifierImpl::Restore(std::shared_ptr<const NotifyConfig> config) {
  TOCSIN_ASSIGN_OR_RETURN(Receivers receivers, MakeReceivers(*config));
  {
    MutexLock writer(writer_);
    TOCSIN_ASSIGN_OR_RETURN(StoredState stored, db_->Load());
    const Moment now = Moment::Of(clock_);
    outbox_.Restore(stored.deliveries, now);
    channels_ = std::move(stored.channels);
    renamed_ = FindRenamed(*config, receivers);
    channels_ = ChannelsOf(receivers);
    auto dispatcher = std::make_unique<Dispatcher>(std::move(config));
    Step step = dispatcher->Restore(std::move(stored), renamed_, now);
    {
      MutexLock state(state_);
      dispatcher_ = std::move(dispatcher);
    }
    TOCSIN_RETURN_IF_ERROR(Commit(std::move(step), now));
  }
  Orphans orphans;
  {
    MutexLock writer(writer_);
    orphans = SettleOrphans(Moment::Of(clock_));
  }
  UpdateWorkers(std::move(receivers));
  Report(orphans);
  return {};
}

void NotifierImpl::Start() {
  {
    MutexLock state(state_);
    started_ = true;
  }
  UpdateHeartbeat();
  Schedule();
  std::set<std::string> all;
  for (const notify::Outbox::Waiting& waiting : outbox_.List()) {
    all.insert(waiting.delivery.integration);
  }
  WakeWorkers(all);
}

Result<> NotifierImpl::Accept(std::vector<model::Alert> alerts) {
  TOCSIN_RETURN_IF_ERROR(Take(std::move(alerts), {kMaxAlerts, kMaxAlertBytes}));
  return {};
}

Result<std::size_t> NotifierImpl::AcceptFromElsewhere(std::vector<model::Alert> alerts) {
  return Take(std::move(alerts),
              {kMaxAlerts - kReservedAlerts, kMaxAlertBytes - kReservedAlertBytes});
}

Result<std::size_t> NotifierImpl::Take(std::vector<model::Alert> alerts,
                                       const AlertLimits& limits) {
  const std::size_t count = alerts.size();
  std::size_t left_out = 0;
  Result<> result;
  {
    MutexLock writer(writer_);
    if (stopped_) return Error{ErrorCode::kUnavailable, "notify has stopped"};
    const Moment now = Moment::Of(clock_);
    auto step = planner().PlanAccept(std::move(alerts), now, limits);
    if (step.ok()) left_out = step->alerts_over_limit;
    result = step.ok() ? Commit(*std::move(step), now) : Result<>(step.error());
  }
  const std::size_t taken = result.ok() ? count - left_out : 0;
  metrics_.alerts_received.Add(static_cast<double>(taken));
  metrics_.alerts_rejected.Add(static_cast<double>(count - taken));
  TOCSIN_RETURN_IF_ERROR(result);
  Schedule();
  return left_out;
}

Result<> NotifierImpl::Commit(Step step, Moment now) {
  auto written = db_->Write(step.changes);
  if (!written.ok()) {
    metrics_.state_write_failures.Add();
    if (!disk_fails_) {
      LogError("state.db cannot be written: alerts and notifications wait",
               {{"error", written.error().message}});
    }
    disk_fails_ = true;
    return written;
  }
  if (disk_fails_) LogInfo("state.db can be written again");
  disk_fails_ = false;
  for (const std::int64_t id : step.changes.dropped_deliveries) outbox_.Remove(id);
  for (const Delivery& delivery : step.changes.deliveries) outbox_.Add(delivery, now);
  MutexLock state(state_);
  dispatcher_->Apply(std::move(step));
  return {};
}

void NotifierImpl::RunDue() {
  std::set<std::string> wake;
  std::vector<std::pair<std::string, std::string>> told;  // Integration and group.
  std::size_t refused = 0;
  std::size_t replaced = 0;
  std::size_t expired = 0;
  bool failed = false;
  Orphans orphans;
  const Moment now = Moment::Of(clock_);
  {
    MutexLock writer(writer_);
    if (stopped_) return;
    {
      MutexLock state(state_);
      wake_ = {SteadyTime::max(), 0};
    }
    RetrySettlements(now);
    orphans = SettleOrphans(now);
    expired = outbox_.Expired(now).size();
    Step step = planner().PlanDue(now, outbox_);
    refused = step.refused;
    replaced = step.changes.dropped_deliveries.size() - expired;
    for (const Delivery& delivery : step.changes.deliveries) {
      wake.insert(delivery.integration);
      told.emplace_back(delivery.integration, delivery.group_key);
    }
    failed = !Commit(std::move(step), now).ok();
  }
  Report(orphans);
  if (failed) {
    lane_->RunAt(now.steady + kDiskRetry, [this] { RunDue(); });
    return;
  }
  metrics_.notifications.Add(static_cast<double>(told.size()));
  metrics_.suppressed_full.Add(static_cast<double>(refused));
  metrics_.deliveries_replaced.Add(static_cast<double>(replaced));
  metrics_.deliveries_expired.Add(static_cast<double>(expired));
  for (const auto& [integration, group] : told) {
    LogDebug("a notification goes to the outbox", {{"integration", integration}, {"group", group}});
  }
  if (expired > 0) {
    LogError("notifications were dropped: their receiver did not take them in time",
             {{"count", std::to_string(expired)}});
  }
  if (refused > 0) {
    LogError("the outbox is full: notifications wait for their group's next flush",
             {{"count", std::to_string(refused)}});
  }
  UpdateGauges(now);
  WakeWorkers(wake);
  Schedule();
}

void NotifierImpl::Schedule() {
  MutexLock state(state_);
  if (!started_) return;
  const Moment now = Moment::Of(clock_);
  const SteadyTime when = dispatcher_->NextWake(now);
  if (wake_.first <= when) return;
  if (wake_.second != 0) lane_->Cancel(wake_.second);
  wake_ = {when, lane_->RunAt(when, [this] { RunDue(); })};
}

void NotifierImpl::WakeWorkers(const std::set<std::string>& integrations) {
  Workers workers;
  {
    MutexLock state(state_);
    if (!started_) return;
    workers = workers_;
  }
  for (const auto& [integration, worker] : workers) {
    if (integrations.count(integration)) worker->Wake();
  }
}

void NotifierImpl::UpdateGauges(Moment now) {
  const auto waiting = outbox_.List();
  metrics_.outbox_length.Set(static_cast<double>(waiting.size()));
  double oldest = 0;
  for (const auto& item : waiting) {
    oldest = std::max(oldest, ToSeconds(now.wall - item.delivery.created_at));
  }
  metrics_.outbox_oldest_seconds.Set(oldest);
  MutexLock state(state_);
  metrics_.alerts.Set(static_cast<double>(dispatcher_->alerts().size()));
  metrics_.groups.Set(static_cast<double>(dispatcher_->groups().size()));
  const auto& silences = dispatcher_->silences();
  metrics_.silences_kept.Set(static_cast<double>(silences.size()));
  metrics_.silences.Set(
      static_cast<double>(std::count_if(silences.begin(), silences.end(), [&](const auto& item) {
        return item.second.StateAt(now.wall) == SilenceState::kActive;
      })));
}

Result<NotifierImpl::Receivers> NotifierImpl::MakeReceivers(const NotifyConfig& config) {
  TOCSIN_ASSIGN_OR_RETURN(const auto templates, Templates::Make(config, options_.external_url));
  Receivers receivers;
  for (const ReceiverConfig& receiver : config.receivers) {
    for (const IntegrationConfig& integration : receiver.integrations) {
      DeliveryWorker::Settings settings;
      TOCSIN_ASSIGN_OR_RETURN(settings.receiver, MakeReceiver(integration, templates));
      settings.pace = paces_.For(*settings.receiver);
      settings.timeout = integration.timeout > Millis(0)
                             ? integration.timeout
                             : IntegrationConfig::kDefaultAttemptTimeout;
      receivers.emplace(integration.id, std::move(settings));
    }
  }
  return receivers;
}

void NotifierImpl::UpdateWorkers(Receivers receivers) {
  Workers gone;
  std::uint64_t seed = options_.seed;
  {
    MutexLock state(state_);
    gone.swap(workers_);
  }
  Workers current;
  DeliverySource& source = *this;
  for (auto& [id, settings] : receivers) {
    ++seed;
    auto worker = std::move(gone[id]);
    gone.erase(id);
    if (!worker) {
      const std::string kind = id.substr(0, id.rfind('/'));
      worker = std::make_shared<DeliveryWorker>(
          id, IntegrationMetrics(registry_, kind.substr(kind.rfind('/') + 1)),
          metrics_.template_errors, source, clock_, executors_, http_, files_, seed);
    }
    worker->Configure(std::move(settings));
    current[id] = std::move(worker);
  }
  {
    MutexLock state(state_);
    workers_ = std::move(current);
  }
  for (const auto& [id, worker] : gone) worker->Shutdown();
}

Result<> NotifierImpl::Reload(std::shared_ptr<const NotifyConfig> config) {
  TOCSIN_ASSIGN_OR_RETURN(Receivers receivers, MakeReceivers(*config));
  std::set<std::string> all;
  for (const auto& [id, settings] : receivers) all.insert(id);
  const Moment now = Moment::Of(clock_);
  {
    MutexLock writer(writer_);
    if (stopped_) return Error{ErrorCode::kUnavailable, "notify has stopped"};
    const auto renamed = FindRenamed(*config, receivers);
    auto dispatcher = std::make_unique<Dispatcher>(std::move(config));
    Step step = dispatcher->TakeOver(planner(), renamed, now);
    // Written for the new one while the old one still stands: an error changes nothing.
    TOCSIN_RETURN_IF_ERROR(db_->Write(step.changes));
    dispatcher->Apply(std::move(step));
    channels_ = ChannelsOf(receivers);
    channels_written_ = false;
    for (const auto& [old_name, name] : renamed) renamed_[old_name] = name;
    MutexLock state(state_);
    dispatcher_.swap(dispatcher);
    sick_.clear();
  }
  UpdateWorkers(std::move(receivers));
  {
    // An answer may have come in between for one that is gone.
    MutexLock state(state_);
    std::erase_if(sick_, [this](const auto& one) {
      state_.AssertHeld();
      return !workers_.contains(one.first);
    });
  }
  // After the workers that are gone have given back what they had in flight.
  Orphans orphans;
  {
    MutexLock writer(writer_);
    orphans = SettleOrphans(now);
  }
  Report(orphans);
  UpdateHeartbeat();
  // What a wrong address or credential kept back may go out now.
  for (const std::string& id : all) outbox_.MakeDue(id, now);
  Schedule();
  WakeWorkers(all);
  return {};
}

void NotifierImpl::UpdateHeartbeat() {
  {
    MutexLock state(state_);
    if (!started_) return;
  }
  const auto config = this->config();
  MutexLock lock(heartbeat_mutex_);
  heartbeat_.reset();
  if (!config->heartbeat) return;
  heartbeat_ = std::make_unique<Heartbeat>(
      *config->heartbeat, [this] { return HeartbeatCondition(); }, metrics_, clock_, executors_,
      http_, files_);
}

Result<> NotifierImpl::HeartbeatCondition() const {
  if (options_.healthy) TOCSIN_RETURN_IF_ERROR(options_.healthy());
  const Moment now = Moment::Of(clock_);
  for (const notify::Outbox::Waiting& waiting : outbox_.List()) {
    if (now.wall - waiting.delivery.created_at < kDeliveryOverdue) continue;
    return Error{ErrorCode::kUnavailable,
                 fmt::format("a notification for {} has waited for more than {}",
                             waiting.delivery.integration, FormatDuration(kDeliveryOverdue))};
  }
  MutexLock state(state_);
  for (const auto& [integration, sickness] : sick_) {
    if (sickness.refuses) {
      return Error{ErrorCode::kUnavailable,
                   integration + " refused a notification and has taken none since"};
    }
    if (now.steady - sickness.since < kDeliveryOverdue) continue;
    return Error{ErrorCode::kUnavailable,
                 fmt::format("deliveries to {} have failed for more than {}", integration,
                             FormatDuration(kDeliveryOverdue))};
  }
  return {};
}

void NotifierImpl::Stop(SteadyTime deadline) {
  const auto wait = deadline - clock_.SteadyNow();
  {
    MutexLock heartbeat(heartbeat_mutex_);
    heartbeat_.reset();
  }
  {
    MutexLock writer(writer_);
    stopped_ = true;
  }
  const auto busy = [this] {
    state_.AssertHeld();
    const SteadyTime now = clock_.SteadyNow();
    return std::any_of(workers_.begin(), workers_.end(), [&](const auto& item) {
      const auto due = outbox_.NextDue(item.first);
      return !item.second->idle() || (due && *due <= now);
    });
  };
  Workers workers;
  {
    MutexLock state(state_);
    if (started_ && wait > wait.zero()) {
      settled_.wait_for(state_, wait, [&] { return !busy(); });
    }
    started_ = false;
    workers.swap(workers_);
  }
  for (const auto& [id, worker] : workers) worker->Shutdown();
  owned_lane_.reset();
}

}  // namespace tocsin::notify
