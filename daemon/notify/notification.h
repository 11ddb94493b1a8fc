#pragma once

// What a message says: a group and its alerts, without anything that belongs to
// the receiver or is secret. It is the content of a Delivery and what templates
// are expanded over. Internal.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/model/labels.h"
#include "daemon/notify/notification_log.h"

namespace tocsin::notify {

struct NotifiedAlert {
  bool resolved = false;
  model::Labels labels;
  model::Labels annotations;
  WallTime starts_at{};
  WallTime ends_at{};
  std::string generator_url;
  std::optional<double> value;
  std::string resolve_reason;
};

struct Notification {
  std::string receiver;
  std::string group_key;
  model::Labels group_labels;
  model::Labels route_labels;  // Values are templates over the rest.
  Reason reason = Reason::kFirstNotification;
  std::vector<NotifiedAlert> alerts;  // In Alertmanager's order.

  bool Firing() const;  // Whether any alert fires.
  std::string_view Status() const { return Firing() ? "firing" : "resolved"; }
  std::size_t CountFiring() const;
  // The labels (annotations) that every alert has with the same value.
  model::Labels CommonLabels() const;
  model::Labels CommonAnnotations() const;
};

// Sorts by job, then instance (those that have one first), then the other labels.
void SortAlerts(std::vector<NotifiedAlert>& alerts);

// To and from what the outbox keeps. Decode's errors: kCorruption.
std::string EncodeNotification(const Notification& notification);
Result<Notification> DecodeNotification(std::string_view payload);

// Labels as a JSON object, for the database. ParseLabels' errors: kCorruption.
std::string LabelsJson(const model::Labels& labels);
Result<model::Labels> ParseLabelsJson(std::string_view json);

}  // namespace tocsin::notify
