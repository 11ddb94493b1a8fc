#include "daemon/formats/go_template_builtins.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "daemon/formats/go_template_printf.h"
#include "daemon/formats/html_text.h"
#include "daemon/formats/template_functions.h"

namespace tocsin::formats {
namespace {

using Kind = GoValue::Kind;
using Args = std::span<const GoValue>;

Error Bad(std::string message) { return Error{ErrorCode::kInvalidArgument, std::move(message)}; }

// -- Comparison --

enum class Basic { kBool, kInt, kFloat, kString, kTime, kOther };

Basic BasicKind(const GoValue& value) {
  switch (value.kind()) {
    case Kind::kBool: return Basic::kBool;
    case Kind::kInt:
    case Kind::kDuration: return Basic::kInt;
    case Kind::kFloat: return Basic::kFloat;
    case Kind::kString: return Basic::kString;
    case Kind::kTime: return Basic::kTime;
    default: return Basic::kOther;
  }
}

std::int64_t Integer(const GoValue& value) {
  return value.kind() == Kind::kInt ? value.AsInt() : value.AsDuration().count();
}

Result<bool> Equal(const GoValue& a, const GoValue& b) {
  if (a.IsNil() || b.IsNil()) return a.IsNil() && b.IsNil();
  const Basic kind = BasicKind(a);
  if (kind == Basic::kOther) {
    return Bad(fmt::format("non-comparable type {}: {}", a.Text(), a.TypeName()));
  }
  if (kind != BasicKind(b)) return Bad("incompatible types for comparison");
  switch (kind) {
    case Basic::kBool: return a.AsBool() == b.AsBool();
    case Basic::kInt: return Integer(a) == Integer(b);
    case Basic::kFloat: return a.AsFloat() == b.AsFloat();
    case Basic::kTime: return a.AsTime() == b.AsTime();
    default: return a.AsString() == b.AsString();
  }
}

Result<bool> Less(const GoValue& a, const GoValue& b) {
  const Basic kind = BasicKind(a);
  if (a.IsNil() || b.IsNil()) return Bad("invalid type for comparison");
  if (kind != BasicKind(b)) return Bad("incompatible types for comparison");
  switch (kind) {
    case Basic::kInt: return Integer(a) < Integer(b);
    case Basic::kFloat: return a.AsFloat() < b.AsFloat();
    case Basic::kString: return a.AsString() < b.AsString();
    default: return Bad("invalid type for comparison");
  }
}

Result<GoValue> EqualAny(Args args) {
  if (args.size() < 2) return Bad("missing argument for comparison");
  for (const GoValue& other : args.subspan(1)) {
    TOCSIN_ASSIGN_OR_RETURN(const bool same, Equal(args[0], other));
    if (same) return GoValue::Bool(true);
  }
  return GoValue::Bool(false);
}

enum class Order { kLess, kLessEqual, kGreater, kGreaterEqual };

Result<GoValue> Compare(Order order, Args args) {
  TOCSIN_ASSIGN_OR_RETURN(const bool less, Less(args[0], args[1]));
  if (order == Order::kLess || order == Order::kGreaterEqual) {
    // Go has ge as "not lt", NaN included.
    return GoValue::Bool(less == (order == Order::kLess));
  }
  TOCSIN_ASSIGN_OR_RETURN(const bool same, Equal(args[0], args[1]));
  const bool less_equal = less || same;
  return GoValue::Bool(less_equal == (order == Order::kLessEqual));
}

// -- Indexing --

Result<GoValue> Length(Args args) {
  const GoValue& item = args[0];
  std::size_t length = 0;
  switch (item.kind()) {
    case Kind::kString: length = item.AsString().size(); break;
    case Kind::kList: length = item.AsList().size(); break;
    case Kind::kMap: length = item.AsMap().size(); break;
    case Kind::kNil: return Bad("len of nil pointer");
    default: return Bad("len of type " + item.TypeName());
  }
  return GoValue::Int(static_cast<std::int64_t>(length));
}

Result<std::size_t> IndexOf(const GoValue& index, std::size_t limit) {
  if (index.IsNil()) return Bad("cannot index slice/array with nil");
  if (index.kind() != Kind::kInt) {
    return Bad("cannot index slice/array with type " + index.TypeName());
  }
  if (index.AsInt() < 0 || static_cast<std::size_t>(index.AsInt()) > limit) {
    return Bad(fmt::format("index out of range: {}", index.AsInt()));
  }
  return static_cast<std::size_t>(index.AsInt());
}

Result<GoValue> IndexOnce(const GoValue& item, const GoValue& index) {
  switch (item.kind()) {
    case Kind::kMap: {
      if (index.kind() != Kind::kString) {
        return Bad(fmt::format("value has type {}; should be string", index.TypeName()));
      }
      const auto found = item.AsMap().find(index.AsString());
      return found == item.AsMap().end() ? item.MissingOfMap() : found->second;
    }
    case Kind::kList: {
      TOCSIN_ASSIGN_OR_RETURN(const std::size_t at, IndexOf(index, item.AsList().size()));
      if (at == item.AsList().size()) return Bad("reflect: slice index out of range");
      return item.AsList()[at];
    }
    case Kind::kString: {
      TOCSIN_ASSIGN_OR_RETURN(const std::size_t at, IndexOf(index, item.AsString().size()));
      if (at == item.AsString().size()) return Bad("reflect: string index out of range");
      return GoValue::Int(static_cast<unsigned char>(item.AsString()[at]));
    }
    case Kind::kNil: return Bad("index of nil pointer");
    default: return Bad("can't index item of type " + item.TypeName());
  }
}

Result<GoValue> Index(Args args) {
  GoValue item = args[0];
  if (item.IsNil()) return Bad("index of untyped nil");
  for (const GoValue& index : args.subspan(1)) {
    TOCSIN_ASSIGN_OR_RETURN(item, IndexOnce(item, index));
  }
  return item;
}

Result<GoValue> Slice(Args args) {
  const GoValue& item = args[0];
  if (item.IsNil()) return Bad("slice of untyped nil");
  const Args indexes = args.subspan(1);
  if (indexes.size() > 3) return Bad(fmt::format("too many slice indexes: {}", indexes.size()));
  const bool is_string = item.kind() == Kind::kString;
  if (!is_string && item.kind() != Kind::kList) {
    return Bad("can't slice item of type " + item.TypeName());
  }
  if (is_string && indexes.size() == 3) return Bad("cannot slice string with 3 indexes");
  const std::size_t size = is_string ? item.AsString().size() : item.AsList().size();
  std::size_t begin = 0;
  std::size_t end = size;
  if (!indexes.empty()) {
    TOCSIN_ASSIGN_OR_RETURN(begin, IndexOf(indexes[0], size));
  }
  if (indexes.size() > 1) {
    TOCSIN_ASSIGN_OR_RETURN(end, IndexOf(indexes[1], size));
  }
  if (begin > end) return Bad(fmt::format("invalid slice index: {} > {}", begin, end));
  if (indexes.size() > 2) {
    TOCSIN_ASSIGN_OR_RETURN(const std::size_t capacity, IndexOf(indexes[2], size));
    if (end > capacity) return Bad(fmt::format("invalid slice index: {} > {}", end, capacity));
  }
  if (is_string) return GoValue::String(item.AsString().substr(begin, end - begin));
  const auto first = item.AsList().begin();
  return GoValue::List(
      {first + static_cast<std::ptrdiff_t>(begin), first + static_cast<std::ptrdiff_t>(end)});
}

// -- Escaping --

std::string Plain(Args args) {
  if (args.size() == 1 && args[0].kind() == Kind::kString) return args[0].AsString();
  return GoSprint(args);
}

Result<GoValue> Html(Args args) { return GoValue::String(EscapeHtml(Plain(args))); }

Result<GoValue> JavaScript(Args args) {
  constexpr std::string_view kAsCode = "<>&=";
  std::string out;
  for (const char c : Plain(args)) {
    if (c == '\\' || c == '\'' || c == '"') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || kAsCode.find(c) != std::string_view::npos) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return GoValue::String(std::move(out));
}

// -- The table --

using Call = std::function<Result<GoValue>(Args)>;

GoFunction Fixed(std::size_t count, Call call) {
  return {std::vector<GoType>(count, GoType::kAny), false, std::move(call)};
}

// `count` arguments, the last of which may repeat or be missing.
GoFunction Variadic(std::size_t count, Call call) {
  return {std::vector<GoType>(count, GoType::kAny), true, std::move(call)};
}

GoFunctions MakeBuiltins() {
  GoFunctions out;
  out["not"] = Fixed(1, [](Args a) -> Result<GoValue> { return GoValue::Bool(!a[0].Truth()); });
  out["eq"] = Variadic(2, EqualAny);
  out["ne"] = Fixed(2, [](Args a) -> Result<GoValue> {
    TOCSIN_ASSIGN_OR_RETURN(const bool same, Equal(a[0], a[1]));
    return GoValue::Bool(!same);
  });
  out["lt"] = Fixed(2, [](Args a) { return Compare(Order::kLess, a); });
  out["le"] = Fixed(2, [](Args a) { return Compare(Order::kLessEqual, a); });
  out["gt"] = Fixed(2, [](Args a) { return Compare(Order::kGreater, a); });
  out["ge"] = Fixed(2, [](Args a) { return Compare(Order::kGreaterEqual, a); });
  out["len"] = Fixed(1, Length);
  out["index"] = Variadic(2, Index);
  out["slice"] = Variadic(2, Slice);
  out["print"] =
      Variadic(1, [](Args a) -> Result<GoValue> { return GoValue::String(GoSprint(a)); });
  out["println"] =
      Variadic(1, [](Args a) -> Result<GoValue> { return GoValue::String(GoSprintln(a)); });
  out["printf"] = {{GoType::kString, GoType::kAny}, true, [](Args a) -> Result<GoValue> {
                     return GoValue::String(GoSprintf(a[0].AsString(), a.subspan(1)));
                   }};
  out["html"] = Variadic(1, Html);
  out["js"] = Variadic(1, JavaScript);
  out["urlquery"] = Variadic(
      1, [](Args a) -> Result<GoValue> { return GoValue::String(UrlQueryEscape(Plain(a))); });
  // Values of this language are never functions.
  out["call"] = Variadic(2, [](Args a) -> Result<GoValue> {
    if (a[0].IsNil()) return Bad("call of nil");
    return Bad(fmt::format("non-function {} of type {}", a[0].Text(), a[0].TypeName()));
  });
  return out;
}

}  // namespace

const GoFunctions& GoBuiltins() {
  static const GoFunctions kBuiltins = MakeBuiltins();
  return kBuiltins;
}

bool IsGoBuiltin(std::string_view name) {
  return name == "and" || name == "or" || GoBuiltins().count(name) > 0;
}

}  // namespace tocsin::formats
