// Notifier as the source of its workers: claims and settlements.

#include "daemon/base/log.h"
#include "daemon/notify/notification.h"
#include "daemon/notify/notifier_impl.h"

namespace tocsin::notify {
namespace {

constexpr std::size_t kMaxAttemptsKept = 500;

DeliveryAttempt AttemptOf(const Delivery& delivery, const Verdict& verdict, WallTime now) {
  DeliveryAttempt attempt;
  attempt.delivery = delivery.id;
  attempt.integration = delivery.integration;
  attempt.group_key = delivery.group_key;
  attempt.at = now;
  attempt.delivered = verdict.outcome == Outcome::kDelivered;
  attempt.given_up = verdict.outcome == Outcome::kGiveUp;
  attempt.resolves = delivery.firing.empty();
  attempt.error = verdict.error;
  if (const auto told = DecodeNotification(delivery.payload); told.ok()) {
    for (const NotifiedAlert& alert : told->alerts) {
      if (attempt.alerts.size() == DeliveryAttempt::kMaxAlerts) break;
      attempt.alerts.push_back(alert.labels);
    }
  }
  return attempt;
}

}  // namespace

Result<std::optional<Delivery>> NotifierImpl::Claim(const std::string& integration) {
  MutexLock writer(writer_);
  std::optional<Delivery> claimed = outbox_.Claim(integration, Moment::Of(clock_));
  if (!claimed) return claimed;
  auto payload = db_->LoadPayload(claimed->id);
  if (payload.ok()) {
    claimed->payload = *std::move(payload);
    return claimed;
  }
  outbox_.Release(*claimed);
  return payload.error();
}

std::optional<SteadyTime> NotifierImpl::NextDue(const std::string& integration) {
  return outbox_.NextDue(integration);
}

void NotifierImpl::Release(const Delivery& delivery) { outbox_.Release(delivery); }

void NotifierImpl::Settle(const Delivery& delivery, const Verdict& verdict) {
  const Moment now = Moment::Of(clock_);
  bool written = false;
  {
    MutexLock writer(writer_);
    written = TrySettle({delivery, verdict}, now).ok();
    // It stays in flight, so that it is not sent again, until the disk takes it.
    if (!written) unsettled_.push_back({delivery, verdict});
    metrics_.outbox_length.Set(static_cast<double>(outbox_.size()));
  }
  if (verdict.outcome == Outcome::kGiveUp) Schedule();  // A refused end is to be told again.
  NoteHealth(delivery, verdict);
  if (verdict.outcome == Outcome::kGiveUp) metrics_.deliveries_given_up.Add();
  DeliveryAttempt attempt = AttemptOf(delivery, verdict, now.wall);
  MutexLock state(state_);
  attempts_.push_back(std::move(attempt));
  if (attempts_.size() > kMaxAttemptsKept) attempts_.pop_front();
  settled_.notify_all();
}

Result<> NotifierImpl::TrySettle(const Settlement& settlement, Moment now) {
  Step step;
  const Delivery& delivery = settlement.delivery;
  const Outcome outcome = settlement.verdict.outcome;
  // Who was put off is told with the next one, which the others have waited for.
  const bool gives_way =
      outcome == Outcome::kRetryLater && delivery.partly_delivered && outbox_.HasLater(delivery);
  if (outcome == Outcome::kRetryLater && !gives_way) {
    step.changes.deliveries.push_back(delivery);
  } else {
    step.changes.dropped_deliveries.push_back(delivery.id);
  }
  if (outcome == Outcome::kDelivered || delivery.partly_delivered) {
    planner().PlanTaken(delivery, step);
  }
  // Those who have it are not told again because of the others.
  if (outcome == Outcome::kGiveUp && !delivery.partly_delivered) {
    planner().PlanUntell(delivery, now, outbox_, step);
  }
  TOCSIN_RETURN_IF_ERROR(Commit(std::move(step), now));
  if (gives_way) metrics_.deliveries_replaced.Add();
  return {};
}

void NotifierImpl::RetrySettlements(Moment now) {
  std::erase_if(unsettled_, [&](const Settlement& settlement) {
    writer_.AssertHeld();
    return TrySettle(settlement, now).ok();
  });
}

// Logged on change: an integration that begins to fail, one that works again, a
// message refused for good.
void NotifierImpl::NoteHealth(const Delivery& delivery, const Verdict& verdict) {
  bool changed = false;
  {
    MutexLock state(state_);
    if (verdict.outcome == Outcome::kDelivered) {
      changed = sick_.erase(delivery.integration) > 0;
    } else {
      const auto [sick, added] = sick_.try_emplace(delivery.integration);
      if (added) sick->second.since = clock_.SteadyNow();
      sick->second.refuses |= verdict.outcome == Outcome::kGiveUp;
      changed = added;
    }
  }
  const std::string& id = delivery.integration;
  if (verdict.outcome == Outcome::kGiveUp) {
    LogError("a receiver refused a notification for good",
             {{"integration", id}, {"group", delivery.group_key}, {"error", verdict.error}});
  } else if (changed && verdict.outcome == Outcome::kDelivered) {
    LogInfo("a receiver takes notifications again", {{"integration", id}});
  } else if (changed) {
    LogWarning("a notification was not taken and will be tried again",
               {{"integration", id}, {"error", verdict.error}});
  }
}

}  // namespace tocsin::notify
