#pragma once

// The room's own numbers.

#include <string>

#include "daemon/base/metrics.h"
#include "daemon/notify/retry_policy.h"

namespace tocsin::notify {

// Of one kind of integration ("slack", "pagerduty", "webhook", "email").
struct IntegrationMetrics {
  IntegrationMetrics(MetricRegistry& registry, const std::string& integration);

  void CountFailure(FailureReason reason);
  void CountRefusedRecipient();

  Counter attempts;           // Attempts, good or bad.
  Histogram latency_seconds;  // From the decision to tell to the receiver's acceptance.
  Histogram request_seconds;  // Of one attempt.

 private:
  MetricRegistry* registry_;
  std::string integration_;
};

struct NotifyMetrics {
  explicit NotifyMetrics(MetricRegistry& registry);

  Counter alerts_received;
  Counter alerts_rejected;  // Not taken: over a limit or invalid.
  Gauge alerts;             // Known now.
  Gauge groups;
  Gauge silences;            // Active now.
  Gauge silences_kept;       // Expired ones included.
  Counter silences_refused;  // Beyond a limit.
  Counter notifications;     // Decisions to tell somebody.
  Counter suppressed_full;   // Put off because the outbox was full.
  Gauge outbox_length;
  Gauge outbox_oldest_seconds;  // Age of the oldest delivery that waits.
  Counter deliveries_expired;
  Counter deliveries_given_up;
  Counter deliveries_orphaned;  // Dropped: their receiver left the configuration.
  Counter deliveries_replaced;
  Counter state_write_failures;
  Counter template_errors;  // Texts that did not expand, or were cut.
  Counter heartbeats;
  Counter heartbeats_withheld;
};

}  // namespace tocsin::notify
