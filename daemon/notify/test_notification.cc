// `tocsin notify test`: one made-up alert to one receiver, past the outbox.

#include <fmt/format.h>

#include <set>

#include "daemon/notify/notifier.h"
#include "daemon/notify/receivers/receiver.h"

namespace tocsin::notify {

namespace {

Result<> SendOne(const IntegrationConfig& integration, const Receiver& target,
                 const Notification& notification, const Clock& clock, HttpClient& http,
                 std::set<std::string>& notes) {
  const Millis timeout = integration.timeout > Millis(0)
                             ? integration.timeout
                             : IntegrationConfig::kDefaultAttemptTimeout;
  const WallTime now = clock.WallNow();
  EncodedMessage message = target.Encode(notification, {now, now, integration.id, {}});
  for (std::string& note : message.notes) notes.insert(Redact(std::move(note), target.Secrets()));
  if (message.unsendable) return Error{ErrorCode::kInvalidArgument, *message.unsendable};
  const HttpExchange exchange =
      Fetch(http, std::move(message.request), clock.SteadyNow() + timeout);
  const Verdict verdict = JudgeExchange(exchange, target.answer_rules(), clock.WallNow());
  if (verdict.outcome == Outcome::kDelivered && verdict.refused_recipients.empty()) return {};
  if (verdict.outcome == Outcome::kDelivered) {
    const std::string refused = fmt::format("{}", fmt::join(verdict.refused_recipients, "; "));
    return Error{ErrorCode::kUnavailable,
                 Redact("delivered, but not to " + refused, target.Secrets())};
  }
  return Error{ErrorCode::kUnavailable, Redact(verdict.error, target.Secrets())};
}

}  // namespace

Result<std::vector<TestedIntegration>> SendTestNotification(const NotifyConfig& config,
                                                            const std::string& receiver,
                                                            const std::string& external_url,
                                                            const Clock& clock, HttpClient& http) {
  const ReceiverConfig* found = config.FindReceiver(receiver);
  if (!found) {
    return Error{ErrorCode::kNotFound, fmt::format("no receiver is named \"{}\"", receiver)};
  }
  TOCSIN_ASSIGN_OR_RETURN(const auto templates, Templates::Make(config, external_url));
  Notification notification;
  notification.receiver = receiver;
  notification.group_key = fmt::format("test:{}:{}", receiver, ToUnixMillis(clock.WallNow()));
  NotifiedAlert alert;
  alert.labels = {{"alertname", "TocsinTest"}, {"severity", "warning"}};
  alert.annotations = {{"summary", "This is a test of the alert delivery; nothing is wrong"}};
  alert.starts_at = clock.WallNow();
  notification.group_labels = {{"alertname", "TocsinTest"}};
  std::vector<TestedIntegration> tested;
  for (const IntegrationConfig& integration : found->integrations) {
    TOCSIN_ASSIGN_OR_RETURN(const auto target, MakeReceiver(integration, templates));
    alert.resolved = false;
    alert.ends_at = WallTime();
    notification.alerts = {alert};
    std::set<std::string> notes;  // Of both messages, each once.
    Result<> sent = SendOne(integration, *target, notification, clock, http, notes);
    if (sent.ok() && integration.send_resolved) {
      // What was opened is closed again.
      alert.resolved = true;
      alert.ends_at = clock.WallNow();
      notification.alerts = {alert};
      sent = SendOne(integration, *target, notification, clock, http, notes);
    }
    tested.push_back({integration.id,
                      sent.ok() ? std::nullopt : std::optional(sent.error()),
                      {notes.begin(), notes.end()}});
  }
  return tested;
}

}  // namespace tocsin::notify
