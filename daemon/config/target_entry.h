#pragma once

// A target as a person would write it into the configuration, whatever its values hold.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tocsin::config {

using TargetEntry = std::vector<std::pair<std::string, std::string>>;  // Keys and values.

// "{ name: "cache", url: "redis://127.0.0.1:6379" }".
std::string EntryText(const TargetEntry& entry);

// A value of a libpq connection string.
std::string DsnValue(std::string_view text);

}  // namespace tocsin::config
