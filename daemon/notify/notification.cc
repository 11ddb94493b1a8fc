#include "daemon/notify/notification.h"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>

namespace tocsin::notify {
namespace {

using model::Labels;
using nlohmann::ordered_json;

ordered_json ToJson(const Labels& labels) {
  ordered_json object = ordered_json::object();
  for (const auto& [name, value] : labels) object[std::string(name)] = value;
  return object;
}

Labels FromJson(const ordered_json& object) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [name, value] : object.items()) {
    pairs.emplace_back(name, value.get<std::string>());
  }
  return Labels::FromMap(pairs);
}

// Never throws: bytes that are not UTF-8 become U+FFFD.
std::string Dump(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

template <class Get>
Labels Common(const std::vector<NotifiedAlert>& alerts, Get get) {
  if (alerts.empty()) return {};
  std::vector<model::LabelView> common;
  const Labels& first = get(alerts.front());
  for (const auto& [name, value] : first) {
    const bool shared = std::all_of(alerts.begin() + 1, alerts.end(), [&](const auto& alert) {
      return get(alert).Get(name) == value;
    });
    if (shared) common.emplace_back(name, value);
  }
  return Labels::FromSorted(common);
}

// Alertmanager's order of label sets: fewer labels first, then the first name that
// the other lacks or has with a larger value.
bool LabelsBefore(const Labels& a, const Labels& b) {
  if (a.size() != b.size()) return a.size() < b.size();
  for (const auto& [name, value] : a) {
    const std::string_view other = b.Get(name);
    if (other.empty() || value < other) return true;
    if (value > other) return false;
  }
  return false;
}

bool AlertBefore(const NotifiedAlert& a, const NotifiedAlert& b) {
  for (const std::string_view name : {"job", "instance"}) {
    const std::string_view left = a.labels.Get(name);
    const std::string_view right = b.labels.Get(name);
    if (left == right) continue;
    if (left.empty() || right.empty()) return right.empty();
    return left < right;
  }
  return LabelsBefore(a.labels, b.labels);
}

}  // namespace

bool Notification::Firing() const { return CountFiring() > 0; }

std::size_t Notification::CountFiring() const {
  return static_cast<std::size_t>(std::count_if(alerts.begin(), alerts.end(),
                                                [](const auto& alert) { return !alert.resolved; }));
}

Labels Notification::CommonLabels() const {
  return Common(alerts, [](const NotifiedAlert& alert) -> const Labels& { return alert.labels; });
}

Labels Notification::CommonAnnotations() const {
  return Common(alerts,
                [](const NotifiedAlert& alert) -> const Labels& { return alert.annotations; });
}

void SortAlerts(std::vector<NotifiedAlert>& alerts) {
  std::stable_sort(alerts.begin(), alerts.end(), AlertBefore);
}

std::string EncodeNotification(const Notification& notification) {
  ordered_json json;
  json["receiver"] = notification.receiver;
  json["groupKey"] = notification.group_key;
  json["groupLabels"] = ToJson(notification.group_labels);
  if (!notification.route_labels.empty()) json["routeLabels"] = ToJson(notification.route_labels);
  json["reason"] = static_cast<int>(notification.reason);
  json["alerts"] = ordered_json::array();
  for (const NotifiedAlert& alert : notification.alerts) {
    ordered_json entry;
    entry["resolved"] = alert.resolved;
    entry["labels"] = ToJson(alert.labels);
    entry["annotations"] = ToJson(alert.annotations);
    entry["startsAt"] = ToUnixMillis(alert.starts_at);
    entry["endsAt"] = ToUnixMillis(alert.ends_at);
    entry["generatorURL"] = alert.generator_url;
    if (alert.value) entry["value"] = *alert.value;
    entry["resolveReason"] = alert.resolve_reason;
    json["alerts"].push_back(std::move(entry));
  }
  return Dump(json);
}

Result<Notification> DecodeNotification(std::string_view payload) {
  try {
    const ordered_json json = ordered_json::parse(payload);
    Notification notification;
    notification.receiver = json.at("receiver").get<std::string>();
    notification.group_key = json.at("groupKey").get<std::string>();
    notification.group_labels = FromJson(json.at("groupLabels"));
    if (const auto labels = json.find("routeLabels"); labels != json.end()) {
      notification.route_labels = FromJson(*labels);
    }
    notification.reason = static_cast<Reason>(json.at("reason").get<int>());
    for (const ordered_json& entry : json.at("alerts")) {
      NotifiedAlert alert;
      alert.resolved = entry.at("resolved").get<bool>();
      alert.labels = FromJson(entry.at("labels"));
      alert.annotations = FromJson(entry.at("annotations"));
      alert.starts_at = FromUnixMillis(entry.at("startsAt").get<std::int64_t>());
      alert.ends_at = FromUnixMillis(entry.at("endsAt").get<std::int64_t>());
      alert.generator_url = entry.at("generatorURL").get<std::string>();
      // A value that JSON cannot hold (NaN) was written as null.
      if (const auto value = entry.find("value"); value != entry.end() && value->is_number()) {
        alert.value = value->get<double>();
      }
      alert.resolve_reason = entry.at("resolveReason").get<std::string>();
      notification.alerts.push_back(std::move(alert));
    }
    return notification;
  } catch (const std::exception& e) {
    return Error{ErrorCode::kCorruption,
                 std::string("a stored delivery does not read: ") + e.what()};
  }
}

std::string LabelsJson(const Labels& labels) { return Dump(ToJson(labels)); }

Result<Labels> ParseLabelsJson(std::string_view json) {
  try {
    return FromJson(ordered_json::parse(json));
  } catch (const std::exception& e) {
    return Error{ErrorCode::kCorruption, std::string("stored labels do not read: ") + e.what()};
  }
}

}  // namespace tocsin::notify
