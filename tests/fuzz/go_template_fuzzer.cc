// A template is parsed and executed on an alert's values, or refused, within its bounds.

#include "daemon/formats/go_template.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/check.h"
#include "daemon/formats/template_functions.h"

namespace {

using tocsin::formats::GoValue;

GoValue Alert(const std::string& status) {
  return GoValue::Struct(
      {{"Status", GoValue::String(status)},
       {"Labels", GoValue::StringMap({{"alertname", "Down"}, {"severity", "critical"}})},
       {"Annotations", GoValue::StringMap({{"summary", "it is <down> & out"}})},
       {"StartsAt", GoValue::Time(tocsin::FromUnixMillis(1'700'000'000'000))},
       {"Value", GoValue::Float(-12.5e9)},
       {"For", GoValue::Duration(std::chrono::minutes(90))}});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const tocsin::formats::GoFunctions functions = tocsin::formats::CommonTemplateFunctions();
  static const GoValue value =
      GoValue::Struct({{"Status", GoValue::String("firing")},
                       {"Alerts", GoValue::List({Alert("firing"), Alert("resolved")})},
                       {"CommonLabels", GoValue::StringMap({{"alertname", "Down"}, {"a b", "ü"}})},
                       {"Count", GoValue::Int(-3)},
                       {"Truth", GoValue::Bool(true)},
                       {"Nothing", GoValue()}});
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = tocsin::formats::Template::Parse("fuzz", text, functions);
  if (!parsed.ok()) {
    TOCSIN_CHECK(!parsed.error().message.empty());
    return 0;
  }
  const auto output = parsed->Execute(value, functions);
  TOCSIN_CHECK(!output.ok() || output->size() <= tocsin::formats::Template::kMaxOutputBytes);
  return 0;
}
