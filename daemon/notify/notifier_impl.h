#pragma once

// Notifier's body: it guards the Dispatcher, writes its steps to state.db, and
// connects the workers. Internal.
//
// Two locks, always in this order. `writer_` serialises everything that changes
// state and guards state.db: a step is planned, written and applied under it.
// `state_` guards what is in memory and is never held over I/O, so that readers
// do not wait for the disk; it is taken to apply a step and to read. Planning
// needs `writer_` alone, since nobody else can change what it reads.

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/notify/delivery_worker.h"
#include "daemon/notify/dispatcher.h"
#include "daemon/notify/heartbeat.h"
#include "daemon/notify/notifier.h"
#include "daemon/notify/notify_metrics.h"
#include "daemon/notify/outbox.h"
#include "daemon/notify/state_db.h"

namespace tocsin::notify {

class NotifierImpl : public Notifier, private DeliverySource {
 public:
  NotifierImpl(Options options, std::unique_ptr<StateDb> db, const Clock& clock,
               ExecutorFactory& executors, HttpClient& http, FileSystem& files,
               MetricRegistry& metrics);
  ~NotifierImpl() override;

  Result<> Restore(std::shared_ptr<const NotifyConfig> config);

  void Start() override;
  Result<> Reload(std::shared_ptr<const NotifyConfig> config) override;
  void Stop(SteadyTime deadline) override;
  Result<> Accept(std::vector<model::Alert> alerts) override;
  Result<std::size_t> AcceptFromElsewhere(std::vector<model::Alert> alerts) override;
  std::vector<AlertStatus> Alerts() const override;
  std::vector<AlertStatus> KnownAlerts() const override;
  std::vector<GroupStatus> Groups() const override;
  std::vector<Silence> Silences() const override;
  std::optional<Silence> FindSilence(const std::string& id) const override;
  Result<std::string> SetSilence(Silence silence) override;
  Result<> ExpireSilence(const std::string& id) override;
  std::vector<DeliveryStatus> Explain(std::uint64_t fingerprint) const override;
  std::vector<PendingDelivery> Outbox() const override;
  std::vector<DeliveryAttempt> Attempts() const override;
  std::shared_ptr<const NotifyConfig> config() const override;

 private:
  using Workers = std::map<std::string, std::shared_ptr<DeliveryWorker>>;
  using Receivers = std::map<std::string, DeliveryWorker::Settings>;
  struct Settlement {
    Delivery delivery;
    Verdict verdict;
  };

  // DeliverySource.
  Result<std::optional<Delivery>> Claim(const std::string& integration) override;
  std::optional<SteadyTime> NextDue(const std::string& integration) override;
  void Settle(const Delivery& delivery, const Verdict& verdict) override;
  void Release(const Delivery& delivery) override;

  // Takes alerts within `limits`; returns how many were left out.
  Result<std::size_t> Take(std::vector<model::Alert> alerts, const AlertLimits& limits);

  // Makes a receiver of each integration. Errors: kInvalidArgument (a template).
  Result<Receivers> MakeReceivers(const NotifyConfig& config);

  // notifier_orphans.cc
  // The receivers of the configuration before, whose channels_ are known, that `next` has
  // under another name: the same kinds of integration on the same channels.
  Dispatcher::ReceiverNames FindRenamed(const NotifyConfig& next, const Receivers& receivers)
      REQUIRES_LOCK(writer_);
  struct Orphans {
    std::vector<Delivery> moved;  // Under their new integration.
    std::vector<Delivery> dropped;
  };
  // Deliveries of integrations that the configuration does not have: those of a
  // renamed receiver go to it, the others are dropped. Once there are none left, the
  // present channels are noted for the next start: a crash before that finds the old ones.
  Orphans SettleOrphans(Moment now) REQUIRES_LOCK(writer_);
  void Report(const Orphans& orphans);
  static IntegrationChannels ChannelsOf(const Receivers& receivers);
  // Brings the workers in line with `receivers`; ends those that are gone.
  void UpdateWorkers(Receivers receivers);
  void UpdateHeartbeat();
  Result<> HeartbeatCondition() const;

  // The dispatcher to plan with: whoever holds writer_ is the only one who could
  // change it, so that it can be read without state_.
  const Dispatcher& planner() const REQUIRES_LOCK(writer_) UNCHECKED_LOCKS { return *dispatcher_; }

  // Writes and applies; on an error nothing has changed.
  Result<> Commit(Step step, Moment now) REQUIRES_LOCK(writer_);
  Result<> TrySettle(const Settlement& settlement, Moment now) REQUIRES_LOCK(writer_);
  void RetrySettlements(Moment now) REQUIRES_LOCK(writer_);
  std::string NewSilenceId() REQUIRES_LOCK(writer_);

  AlertsView View(WallTime now) const;
  void RunDue();
  void Schedule();  // Sees to it that RunDue runs when it is next needed.
  void WakeWorkers(const std::set<std::string>& integrations);
  void NoteHealth(const Delivery& delivery, const Verdict& verdict);
  void UpdateGauges(Moment now);

  const Options options_;
  const Clock& clock_;
  ExecutorFactory& executors_;
  HttpClient& http_;
  FileSystem& files_;
  MetricRegistry& registry_;
  NotifyMetrics metrics_;
  notify::Outbox outbox_;
  ChannelPaces paces_;

  Mutex writer_;
  std::unique_ptr<StateDb> db_ GUARDED_BY(writer_);
  std::vector<Settlement> unsettled_ GUARDED_BY(writer_);  // Ended, but not yet on disk.
  std::mt19937_64 random_ GUARDED_BY(writer_);
  IntegrationChannels channels_ GUARDED_BY(writer_);
  bool channels_written_ GUARDED_BY(writer_) = false;
  Dispatcher::ReceiverNames renamed_ GUARDED_BY(writer_);  // By this start or since.
  bool stopped_ GUARDED_BY(writer_) = false;
  bool disk_fails_ GUARDED_BY(writer_) = false;

  mutable Mutex state_;
  std::unique_ptr<Dispatcher> dispatcher_ GUARDED_BY(state_);
  Workers workers_ GUARDED_BY(state_);
  std::deque<DeliveryAttempt> attempts_ GUARDED_BY(state_);
  // Integrations that have failed since they last took something, or since the
  // configuration was read.
  struct Sickness {
    SteadyTime since{};
    bool refuses = false;  // A message was refused for good.
  };
  std::map<std::string, Sickness> sick_ GUARDED_BY(state_);
  bool started_ GUARDED_BY(state_) = false;
  std::pair<SteadyTime, TaskId> wake_ GUARDED_BY(state_){SteadyTime::max(), 0};
  ConditionVariable settled_;  // With state_.

  Mutex heartbeat_mutex_;
  std::unique_ptr<Heartbeat> heartbeat_ GUARDED_BY(heartbeat_mutex_);
  std::unique_ptr<Executor> owned_lane_;
  Executor* const lane_;  // Valid for a task until it has run.
};

}  // namespace tocsin::notify
