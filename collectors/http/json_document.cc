#include "collectors/http/json_document.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/base/text.h"

namespace tocsin::collectors::http {
namespace {

using nlohmann::json;

const json& AsJson(const void* value) { return *static_cast<const json*>(value); }

// "~1" is "/", "~0" is "~".
std::string Unescape(std::string_view token) {
  std::string text;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1')) {
      text += token[++i] == '0' ? '~' : '/';
    } else {
      text += token[i];
    }
  }
  return text;
}

const json* Child(const json& parent, const std::string& token) {
  if (parent.is_object()) {
    const auto found = parent.find(token);
    return found == parent.end() ? nullptr : &*found;
  }
  if (!parent.is_array()) return nullptr;
  const auto index = ParseInt(token);
  if (!index || *index < 0 || static_cast<std::size_t>(*index) >= parent.size()) return nullptr;
  return &parent[static_cast<std::size_t>(*index)];
}

// Brackets outside of strings, at their deepest.
int Depth(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

bool JsonValue::IsObject() const { return AsJson(value_).is_object(); }

std::vector<std::pair<std::string, JsonValue>> JsonValue::Children() const {
  std::vector<std::pair<std::string, JsonValue>> children;
  const json& value = AsJson(value_);
  if (value.is_object()) {
    for (const auto& [name, child] : value.items()) children.emplace_back(name, JsonValue(&child));
  } else if (value.is_array()) {
    for (const json& child : value) children.emplace_back(std::string(), JsonValue(&child));
  }
  return children;
}

std::optional<JsonValue> JsonValue::Member(std::string_view name) const {
  const json& value = AsJson(value_);
  if (!value.is_object()) return std::nullopt;
  const json* child = Child(value, std::string(name));
  return child == nullptr ? std::nullopt : std::optional(JsonValue(child));
}

std::optional<JsonValue> JsonValue::At(std::string_view pointer) const {
  const json* value = &AsJson(value_);
  while (!pointer.empty()) {
    pointer.remove_prefix(1);  // The slash.
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    value = Child(*value, Unescape(pointer.substr(0, end)));
    if (value == nullptr) return std::nullopt;
    pointer.remove_prefix(end);
  }
  return JsonValue(value);
}

std::optional<double> JsonValue::Number() const {
  const json& value = AsJson(value_);
  if (value.is_number()) return value.get<double>();
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (value.is_string()) return ParseDouble(value.get_ref<const std::string&>());
  return std::nullopt;
}

std::optional<std::string> JsonValue::Text() const {
  const json& value = AsJson(value_);
  if (!value.is_string()) return std::nullopt;
  return value.get<std::string>();
}

std::optional<std::string> JsonValue::Scalar() const {
  const json& value = AsJson(value_);
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number()) return FormatDouble(value.get<double>());
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_null()) return "null";
  return std::nullopt;
}

std::optional<JsonDocument> JsonDocument::Parse(std::string_view text) {
  if (Depth(text) > kMaxDepth) return std::nullopt;
  auto root = std::make_shared<json>(json::parse(text.begin(), text.end(), nullptr,
                                                 /*allow_exceptions=*/false));
  if (root->is_discarded()) return std::nullopt;
  return JsonDocument(std::move(root));
}

}  // namespace tocsin::collectors::http
