#include "daemon/formats/go_template_arguments.h"

#include <fmt/format.h>

#include <cmath>

namespace tocsin::formats {
namespace {

using Kind = GoValue::Kind;

std::string_view GoTypeName(GoType type) {
  switch (type) {
    case GoType::kBool: return "bool";
    case GoType::kInt: return "int";
    case GoType::kFloat: return "float64";
    case GoType::kString: return "string";
    case GoType::kList: return "[]interface {}";
    case GoType::kMap: return "map[string]interface {}";
    case GoType::kTime: return "time.Time";
    case GoType::kDuration: return "time.Duration";
    case GoType::kAny: break;
  }
  return "interface {}";
}

}  // namespace

std::optional<GoValue> FitGoArgument(const GoValue& value, GoType type) {
  const auto is = [&value](Kind kind) { return value.kind() == kind; };
  switch (type) {
    case GoType::kAny: return value;
    case GoType::kInt:
      if (is(Kind::kInt)) return value;
      if (is(Kind::kFloat) && value.is_constant() && std::fabs(value.AsFloat()) < 9e18 &&
          std::trunc(value.AsFloat()) == value.AsFloat()) {
        return GoValue::Int(static_cast<std::int64_t>(value.AsFloat()));
      }
      return std::nullopt;
    case GoType::kFloat:
      if (is(Kind::kFloat)) return value;
      if (is(Kind::kInt) && value.is_constant()) return GoValue::Float(value.Number());
      return std::nullopt;
    case GoType::kDuration:
      if (is(Kind::kDuration)) return value;
      if (is(Kind::kInt) && value.is_constant()) {
        return GoValue::Duration(std::chrono::nanoseconds(value.AsInt()));
      }
      return std::nullopt;
    case GoType::kBool: return is(Kind::kBool) ? std::optional(value) : std::nullopt;
    case GoType::kString: return is(Kind::kString) ? std::optional(value) : std::nullopt;
    case GoType::kList: return is(Kind::kList) ? std::optional(value) : std::nullopt;
    case GoType::kMap: return is(Kind::kMap) ? std::optional(value) : std::nullopt;
    case GoType::kTime: return is(Kind::kTime) ? std::optional(value) : std::nullopt;
  }
  return std::nullopt;
}

std::string MisfitText(const GoValue& value, GoType type, const std::string* literal, bool nil) {
  if (literal != nullptr) {
    std::string_view word = GoTypeName(type);
    if (type == GoType::kInt) word = "integer";
    if (type == GoType::kFloat) word = "float";
    return fmt::format("expected {}; found {}", word, *literal);
  }
  if (nil) return fmt::format("cannot assign nil to {}", GoTypeName(type));
  if (value.IsNil()) return fmt::format("invalid value; expected {}", GoTypeName(type));
  return fmt::format("wrong type for value; expected {}; got {}", GoTypeName(type),
                     value.TypeName());
}

}  // namespace tocsin::formats
