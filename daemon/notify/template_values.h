#pragma once

// A Notification as Alertmanager's templates see it, and the functions they have
// beyond Go's own. Internal.

#include <string>

#include "daemon/base/clock.h"
#include "daemon/formats/go_template_value.h"
#include "daemon/notify/notification.h"

namespace tocsin::notify {

// Receiver, Status, Alerts (.Firing, .Resolved), GroupLabels, CommonLabels,
// CommonAnnotations, ExternalURL, NotificationReason.
formats::GoValue TemplateValue(const Notification& notification, const std::string& external_url);

// Those of both Prometheus and Alertmanager, and trimSpace, join, safeUrl,
// urlUnescape, stringSlice, list, toJson, date, tz, now, since.
formats::GoFunctions NotificationFunctions(WallTime now);

}  // namespace tocsin::notify
