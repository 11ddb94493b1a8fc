// The functions of Alertmanager's templates beyond those that rules have too.

#include <date/tz.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <exception>
#include <nlohmann/json.hpp>

#include "daemon/base/base64.h"
#include "daemon/base/text.h"
#include "daemon/formats/go_template_time.h"
#include "daemon/formats/letter_case.h"
#include "daemon/formats/template_functions.h"
#include "daemon/notify/template_values.h"

namespace tocsin::notify {
namespace {

using formats::GoFunction;
using formats::GoFunctions;
using formats::GoType;
using formats::GoValue;
using nlohmann::ordered_json;
using Args = std::span<const GoValue>;

Error Invalid(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

// A field's name in JSON, as Alertmanager's webhook spells it.
std::string JsonName(const std::string& field) {
  if (field == "NotificationReason") return "notification_reason";
  if (field == "Name" || field == "Value") return field;  // Of a pair.
  return static_cast<char>(std::tolower(static_cast<unsigned char>(field[0]))) + field.substr(1);
}

ordered_json ToJson(const GoValue& value) {
  using Kind = GoValue::Kind;
  ordered_json json;
  switch (value.kind()) {
    case Kind::kNil: return nullptr;
    case Kind::kBool: return value.AsBool();
    case Kind::kInt: return value.AsInt();
    case Kind::kFloat: return value.AsFloat();
    case Kind::kString: return value.AsString();
    case Kind::kDuration: return value.AsDuration().count();
    case Kind::kTime: return formats::GoTimeFormat(value, "2006-01-02T15:04:05.999999999Z07:00");
    case Kind::kList:
      json = ordered_json::array();
      for (const GoValue& item : value.AsList()) json.push_back(ToJson(item));
      return json;
    case Kind::kMap:
      json = ordered_json::object();
      for (const auto& [name, item] : value.AsMap()) json[name] = ToJson(item);
      return json;
    case Kind::kStruct:
      json = ordered_json::object();
      for (const auto& [name, item] : value.AsStruct()) json[JsonName(name)] = ToJson(item);
      return json;
  }
  return json;
}

// As Go writes it: what HTML would take for its own is escaped.
Result<GoValue> JsonText(Args args) {
  const std::string text =
      ToJson(args[0]).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "\\u003c"; break;
      case '>': out += "\\u003e"; break;
      case '&': out += "\\u0026"; break;
      default: out += c;
    }
  }
  return GoValue::String(std::move(out));
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
      if (!hex) return Invalid("invalid URL escape \"%" + digits + "\"");
      int byte = 0;
      std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
      out += static_cast<char>(byte);
      i += 2;
    }
  }
  return GoValue::String(std::move(out));
}

// Every word begins with a capital and goes on in lower case. An apostrophe, a dot or a
// colon between letters ends no word.
std::string Title(const std::string& text) {
  std::string out;
  bool within_word = false;  // A letter of this word has been.
  const std::string lower = formats::LowerCase(text);
  for (std::size_t at = 0; at < lower.size();) {
    std::size_t length = 1;
    while (at + length < lower.size() &&
           (static_cast<unsigned char>(lower[at + length]) & 0xC0) == 0x80) {
      ++length;
    }
    const std::string rune = lower.substr(at, length);
    const bool ascii = length == 1;
    const bool letter = !ascii ? rune != "’" : std::isalpha(static_cast<unsigned char>(rune[0]));
    out += letter && !within_word ? formats::UpperCase(rune) : rune;
    const bool joins = letter || rune == "’" || std::string_view("'.:_").find(rune) != rune.npos ||
                       (ascii && std::isdigit(static_cast<unsigned char>(rune[0])));
    within_word = joins && (within_word || letter);
    at += length;
  }
  return out;
}

Result<GoValue> TimeInZone(Args args) {
  const std::string& zone = args[0].AsString();
  try {
    const auto info = date::locate_zone(zone)->get_info(args[1].AsTime());
    return GoValue::Time(args[1].AsTime(), info.offset, info.abbrev);
  } catch (const std::exception&) {
    return Invalid("unknown time zone " + zone);
  }
}

