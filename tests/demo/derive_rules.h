#pragma once

#include <string>
#include <string_view>

namespace tocsin::demo {

// The shipped rules with shorter durations, so that a person can watch them:
// `for:` of at most ten minutes becomes 3 s, five-minute ranges become 20 s.
// Thresholds, expressions, labels and texts stay as they are.
std::string DeriveRules(std::string_view shipped);

}  // namespace tocsin::demo
