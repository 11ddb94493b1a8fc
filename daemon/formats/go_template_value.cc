#include "daemon/formats/go_template_value.h"

#include "daemon/formats/go_template_printf.h"
#include "daemon/formats/go_template_time.h"

namespace tocsin::formats {

struct GoValue::ListRep {
  Items items;
  TypePtr type;
};

struct GoValue::MapRep {
  Entries entries;
  GoValue missing;
  TypePtr type;
};

struct GoValue::StructRep {
  Fields fields;
  TypePtr type;
};

GoValue GoValue::Bool(bool value) {
  GoValue out;
  out.value_ = value;
  return out;
}

GoValue GoValue::Int(std::int64_t value) {
  GoValue out;
  out.value_ = value;
  return out;
}

GoValue GoValue::Float(double value) {
  GoValue out;
  out.value_ = value;
  return out;
}

GoValue GoValue::String(std::string value) {
  GoValue out;
  out.value_ = std::make_shared<const std::string>(std::move(value));
  return out;
}

GoValue GoValue::List(Items items, TypePtr type) {
  GoValue out;
  out.value_ = std::make_shared<const ListRep>(ListRep{std::move(items), std::move(type)});
  return out;
}

GoValue GoValue::Map(Entries entries, TypePtr type) {
  return MapWithMissing(std::move(entries), GoValue(), std::move(type));
}

GoValue GoValue::MapWithMissing(Entries entries, GoValue missing, TypePtr type) {
  GoValue out;
  out.value_ = std::make_shared<const MapRep>(
      MapRep{std::move(entries), std::move(missing), std::move(type)});
  return out;
}

GoValue GoValue::Struct(Fields fields, TypePtr type) {
  GoValue out;
  out.value_ = std::make_shared<const StructRep>(StructRep{std::move(fields), std::move(type)});
  return out;
}

GoValue GoValue::Time(WallTime time, std::chrono::seconds utc_offset, std::string zone) {
  GoValue out;
  out.value_ = std::make_shared<const TimeRep>(TimeRep{time, utc_offset, std::move(zone)});
  return out;
}

GoValue GoValue::Duration(std::chrono::nanoseconds duration) {
  GoValue out;
  out.value_ = duration;
  return out;
}

GoValue GoValue::StringMap(const std::vector<std::pair<std::string, std::string>>& pairs,
                           TypePtr type) {
  Entries entries;
  for (const auto& [key, value] : pairs) entries.insert_or_assign(key, String(value));
  return MapWithMissing(std::move(entries), String(""), std::move(type));
}

const GoValue::Items& GoValue::AsList() const { return std::get<ListPtr>(value_)->items; }
const GoValue::Entries& GoValue::AsMap() const { return std::get<MapPtr>(value_)->entries; }
const GoValue& GoValue::MissingOfMap() const { return std::get<MapPtr>(value_)->missing; }
const GoValue::Fields& GoValue::AsStruct() const { return std::get<StructPtr>(value_)->fields; }

double GoValue::Number() const {
  switch (kind()) {
    case Kind::kInt: return static_cast<double>(AsInt());
    case Kind::kFloat: return AsFloat();
    case Kind::kDuration: return static_cast<double>(AsDuration().count());
    default: return 0;
  }
}

const GoTypeInfo* GoValue::type() const {
  switch (kind()) {
    case Kind::kList: return std::get<ListPtr>(value_)->type.get();
    case Kind::kMap: return std::get<MapPtr>(value_)->type.get();
    case Kind::kStruct: return std::get<StructPtr>(value_)->type.get();
    default: return nullptr;
  }
}

const GoValue* GoValue::Field(std::string_view name) const {
  if (kind() != Kind::kStruct) return nullptr;
  for (const auto& [field, value] : AsStruct()) {
    if (field == name) return &value;
  }
  return nullptr;
}

bool GoValue::Truth() const {
  switch (kind()) {
    case Kind::kNil: return false;
    case Kind::kBool: return AsBool();
    case Kind::kInt: return AsInt() != 0;
    case Kind::kFloat: return AsFloat() != 0;
    case Kind::kString: return !AsString().empty();
    case Kind::kList: return !AsList().empty();
    case Kind::kMap: return !AsMap().empty();
    case Kind::kStruct:
    case Kind::kTime: return true;
    case Kind::kDuration: return AsDuration().count() != 0;
  }
  return false;
}

namespace {

std::string ElementText(const GoValue& value) { return value.IsNil() ? "<nil>" : value.Text(); }

std::string ListText(const GoValue::Items& items) {
  std::string out = "[";
  for (const auto& item : items) {
    if (out.size() > 1) out += ' ';
    out += ElementText(item);
  }
  return out + "]";
}

std::string MapText(const GoValue::Entries& entries) {
  std::string out = "map[";
  for (const auto& [key, value] : entries) {
    if (out.back() != '[') out += ' ';
    out += key + ":" + ElementText(value);
  }
  return out + "]";
}

std::string StructText(const GoValue::Fields& fields) {
  std::string out = "{";
  for (const auto& [name, value] : fields) {
    if (out.size() > 1) out += ' ';
    out += ElementText(value);
  }
  return out + "}";
}

}  // namespace

std::string GoValue::Text() const {
  // A type that implements Stringer prints through it.
  if (const auto* info = type()) {
    const auto method = info->methods.find("String");
    if (method != info->methods.end()) {
      auto text = method->second.call(std::span<const GoValue>(this, 1));
      if (text.ok() && text->kind() == Kind::kString) return text->AsString();
    }
  }
  switch (kind()) {
    case Kind::kNil: return "<no value>";
    case Kind::kBool: return AsBool() ? "true" : "false";
    case Kind::kInt: return std::to_string(AsInt());
    case Kind::kFloat: return GoFloatText(AsFloat());
    case Kind::kString: return AsString();
    case Kind::kList: return ListText(AsList());
    case Kind::kMap: return MapText(AsMap());
    case Kind::kStruct: return StructText(AsStruct());
    case Kind::kTime: return GoTimeText(*this);
    case Kind::kDuration: return GoDurationText(AsDuration());
  }
  return {};
}

std::string GoValue::TypeName() const {
  if (const auto* info = type(); info != nullptr && !info->name.empty()) return info->name;
  switch (kind()) {
    case Kind::kNil: return "interface {}";
    case Kind::kBool: return "bool";
    case Kind::kInt: return "int";
    case Kind::kFloat: return "float64";
    case Kind::kString: return "string";
    case Kind::kList: return "[]interface {}";
    case Kind::kMap:
      return MissingOfMap().kind() == Kind::kString ? "map[string]string"
                                                    : "map[string]interface {}";
    case Kind::kStruct: return "struct";
    case Kind::kTime: return "time.Time";
    case Kind::kDuration: return "time.Duration";
  }
  return {};
}

}  // namespace tocsin::formats
