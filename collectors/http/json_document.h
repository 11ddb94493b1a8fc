#pragma once

// A JSON answer, read by pointers (RFC 6901). Values are views into the document and
// valid as long as it lives. Immutable; thread-safe to read.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tocsin::collectors::http {

class JsonValue {
 public:
  bool IsObject() const;
  // Elements of an array (with empty names) or members of an object; else empty.
  std::vector<std::pair<std::string, JsonValue>> Children() const;
  std::optional<JsonValue> Member(std::string_view name) const;
  std::optional<JsonValue> At(std::string_view pointer) const;

  // A number, a boolean as 1 or 0, or text that is a number.
  std::optional<double> Number() const;
  std::optional<std::string> Text() const;  // Of a string only.
  // A string as it is, a number in the shortest form, true, false, null; else nothing.
  std::optional<std::string> Scalar() const;

 private:
  friend class JsonDocument;
  explicit JsonValue(const void* value) : value_(value) {}
  const void* value_;
};

class JsonDocument {
 public:
  // Nothing if `text` is no JSON or nested deeper than kMaxDepth.
  static std::optional<JsonDocument> Parse(std::string_view text);
  JsonValue root() const { return JsonValue(root_.get()); }

  static constexpr int kMaxDepth = 100;

 private:
  explicit JsonDocument(std::shared_ptr<const void> root) : root_(std::move(root)) {}
  std::shared_ptr<const void> root_;
};

}  // namespace tocsin::collectors::http
