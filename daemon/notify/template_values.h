#pragma once

// A Notification as Alertmanager's templates see it, and the functions they have
// beyond Go's own. Internal.

#include <string>

#include "daemon/base/clock.h"
#include "daemon/formats/go_template_value.h"
#include "daemon/notify/notification.h"

namespace tocsin::notify {

// Receiver, Status, Alerts (.Firing, .Resolved), NotificationReason, GroupLabels,
// CommonLabels, CommonAnnotations, RouteLabels, ExternalURL.
formats::GoValue TemplateValue(const Notification& notification, const std::string& external_url,
                               const model::Labels& route_labels);

// Those of both Prometheus and Alertmanager, and trimSpace, join, safeUrl,
// urlUnescape, base64encode, base64decode, stringSlice, list, append, dict, toJson,
// date, tz, toDate, mustToDate, now, since, routeLabels.
formats::GoFunctions NotificationFunctions(WallTime now, model::Labels route_labels);

}  // namespace tocsin::notify
