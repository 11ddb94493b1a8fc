#pragma once

// Notifier is the room's front: alerts come in from the rules (or from another
// Prometheus), are routed, grouped, inhibited and silenced as Alertmanager would,
// and go out to Slack, PagerDuty and webhooks through the durable outbox.
//
// Guarantees, across kill -9 and power loss:
//  - An alert whose Accept() returned OK is on disk. While it fires, each matching
//    integration that may be told accepts a request about it at least once, or
//    the failure shows in the log, the metrics and Explain().
//  - What was told as firing is told as resolved, exactly once in the log's view,
//    also when it ended under a silence, a mute interval or an inhibition. A refused
//    end is told anew until it is taken or five days old.
//    An alert that was never told is not told as resolved.
//  - Silences are on disk before SetSilence() and ExpireSilence() return.
//  - A restart tells nothing twice, save for a request whose answer was lost; its
//    dedup key is then the same.
//  - No credential is written to the database, a log line or an error.
//
// Threads: one lane dispatches, each integration has a lane of its own, so a sick
// one delays no other. All methods are thread-safe.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/executor.h"
#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"
#include "daemon/base/metrics.h"
#include "daemon/base/result.h"
#include "daemon/base/sqlite.h"
#include "daemon/model/alert.h"
#include "daemon/model/alert_sink.h"
#include "daemon/model/labels.h"
#include "daemon/notify/notification_log.h"
#include "daemon/notify/notify_config.h"
#include "daemon/notify/silence.h"

namespace tocsin::notify {

enum class AlertState { kUnprocessed, kActive, kSuppressed };
std::string_view AlertStateName(AlertState state);  // "unprocessed", "active", "suppressed".

// An alert as Alertmanager's API shows it.
struct AlertStatus {
  model::Alert alert;
  std::uint64_t fingerprint = 0;
  bool resolved = false;                        // Has ended; only KnownAlerts() lists those.
  AlertState state = AlertState::kUnprocessed;  // kUnprocessed before its group's first flush.
  std::vector<std::string> silenced_by;         // Silence ids.
  std::vector<std::string> inhibited_by;        // Fingerprints of the alerts that mute it.
  std::vector<std::string> muted_by;            // Time intervals.
  // Names of those its routes lead to: Alerts() in the order of the routes, Groups()
  // sorted, each once.
  std::vector<std::string> receivers;
};

struct GroupStatus {
  std::string key;       // Alertmanager's group key.
  model::Labels labels;  // What the group's alerts have in common by group_by.
  std::string receiver;
  WallTime next_flush{};
  std::vector<AlertStatus> alerts;
};

// A delivery that waits in the outbox.
struct PendingDelivery {
  std::int64_t id = 0;
  std::string integration;
  bool resolves = false;  // Tells the end of the whole group.
  bool in_flight = false;
  int attempts = 0;
  std::string last_error;  // Of the last attempt; empty before it.
  WallTime created_at{};
  WallTime next_attempt_at{};
  WallTime expires_at{};
};

// One attempt, of the last few hundred since the start.
struct DeliveryAttempt {
  std::int64_t delivery = 0;
  std::string integration;
  std::string group_key;
  WallTime at{};
  bool delivered = false;
  bool given_up = false;  // Refused for good.
  bool resolves = false;  // Tells the end of the whole group.
  std::string error;      // Empty if delivered.
  // What it tells of, no more than the first few of a big group.
  std::vector<model::Labels> alerts;

  static constexpr std::size_t kMaxAlerts = 16;
};

// Why somebody was, or was not, told of an alert: one per integration that its
// routes lead to.
struct DeliveryStatus {
  std::string group_key;
  std::string receiver;
  std::string integration;
  bool routed = true;  // Whether its route still exists; then also the route's timers.
  Millis group_wait{};
  Millis group_interval{};
  Millis repeat_interval{};
  WallTime next_flush{};
  bool told = false;    // Taken as firing and not yet told as resolved.
  bool queued = false;  // To be told as firing; it waits, and nothing of it was taken before.
  WallTime told_at{};   // The group's last notification; zero if there was none.
  Reason last_reason = Reason::kNothingTold;  // Of the group's last notification.
  Reason verdict = Reason::kNothingTold;      // What a flush now would do, and why.
  Quiet quiet = Quiet::kNone;
  std::vector<PendingDelivery> pending;
  std::vector<DeliveryAttempt> attempts;  // Oldest first.
};

class Notifier : public model::AlertSink {
 public:
  struct Options {
    Database::Options database;  // state.db, owned by this room alone.
    std::string external_url;    // Stands in messages; without a slash at its end.
    std::uint64_t seed = 0;      // Of jitter and silence ids; random in production.
    // SetSilence() refuses a new one beyond this, expired ones that are still kept
    // included (Alertmanager's --silences.max-silences).
    std::size_t max_silences = kMaxKeptSilences;
    // Asked before each heartbeat: an error keeps it back. Empty: always fine.
    std::function<Result<>()> healthy;
  };