Result<GoValue> ToDate(Args args) {
  auto parsed = formats::GoTimeParse(args[0].AsString(), args[1].AsString());
  return parsed.ok() ? *std::move(parsed) : formats::GoZeroTime();
}

Result<GoValue> MustToDate(Args args) {
  return formats::GoTimeParse(args[0].AsString(), args[1].AsString());
}

std::string EncodeForUrl(const std::string& text) {
  return EncodeBase64(text, Base64Alphabet::kUrl);
}

Result<GoValue> DecodeForUrl(Args args) {
  TOCSIN_ASSIGN_OR_RETURN(auto text, DecodeBase64(args[0].AsString(), Base64Alphabet::kUrl));
  return GoValue::String(std::move(text));
}

Result<GoValue> Append(Args args) {
  GoValue::Items items = args[0].AsList();
  items.insert(items.end(), args.begin() + 1, args.end());
  return GoValue::List(std::move(items));
}

// A map of "name", value, "name", value, …
Result<GoValue> Dict(Args args) {
  if (args.size() % 2 != 0) return Invalid("dict requires an even number of arguments");
  GoValue::Entries entries;
  for (std::size_t i = 0; i < args.size(); i += 2) {
    if (args[i].kind() != GoValue::Kind::kString) return Invalid("dict keys must be strings");
    entries.insert_or_assign(args[i].AsString(), args[i + 1]);
  }
  return GoValue::Map(std::move(entries));
}

Result<GoValue> ListOf(Args args) {
  return GoValue::List(GoValue::Items(args.begin(), args.end()));
}

GoFunction OfString(std::string (*function)(const std::string&)) {
  return {{GoType::kString}, false, [function](Args args) -> Result<GoValue> {
            return GoValue::String(function(args[0].AsString()));
          }};
}

void AddTimeFunctions(WallTime now, GoFunctions& functions) {
  functions["date"] = {{GoType::kString, GoType::kTime}, false, [](Args args) -> Result<GoValue> {
                         return GoValue::String(formats::GoTimeFormat(args[1], args[0].AsString()));
                       }};
  functions["tz"] = {{GoType::kString, GoType::kTime}, false, TimeInZone};
  functions["toDate"] = {{GoType::kString, GoType::kString}, false, ToDate};
  functions["mustToDate"] = {{GoType::kString, GoType::kString}, false, MustToDate};
  functions["now"] = {{}, false, [now](Args) -> Result<GoValue> { return GoValue::Time(now); }};
  functions["since"] = {{GoType::kTime}, false, [now](Args args) -> Result<GoValue> {
                          return GoValue::Duration(now - args[0].AsTime());
                        }};
}

}  // namespace

GoFunctions NotificationFunctions(WallTime now, model::Labels route_labels) {
  GoFunctions functions = formats::CommonTemplateFunctions();
  functions["title"] = OfString(Title);
  functions["trimSpace"] =
      OfString([](const std::string& text) { return std::string(TrimSpace(text)); });
  functions["safeUrl"] = OfString([](const std::string& text) { return text; });
  functions["urlUnescape"] = {{GoType::kString}, false, UrlUnescape};
  functions["base64encode"] = OfString(EncodeForUrl);
  functions["base64decode"] = {{GoType::kString}, false, DecodeForUrl};
  functions["join"] = {{GoType::kString, GoType::kList}, false, Join};
  functions["stringSlice"] = {{GoType::kString}, true, ListOf};
  functions["list"] = {{GoType::kAny}, true, ListOf};
  functions["append"] = {{GoType::kList, GoType::kAny}, true, Append};
  functions["dict"] = {{GoType::kAny}, true, Dict};
  functions["toJson"] = {{GoType::kAny}, false, JsonText};
  functions["routeLabels"] = {
      {GoType::kString}, false, [labels = std::move(route_labels)](Args args) -> Result<GoValue> {
        return GoValue::String(std::string(labels.Get(args[0].AsString())));
      }};
  AddTimeFunctions(now, functions);
  return functions;
}

}  // namespace tocsin::notify
