#include "daemon/notify/delivery_worker.h"

#include <algorithm>
#include <utility>

#include "daemon/base/log.h"

namespace tocsin::notify {
namespace {

constexpr Millis kClaimRetry = std::chrono::seconds(1);  // After a disk error.

}  // namespace

DeliveryWorker::DeliveryWorker(std::string integration, IntegrationMetrics metrics,
                               Counter text_problems, DeliverySource& source, const Clock& clock,
                               ExecutorFactory& executors, HttpClient& http, FileSystem& files,
                               std::uint64_t seed)
    : integration_(std::move(integration)),
      metrics_(std::move(metrics)),
      text_problems_(text_problems),
      source_(source),
      clock_(clock),
      http_(http),
      files_(files),
      backoff_(seed),
      owned_lane_(executors.NewExecutor("notify:" + integration_)),
      lane_(owned_lane_.get()) {}

DeliveryWorker::~DeliveryWorker() = default;

void DeliveryWorker::Shutdown() {
  {
    MutexLock lock(mutex_);
    closed_ = true;
  }
  owned_lane_.reset();
  std::map<std::uint64_t, Flight> flights;
  {
    MutexLock lock(mutex_);
    flights.swap(flights_);
  }
  for (auto& [token, flight] : flights) {
    http_.Cancel(flight.request);
    flight.delivery.maybe_taken = true;
    source_.Release(flight.delivery);
  }
}

void DeliveryWorker::Configure(Settings settings) {
  MutexLock lock(mutex_);
  settings_ = std::move(settings);
}

void DeliveryWorker::Wake() {
  MutexLock lock(mutex_);
  if (!closed_) lane_->Post([this] { Pump(); });
}

bool DeliveryWorker::idle() const {
  MutexLock lock(mutex_);
  return flights_.empty();
}

void DeliveryWorker::Pump() {
  while (true) {
    std::shared_ptr<ChannelPace> pace;
    {
      MutexLock lock(mutex_);
      if (closed_ || flights_.size() >= kMaxInFlight) return;
      pace = settings_.pace;
    }
    const SteadyTime now = clock_.SteadyNow();
    const auto due = source_.NextDue(integration_);
    if (!due) return;
    const SteadyTime when = std::max(*due, pace->NextAt(now));
    if (when > now) {
      SleepUntil(when);
      return;
    }
    auto claimed = source_.Claim(integration_);
    if (!claimed.ok()) {
      LogError("a notification cannot be read from state.db",
               {{"integration", integration_}, {"error", claimed.error().message}});
      SleepUntil(now + kClaimRetry);
      return;
    }
    if (!*claimed) return;
    if (!pace->Take(now)) {  // Another integration of the channel was quicker.
      source_.Release(**claimed);
      continue;
    }
    Send(**std::move(claimed));
  }
}

void DeliveryWorker::Send(Delivery delivery) {
  const std::uint64_t token = next_token_++;
  Flight flight;
  flight.started_at = clock_.SteadyNow();
  {
    MutexLock lock(mutex_);
    flight.settings = settings_;
  }
  flight.settings.receiver = flight.settings.receiver->Renewed(files_);
  const auto notification = DecodeNotification(delivery.payload);
  flight.delivery = std::move(delivery);
  if (!notification.ok()) {
    GiveUp(std::move(flight.delivery), FailureReason::kOther, notification.error().message);
    return;
  }
  Occasion occasion{clock_.WallNow(), flight.delivery.created_at, integration_, {}};
  const auto settled = settled_.find(flight.delivery.id);
  if (settled != settled_.end()) occasion.settled_recipients = settled->second.recipients;
  EncodedMessage message = flight.settings.receiver->Encode(*notification, occasion);
  for (const std::string& note : message.notes) {
    text_problems_.Add();
    LogWarning("a notification's text is not as configured",
               {{"integration", integration_},
                {"problem", Redact(note, flight.settings.receiver->Secrets())}});
  }
  if (message.unsendable) {
    GiveUp(std::move(flight.delivery), FailureReason::kClientError, *message.unsendable);
    return;
  }
  const SteadyTime deadline = flight.started_at + flight.settings.timeout;
  {
    MutexLock lock(mutex_);
    flights_.emplace(token, std::move(flight));
  }
  metrics_.attempts.Add();
  const auto id = http_.Start(std::move(message.request), deadline,
                              [weak = weak_from_this(), token](HttpExchange exchange) {
                                if (const auto self = weak.lock())
                                  self->Conclude(token, std::move(exchange));
                              });
  MutexLock lock(mutex_);
  const auto sent = flights_.find(token);
  if (sent != flights_.end()) sent->second.request = id;
}

void DeliveryWorker::GiveUp(Delivery delivery, FailureReason reason, std::string error) {
  Verdict verdict;
  verdict.outcome = Outcome::kGiveUp;
  verdict.reason = reason;
  verdict.error = std::move(error);
  ++delivery.attempts;
  delivery.last_error = verdict.error;
  metrics_.attempts.Add();
  metrics_.CountFailure(reason);
  source_.Settle(delivery, verdict);
}

void DeliveryWorker::Conclude(std::uint64_t token, HttpExchange exchange) {
  MutexLock lock(mutex_);
  if (closed_) return;  // Shutdown() cancelled it: the lane is gone.
  lane_->Post([this, token, shared = std::make_shared<HttpExchange>(std::move(exchange))] {
    Finish(token, std::move(*shared));
  });
}

void DeliveryWorker::Finish(std::uint64_t token, HttpExchange exchange) {
  Flight flight;
  {
    MutexLock lock(mutex_);
    const auto found = flights_.find(token);
    if (found == flights_.end()) return;
    flight = std::move(found->second);
    flights_.erase(found);
  }
  const Receiver& receiver = *flight.settings.receiver;
  const SteadyTime now = clock_.SteadyNow();
  const WallTime wall = clock_.WallNow();
  Verdict verdict = JudgeExchange(exchange, receiver.answer_rules(), wall);
  verdict.error = Redact(std::move(verdict.error), receiver.Secrets());
  Delivery& delivery = flight.delivery;
  NoteRecipients(delivery, verdict, receiver);
  delivery.maybe_taken |= exchange.error.has_value();
  ++delivery.attempts;
  delivery.last_error = verdict.error;
  metrics_.request_seconds.Observe(ToSeconds(now - flight.started_at));
  if (verdict.outcome == Outcome::kDelivered) {
    metrics_.latency_seconds.Observe(std::max(0.0, ToSeconds(wall - delivery.created_at)));
  } else {
    metrics_.CountFailure(verdict.reason);
  }
  if (verdict.outcome == Outcome::kRetryLater) {
    const Millis wait = std::max(verdict.retry_after, backoff_.Next(delivery.attempts));
    delivery.next_attempt_at = wall + wait;
    if (verdict.holds_channel) flight.settings.pace->HoldUntil(now + wait);
  }
  source_.Settle(delivery, verdict);
  Pump();
}

void DeliveryWorker::NoteRecipients(Delivery& delivery, Verdict& verdict,
                                    const Receiver& receiver) {
  for (const std::string& refused : verdict.refused_recipients) {
    metrics_.CountRefusedRecipient();
    LogError("a mail's recipient was refused for good",
             {{"integration", integration_},
              {"group", delivery.group_key},
              {"recipient", Redact(refused, receiver.Secrets())}});
  }
  const auto known = settled_.find(delivery.id);
  if (verdict.outcome == Outcome::kGiveUp && !verdict.refused_recipients.empty() &&
      known != settled_.end() && known->second.taken) {
    // Somebody else has had it since an earlier attempt.
    verdict.outcome = Outcome::kDelivered;
    verdict.error.clear();
  }
  if (verdict.outcome != Outcome::kRetryLater) {
    settled_.erase(delivery.id);
    return;
  }
  if (verdict.settled_recipients.empty()) return;
  Settled& settled = settled_[delivery.id];
  settled.recipients.insert(settled.recipients.end(), verdict.settled_recipients.begin(),
                            verdict.settled_recipients.end());
  settled.taken |= verdict.settled_recipients.size() > verdict.refused_recipients.size();
  delivery.partly_delivered = settled.taken;
  // Those of deliveries that expired or moved away.
  if (settled_.size() > kMaxRemembered) settled_.erase(settled_.begin());
}

void DeliveryWorker::SleepUntil(SteadyTime when) {
  const SteadyTime now = clock_.SteadyNow();
  if (sleep_ && sleep_->first > now && sleep_->first <= when) return;
  if (sleep_) lane_->Cancel(sleep_->second);
  const TaskId task = lane_->RunAt(when, [this] { Pump(); });
  sleep_ = {when, task};
}

}  // namespace tocsin::notify