  // Opens or creates state.db and reads what the last process left. Nothing is
  // sent before Start(). Credentials that stand in `files` are read there before each
  // attempt. The collaborators must outlive the Notifier.
  // Errors: kIoError, kPermissionDenied, kCorruption (the file is left untouched),
  // kInvalidArgument (a template of the configuration does not parse).
  static Result<std::unique_ptr<Notifier>> Open(std::shared_ptr<const NotifyConfig> config,
                                                Options options, const Clock& clock,
                                                ExecutorFactory& executors, HttpClient& http,
                                                FileSystem& files, MetricRegistry& metrics);

  // Begins dispatching and delivering.
  virtual void Start() = 0;

  // Takes a new configuration: alerts are routed anew, what was told stays told.
  // Alerts whose route is gone still get their RESOLVED where they were told, as
  // long as that integration exists.
  // Errors: kInvalidArgument (a template); nothing has changed then.
  virtual Result<> Reload(std::shared_ptr<const NotifyConfig> config) = 0;

  // Takes no more alerts, attempts what is due until `deadline`, and ends the
  // lanes. What could not be sent waits in the outbox for the next start.
  virtual void Stop(SteadyTime deadline) = 0;

  // Above kMaxAlerts or kMaxAlertBytes a batch's new alerts, and news that make a known
  // one larger, are left out and counted (tocsin_alerts_rejected_total); the sender
  // repeats them.
  // Errors: also kUnavailable after Stop().
  Result<> Accept(std::vector<model::Alert> alerts) override = 0;

  // The same for alerts that somebody else sends: the last kReservedAlerts places and
  // kReservedAlertBytes are kept for the rules of this host. Returns how many were left
  // out.
  virtual Result<std::size_t> AcceptFromElsewhere(std::vector<model::Alert> alerts) = 0;

  virtual std::vector<AlertStatus> Alerts() const = 0;  // Not ended; by fingerprint.
  // Also those that have ended and are not forgotten: somebody is yet to be told.
  virtual std::vector<AlertStatus> KnownAlerts() const = 0;
  virtual std::vector<GroupStatus> Groups() const = 0;  // By labels, then receiver.

  virtual std::vector<Silence> Silences() const = 0;  // Expired ones too, for a while.
  virtual std::optional<Silence> FindSilence(const std::string& id) const = 0;

  // Stores a new silence (empty id) or changes one; returns its id, a new one if
  // the change could not be made in place (the old one is then expired).
  // Errors: kInvalidArgument, kNotFound, kResourceExhausted (kMaxSilences in force or
  // to come, Options::max_silences kept), kIoError.
  virtual Result<std::string> SetSilence(Silence silence) = 0;
  // Errors: kNotFound (also if it has expired), kIoError.
  virtual Result<> ExpireSilence(const std::string& id) = 0;

  // Empty for an alert that is not known.
  virtual std::vector<DeliveryStatus> Explain(std::uint64_t fingerprint) const = 0;

  // All that waits, oldest first.
  virtual std::vector<PendingDelivery> Outbox() const = 0;

  // The last attempts of every integration, oldest first.
  virtual std::vector<DeliveryAttempt> Attempts() const = 0;

  virtual std::shared_ptr<const NotifyConfig> config() const = 0;

  static constexpr std::size_t kMaxAlerts = 50'000;
  static constexpr std::size_t kReservedAlerts = 10'000;
  static constexpr std::size_t kMaxAlertBytes = 96 << 20;  // Labels, annotations and links.
  static constexpr std::size_t kReservedAlertBytes = 32 << 20;
};

struct TestedIntegration {
  std::string integration;
  std::optional<Error> error;      // What it answered, without secrets.
  std::vector<std::string> notes;  // What of the message did not expand or was cut.
};

// Sends a made-up alert to each of one receiver's integrations, outside of the
// outbox, and its end where ends are told; waits for the answers.
// Errors: kNotFound (no such receiver), kInvalidArgument (a template).
Result<std::vector<TestedIntegration>> SendTestNotification(const NotifyConfig& config,
                                                            const std::string& receiver,
                                                            const std::string& external_url,
                                                            const Clock& clock, HttpClient& http);

}  // namespace tocsin::notify
