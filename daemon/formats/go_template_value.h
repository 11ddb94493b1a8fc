#pragma once

// A value as Go's template language sees one: what a template is executed on,
// what its variables hold, and what its functions take and return.
//
// Lists, maps and structs are shared and immutable; copying a GoValue is cheap.
// Any of them may carry methods ({{ .Alerts.Firing }}, {{ .Labels.SortedPairs }}).
// Thread-safe as an immutable value is.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"

namespace tocsin::formats {

class GoValue;

// What a parameter of a function or method accepts, and how errors name it.
enum class GoType { kAny, kBool, kInt, kFloat, kString, kList, kMap, kTime, kDuration };

// A function of a template, or a method of a value (then `args` starts with the
// value itself and `params` leaves it out). The template checks number and types
// of the arguments before the call, as Go does; an untyped constant fits kInt and
// kFloat. The error's message becomes "error calling NAME: …".
struct GoFunction {
  std::vector<GoType> params;
  bool variadic = false;  // The last of `params` may stand any number of times, or not at all.
  std::function<Result<GoValue>(std::span<const GoValue> args)> call;
};

// Functions by name; std::map so that views of names stay valid.
using GoFunctions = std::map<std::string, GoFunction, std::less<>>;

// The Go type that a list, map or struct stands for: its name in errors
// ("template.KV"), and its methods.
struct GoTypeInfo {
  std::string name;
  GoFunctions methods;
};

class GoValue {
 public:
  enum class Kind {
    kNil,
    kBool,
    kInt,
    kFloat,
    kString,
    kList,
    kMap,
    kStruct,
    kTime,
    kDuration,
  };
  using Items = std::vector<GoValue>;
  using Entries = std::map<std::string, GoValue, std::less<>>;  // Maps range in key order.
  using Fields = std::vector<std::pair<std::string, GoValue>>;  // As declared.
  using TypePtr = std::shared_ptr<const GoTypeInfo>;

  GoValue() = default;  // nil
  static GoValue Bool(bool value);
  static GoValue Int(std::int64_t value);
  static GoValue Float(double value);
  static GoValue String(std::string value);
  static GoValue List(Items items, TypePtr type = nullptr);
  // `missing` is what a key that is not there reads as (the element type's zero
  // value: Go's option missingkey=zero): String("") for a map of strings, else nil.
  static GoValue Map(Entries entries, TypePtr type = nullptr);
  static GoValue MapWithMissing(Entries entries, GoValue missing, TypePtr type = nullptr);
  static GoValue Struct(Fields fields, TypePtr type = nullptr);
  // `utc_offset` and `zone` are only for printing; methods: see go_template_time.h.
  static GoValue Time(WallTime time, std::chrono::seconds utc_offset = {},
                      std::string zone = "UTC");
  static GoValue Duration(std::chrono::nanoseconds duration);

  // A map of strings, from label pairs or the like.
  static GoValue StringMap(const std::vector<std::pair<std::string, std::string>>& pairs,
                           TypePtr type = nullptr);

  Kind kind() const { return static_cast<Kind>(value_.index()); }
  bool IsNil() const { return kind() == Kind::kNil; }
  bool IsNumber() const { return kind() == Kind::kInt || kind() == Kind::kFloat; }

  // Requires: the kind fits.
  bool AsBool() const { return std::get<bool>(value_); }
  std::int64_t AsInt() const { return std::get<std::int64_t>(value_); }
  double AsFloat() const { return std::get<double>(value_); }
  const std::string& AsString() const { return *std::get<StringPtr>(value_); }
  const Items& AsList() const;
  const Entries& AsMap() const;
  const GoValue& MissingOfMap() const;
  const Fields& AsStruct() const;
  WallTime AsTime() const { return std::get<TimePtr>(value_)->time; }
  std::chrono::seconds UtcOffset() const { return std::get<TimePtr>(value_)->utc_offset; }
  const std::string& Zone() const { return std::get<TimePtr>(value_)->zone; }
  std::chrono::nanoseconds AsDuration() const { return std::get<std::chrono::nanoseconds>(value_); }

  // The number of an int, a float or a duration (nanoseconds); 0 otherwise.
  double Number() const;

  // Null unless a list, map or struct was given a type.
  const GoTypeInfo* type() const;

  // The field of a struct, or nullptr.
  const GoValue* Field(std::string_view name) const;

  // Go's truth: not the zero value; a struct and a time are always true.
  bool Truth() const;

  // Go's %v: what {{ . }} prints. nil prints "<no value>" in a template and
  // "<nil>" within a list or through printf.
  std::string Text() const;

  // The Go type's name as errors show it: "string", "float64", "map[string]string".
  std::string TypeName() const;

  // Text that is HTML already (safeHtml): an HTML template prints it as it stands.
  bool is_html() const { return html_; }
  GoValue AsHtml() && {
    html_ = true;
    return std::move(*this);
  }

  // An untyped constant of the template's text fits int and float parameters.
  bool is_constant() const { return constant_; }
  GoValue AsConstant() && {
    constant_ = true;
    return std::move(*this);
  }

 private:
  struct ListRep;
  struct MapRep;
  struct StructRep;
  struct TimeRep {
    WallTime time;
    std::chrono::seconds utc_offset;
    std::string zone;
  };
  using StringPtr = std::shared_ptr<const std::string>;
  using ListPtr = std::shared_ptr<const ListRep>;
  using MapPtr = std::shared_ptr<const MapRep>;
  using StructPtr = std::shared_ptr<const StructRep>;
  using TimePtr = std::shared_ptr<const TimeRep>;

  std::variant<std::monostate, bool, std::int64_t, double, StringPtr, ListPtr, MapPtr, StructPtr,
               TimePtr, std::chrono::nanoseconds>
      value_;
  bool constant_ = false;
  bool html_ = false;
};

}  // namespace tocsin::formats
