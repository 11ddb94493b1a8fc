// Any text is an expression or an error; an expression that is printed reads as itself.

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/check.h"
#include "rules/promql/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tocsin::promql;  // NOLINT
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto metric = ParseMetric(text);
  const auto selector = ParseSelector(text);
  const auto expr = Parse(text);
  if (!expr.ok()) {
    TOCSIN_CHECK(!expr.error().message.empty());
    return 0;
  }
  for (const std::string& printed : {Text(**expr), PrettyText(**expr)}) {
    const auto again = Parse(printed);
    TOCSIN_CHECK(again.ok());
    TOCSIN_CHECK(Text(**again) == Text(**expr));
  }
  return 0;
}
