#include "daemon/notify/notify_metrics.h"

#include <vector>

namespace tocsin::notify {
namespace {

const std::vector<double> kLatencyBounds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                            2.5,   5,    10,    30,   60,  300,  3600};
const std::vector<double> kRequestBounds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                            0.5,   1,    2.5,   5,    10,  30};

Counter RefusedRecipients(MetricRegistry& registry) {
  return registry.Counter("tocsin_mail_recipients_refused_total",
                          "Recipients of mails whom the mail server refused for good.");
}

}  // namespace

IntegrationMetrics::IntegrationMetrics(MetricRegistry& registry, const std::string& integration)
    : attempts(registry.Counter("tocsin_notifications_total", "Attempts to deliver a notification.",
                                {{"integration", integration}})),
      latency_seconds(
          registry.Histogram("tocsin_notification_latency_seconds",
                             "From the decision to notify until the receiver accepted, in seconds.",
                             kLatencyBounds, {{"integration", integration}})),
      request_seconds(registry.Histogram("tocsin_notification_request_duration_seconds",
                                         "Duration of one attempt, in seconds.", kRequestBounds,
                                         {{"integration", integration}})),
      registry_(&registry),
      integration_(integration) {
  for (const FailureReason reason :
       {FailureReason::kClientError, FailureReason::kServerError, FailureReason::kAuthError,
        FailureReason::kRateLimited, FailureReason::kDeadlineExceeded, FailureReason::kCanceled,
        FailureReason::kOther}) {
    registry.Counter(
        "tocsin_notifications_failed_total", "Attempts that failed, by reason.",
        {{"integration", integration}, {"reason", std::string(FailureReasonName(reason))}});
  }
  if (integration == "email") RefusedRecipients(registry);
}

void IntegrationMetrics::CountFailure(FailureReason reason) {
  registry_
      ->Counter("tocsin_notifications_failed_total", "Attempts that failed, by reason.",
                {{"integration", integration_}, {"reason", std::string(FailureReasonName(reason))}})
      .Add();
}

void IntegrationMetrics::CountRefusedRecipient() { RefusedRecipients(*registry_).Add(); }

NotifyMetrics::NotifyMetrics(MetricRegistry& registry)
    : alerts_received(registry.Counter("tocsin_alerts_received_total", "Alerts handed to notify.")),
      alerts_rejected(registry.Counter("tocsin_alerts_rejected_total",
                                       "Alerts not taken: invalid or over the limit.")),
      alerts(registry.Gauge("tocsin_alerts", "Alerts that notify knows now.")),
      groups(registry.Gauge("tocsin_alert_groups", "Alert groups.")),
      silences(registry.Gauge("tocsin_silences_active", "Silences in force.")),
      silences_kept(registry.Gauge("tocsin_silences_kept",
                                   "Silences, those to come and expired ones included.")),
      silences_refused(registry.Counter("tocsin_silences_refused_total",
                                        "Silences not taken because a limit was reached.")),
      notifications(registry.Counter("tocsin_deliveries_enqueued_total",
                                     "Notifications written to the outbox.")),
      suppressed_full(registry.Counter("tocsin_deliveries_refused_total",
                                       "Notifications put off because the outbox was full.")),
      outbox_length(registry.Gauge("tocsin_outbox_length", "Deliveries that wait.")),
      outbox_oldest_seconds(registry.Gauge("tocsin_outbox_oldest_age_seconds",
                                           "Age of the oldest delivery that waits.")),
      deliveries_expired(registry.Counter("tocsin_deliveries_expired_total",
                                          "Deliveries dropped because they became too old.")),
      deliveries_given_up(registry.Counter("tocsin_deliveries_given_up_total",
                                           "Deliveries that the receiver refused for good.")),
      deliveries_orphaned(
          registry.Counter("tocsin_deliveries_orphaned_total",
                           "Deliveries dropped because the configuration has no such receiver.")),
      deliveries_replaced(registry.Counter("tocsin_deliveries_replaced_total",
                                           "Deliveries replaced by newer ones that say more.")),
      state_write_failures(registry.Counter("tocsin_notify_state_write_failures_total",
                                            "Writes to state.db that failed.")),
      template_errors(registry.Counter("tocsin_notification_text_problems_total",
                                       "Message texts that did not expand or were cut.")),
      heartbeats(registry.Counter("tocsin_heartbeats_total", "Heartbeats that were accepted.")),
      heartbeats_withheld(registry.Counter("tocsin_heartbeats_withheld_total",
                                           "Heartbeats kept back because something is wrong.")) {}

}  // namespace tocsin::notify
