#pragma once

// Numbers in files that Prometheus and promtool read, too. Pure function.

#include <optional>
#include <string_view>

#include "daemon/base/config_node.h"

namespace tocsin::rules {

// The number under `key` as their YAML library reads it (ParseYamlNumber); for anything
// else, text in quotes included, an error. Nothing if it is absent or wrong.
std::optional<double> ReadYamlNumber(ConfigReader& reader, std::string_view key);

}  // namespace tocsin::rules
