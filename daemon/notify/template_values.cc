#include "daemon/notify/template_values.h"

#include <date/tz.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <nlohmann/json.hpp>

#include "daemon/base/text.h"
#include "daemon/formats/go_template_time.h"
#include "daemon/formats/template_functions.h"

namespace tocsin::notify {
namespace {

using formats::GoFunction;
using formats::GoFunctions;
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
      {"EndsAt", GoValue::Time(alert.resolved ? alert.ends_at : WallTime{})},
      {"GeneratorURL", GoValue::String(alert.generator_url)},
      {"Fingerprint", GoValue::String(model::FingerprintText(alert.labels.Fingerprint()))},
  });
}

nlohmann::ordered_json ToJson(const GoValue& value) {
  using Kind = GoValue::Kind;
  nlohmann::ordered_json json;
  switch (value.kind()) {
    case Kind::kNil: return nullptr;
    case Kind::kBool: return value.AsBool();
    case Kind::kInt: return value.AsInt();
    case Kind::kFloat: return value.AsFloat();
    case Kind::kString: return value.AsString();
    case Kind::kDuration: return value.AsDuration().count();
    case Kind::kTime: return FormatTime(value.AsTime());
    case Kind::kList:
      json = nlohmann::ordered_json::array();
      for (const GoValue& item : value.AsList()) json.push_back(ToJson(item));
      return json;
    case Kind::kMap:
      json = nlohmann::ordered_json::object();
      for (const auto& [name, item] : value.AsMap()) json[name] = ToJson(item);
      return json;
    case Kind::kStruct:
      json = nlohmann::ordered_json::object();
      for (const auto& [name, item] : value.AsStruct()) json[name] = ToJson(item);
      return json;
  }
  return json;
}

Result<GoValue> Join(Args args) {
  std::string out;
  bool first = true;
  for (const GoValue& item : args[1].AsList()) {
    if (!first) out += args[0].AsString();
    first = false;
    out += item.Text();
  }
  return GoValue::String(std::move(out));
}

Result<GoValue> UrlUnescape(Args args) {
  const std::string& text = args[0].AsString();
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const std::string digits = text.substr(i + 1, 2);
      const bool hex = digits.size() == 2 && std::all_of(digits.begin(), digits.end(), [](char c) {
                         return std::isxdigit(static_cast<unsigned char>(c)) != 0;
                       });
      if (!hex) return Error{ErrorCode::kInvalidArgument, "invalid URL escape \"%" + digits + "\""};
      int byte = 0;
      std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
      out += static_cast<char>(byte);
      i += 2;
    }
  }
  return GoValue::String(std::move(out));
}

Result<GoValue> TimeInZone(Args args) {
  const std::string& zone = args[0].AsString();
  try {
    const auto info = date::locate_zone(zone)->get_info(args[1].AsTime());
    return GoValue::Time(args[1].AsTime(), info.offset, info.abbrev);
  } catch (const std::exception&) {
    return Error{ErrorCode::kInvalidArgument, "unknown time zone " + zone};
  }
}

GoFunction OfString(std::string (*function)(const std::string&)) {
  return {{GoType::kString}, false, [function](Args args) -> Result<GoValue> {
            return GoValue::String(function(args[0].AsString()));
          }};
}

}  // namespace

GoValue TemplateValue(const Notification& notification, const std::string& external_url) {
  GoValue::Items alerts;
  for (const NotifiedAlert& alert : notification.alerts) alerts.push_back(AlertValue(alert));
  return GoValue::Struct({
      {"Receiver", GoValue::String(notification.receiver)},
      {"Status", GoValue::String(std::string(notification.Status()))},
      {"Alerts", GoValue::List(std::move(alerts), AlertsType())},
      {"GroupLabels", KeyValues(notification.group_labels)},
      {"CommonLabels", KeyValues(notification.CommonLabels())},
      {"CommonAnnotations", KeyValues(notification.CommonAnnotations())},
      {"ExternalURL", GoValue::String(external_url)},
      {"NotificationReason", GoValue::String(std::string(ReasonName(notification.reason)))},
  });
}

GoFunctions NotificationFunctions(WallTime now) {
  GoFunctions functions = formats::CommonTemplateFunctions();
  functions["trimSpace"] =
      OfString([](const std::string& text) { return std::string(TrimSpace(text)); });
  functions["safeUrl"] = OfString([](const std::string& text) { return text; });
  functions["urlUnescape"] = {{GoType::kString}, false, UrlUnescape};
  functions["join"] = {{GoType::kString, GoType::kList}, false, Join};
  const auto list = [](Args args) -> Result<GoValue> {
    return GoValue::List(GoValue::Items(args.begin(), args.end()));
  };
  functions["stringSlice"] = {{GoType::kString}, true, list};
  functions["list"] = {{GoType::kAny}, true, list};
  functions["toJson"] = {{GoType::kAny}, false, [](Args args) -> Result<GoValue> {
                           const auto json = ToJson(args[0]);
                           return GoValue::String(json.dump(
                               -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
                         }};
  functions["date"] = {{GoType::kString, GoType::kTime}, false, [](Args args) -> Result<GoValue> {
                         return GoValue::String(formats::GoTimeFormat(args[1], args[0].AsString()));
                       }};
  functions["tz"] = {{GoType::kString, GoType::kTime}, false, TimeInZone};
  functions["now"] = {{}, false, [now](Args) -> Result<GoValue> { return GoValue::Time(now); }};
  functions["since"] = {{GoType::kTime}, false, [now](Args args) -> Result<GoValue> {
                          return GoValue::Duration(now - args[0].AsTime());
                        }};
  return functions;
}

}  // namespace tocsin::notify
