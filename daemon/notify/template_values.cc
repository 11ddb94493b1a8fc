#include "daemon/notify/template_values.h"

#include "daemon/formats/go_template_time.h"

namespace tocsin::notify {
namespace {

using formats::GoFunction;
using formats::GoType;
using formats::GoTypeInfo;
using formats::GoValue;
using Args = std::span<const GoValue>;

GoValue Strings(const std::vector<std::string>& list) {
  GoValue::Items items;
  for (const std::string& text : list) items.push_back(GoValue::String(text));
  return GoValue::List(std::move(items));
}

// The names of a map, alertname first, as SortedPairs orders them.
std::vector<std::string> SortedNames(const GoValue& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map.AsMap()) {
    if (name != model::kAlertName) names.push_back(name);
  }
  if (map.AsMap().count(model::kAlertName)) names.emplace(names.begin(), model::kAlertName);
  return names;
}

std::vector<std::string> SortedValues(const GoValue& map) {
  std::vector<std::string> values;
  for (const std::string& name : SortedNames(map)) {
    values.push_back(map.AsMap().find(name)->second.AsString());
  }
  return values;
}

// Of every pair in a list of pairs, one field.
GoFunction PairFields(std::string field) {
  return {{}, false, [field = std::move(field)](Args args) -> Result<GoValue> {
            GoValue::Items items;
            for (const GoValue& pair : args[0].AsList()) items.push_back(*pair.Field(field));
            return GoValue::List(std::move(items));
          }};
}

GoValue::TypePtr PairsType() {
  static const GoValue::TypePtr kType = std::make_shared<GoTypeInfo>(GoTypeInfo{
      "template.Pairs", {{"Names", PairFields("Name")}, {"Values", PairFields("Value")}}});
  return kType;
}

GoValue SortedPairs(const GoValue& map) {
  GoValue::Items pairs;
  for (const std::string& name : SortedNames(map)) {
    pairs.push_back(GoValue::Struct(
        {{"Name", GoValue::String(name)}, {"Value", map.AsMap().find(name)->second}}));
  }
  return GoValue::List(std::move(pairs), PairsType());
}

GoValue KeyValues(GoValue::Entries entries);

GoValue WithoutKeys(const GoValue& map, const GoValue& keys) {
  GoValue::Entries left = map.AsMap();
  for (const GoValue& key : keys.AsList()) {
    if (key.kind() == GoValue::Kind::kString) left.erase(key.AsString());
  }
  return KeyValues(std::move(left));
}

GoValue::TypePtr KeyValuesType() {
  static const GoValue::TypePtr kType = std::make_shared<GoTypeInfo>(GoTypeInfo{
      "template.KV",
      {{"SortedPairs",
        {{}, false, [](Args args) -> Result<GoValue> { return SortedPairs(args[0]); }}},
       {"Names",
        {{}, false, [](Args args) -> Result<GoValue> { return Strings(SortedNames(args[0])); }}},
       {"Values",
        {{}, false, [](Args args) -> Result<GoValue> { return Strings(SortedValues(args[0])); }}},
       {"Remove", {{GoType::kList}, false, [](Args args) -> Result<GoValue> {
                     return WithoutKeys(args[0], args[1]);
                   }}}}});
  return kType;
}

GoValue KeyValues(GoValue::Entries entries) {
  return GoValue::MapWithMissing(std::move(entries), GoValue::String(""), KeyValuesType());
}

GoValue KeyValues(const model::Labels& labels) {
  GoValue::Entries entries;
  for (const auto& [name, value] : labels) {
    entries.emplace(std::string(name), GoValue::String(std::string(value)));
  }
  return KeyValues(std::move(entries));
}

GoFunction AlertsWithStatus(std::string status) {
  return {{}, false, [status = std::move(status)](Args args) -> Result<GoValue> {
            GoValue::Items items;
            for (const GoValue& alert : args[0].AsList()) {
              if (alert.Field("Status")->AsString() == status) items.push_back(alert);
            }
            return GoValue::List(std::move(items));
          }};
}

GoValue::TypePtr AlertsType() {
  static const GoValue::TypePtr kType = std::make_shared<GoTypeInfo>(GoTypeInfo{
      "template.Alerts",
      {{"Firing", AlertsWithStatus("firing")}, {"Resolved", AlertsWithStatus("resolved")}}});
  return kType;
}

GoValue AlertValue(const NotifiedAlert& alert) {
  return GoValue::Struct({
      {"Status", GoValue::String(alert.resolved ? "resolved" : "firing")},
      {"Labels", KeyValues(alert.labels)},
      {"Annotations", KeyValues(alert.annotations)},
      {"StartsAt", GoValue::Time(alert.starts_at)},
      {"EndsAt", alert.resolved ? GoValue::Time(alert.ends_at) : formats::GoZeroTime()},
      {"GeneratorURL", GoValue::String(alert.generator_url)},
      {"Fingerprint", GoValue::String(model::FingerprintText(alert.labels.Fingerprint()))},
  });
}

}  // namespace

GoValue TemplateValue(const Notification& notification, const std::string& external_url,
                      const model::Labels& route_labels) {
  GoValue::Items alerts;
  for (const NotifiedAlert& alert : notification.alerts) alerts.push_back(AlertValue(alert));
  return GoValue::Struct({
      {"Receiver", GoValue::String(notification.receiver)},
      {"Status", GoValue::String(std::string(notification.Status()))},
      {"Alerts", GoValue::List(std::move(alerts), AlertsType())},
      {"NotificationReason", GoValue::String(std::string(ReasonName(notification.reason)))},
      {"GroupLabels", KeyValues(notification.group_labels)},
      {"CommonLabels", KeyValues(notification.CommonLabels())},
      {"CommonAnnotations", KeyValues(notification.CommonAnnotations())},
      {"RouteLabels", KeyValues(route_labels)},
      {"ExternalURL", GoValue::String(external_url)},
  });
}

}  // namespace tocsin::notify
