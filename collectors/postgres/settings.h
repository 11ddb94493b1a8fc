#pragma once

// Values and units of pg_settings.

#include <optional>
#include <string_view>

namespace tocsin::collectors::postgres {

struct SettingUnit {
  double factor = 1;
  std::string_view base;  // "seconds", "bytes", or empty: no unit that we convert.
};

// "ms", "8kB", "16MB", "min", …; anything else is no unit.
SettingUnit ParseSettingUnit(std::string_view unit);

// The number of a setting of vartype bool, integer or real; bool is 1 or 0.
std::optional<double> ParseSetting(std::string_view value, std::string_view type);

}  // namespace tocsin::collectors::postgres
