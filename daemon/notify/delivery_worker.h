#pragma once

// A DeliveryWorker sends what waits in the outbox for one integration, on a lane
// of its own: oldest first, a few at once but never two of one group, not faster
// than the channel allows. A sick receiver delays nobody else. Internal.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "daemon/base/executor.h"
#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"
#include "daemon/base/mutex.h"
#include "daemon/notify/channel_pace.h"
#include "daemon/notify/delivery.h"
#include "daemon/notify/notify_metrics.h"
#include "daemon/notify/receivers/receiver.h"

namespace tocsin::notify {

// Where a worker takes deliveries from and reports to. Thread-safe.
class DeliverySource {
 public:
  virtual ~DeliverySource() = default;

  // A delivery that is due, with its payload; it is in flight until it is settled.
  // Errors: kIoError, kCorruption.
  virtual Result<std::optional<Delivery>> Claim(const std::string& integration) = 0;
  virtual std::optional<SteadyTime> NextDue(const std::string& integration) = 0;

  // How the attempt ended; `delivery` counts it, and says when the next one is.
  virtual void Settle(const Delivery& delivery, const Verdict& verdict) = 0;
  // There was no attempt, or none whose end is known: then `delivery` may have been taken.
  virtual void Release(const Delivery& delivery) = 0;
};

// Made and destroyed by Notifier; the collaborators must outlive it.
class DeliveryWorker : public std::enable_shared_from_this<DeliveryWorker> {
 public:
  static constexpr int kMaxInFlight = 4;

  struct Settings {
    std::shared_ptr<const Receiver> receiver;
    std::shared_ptr<ChannelPace> pace;
    Millis timeout{0};
  };

  DeliveryWorker(std::string integration, IntegrationMetrics metrics, Counter text_problems,
                 DeliverySource& source, const Clock& clock, ExecutorFactory& executors,
                 HttpClient& http, FileSystem& files, std::uint64_t seed);
  ~DeliveryWorker();

  // Takes new settings; what is in flight ends under the old ones.
  void Configure(Settings settings);
  // Looks for work, soon and on the lane. Thread-safe.
  void Wake();
  bool idle() const;
  // Ends the lane and what is in flight; nothing of the source is called
  // afterwards. To be called once before the last reference goes, not on the lane.
  void Shutdown();

 private:
  void Pump();
  void Send(Delivery delivery);
  // An attempt that cannot be made.
  void GiveUp(Delivery delivery, FailureReason reason, std::string error);
  void Conclude(std::uint64_t token, HttpExchange exchange);  // Of the client's thread.
  void Finish(std::uint64_t token, HttpExchange exchange);
  // Reports and remembers what became of the recipients of a mail.
  void NoteRecipients(Delivery& delivery, Verdict& verdict, const Receiver& receiver);
  void SleepUntil(SteadyTime when);

  struct Flight {
    Delivery delivery;
    Settings settings;
    SteadyTime started_at{};
    HttpClient::RequestId request = 0;
  };

  const std::string integration_;
  IntegrationMetrics metrics_;
  Counter text_problems_;
  DeliverySource& source_;
  const Clock& clock_;
  HttpClient& http_;
  FileSystem& files_;

  mutable Mutex mutex_;
  Settings settings_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
  std::map<std::uint64_t, Flight> flights_ GUARDED_BY(mutex_);

  // What became of a mail's recipients is known here alone: after a restart all of them
  // get it again, under the same Message-Id.
  static constexpr std::size_t kMaxRemembered = 1000;

  // Of the lane alone.
  Backoff backoff_;
  struct Settled {
    std::vector<std::string> recipients;  // They need no further attempt.
    bool taken = false;                   // By one of them: the others refused it for good.
  };
  std::map<std::int64_t, Settled> settled_;  // By delivery.
  std::uint64_t next_token_ = 1;
  std::optional<std::pair<SteadyTime, TaskId>> sleep_;
  std::unique_ptr<Executor> owned_lane_;  // Last: its tasks use what is above.
  Executor* const lane_;                  // Valid for a task until it has run.
};

}  // namespace tocsin::notify
