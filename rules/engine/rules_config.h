#pragma once

// The rules' part of the configuration: the root keys `rules`, `rules_evaluation`
// and `hold`.

#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/config_node.h"

namespace tocsin::rules {

enum class EvaluationMode {
  kArrival,  // At each commit that a group's selectors match, and at its slots.
  kSlots,    // At its slots only, as Prometheus.
};

struct RulesConfig {
  // Paths or shell patterns, in order; "builtin" stands for the shipped folder.
  std::vector<std::string> files{"builtin"};
  Millis interval{std::chrono::seconds(15)};  // Of groups that name none.
  EvaluationMode evaluation = EvaluationMode::kArrival;
  Millis hold{std::chrono::hours(1)};  // Longest time a silent source holds an alert.
};

inline constexpr std::string_view kBuiltinRules = "builtin";

// Reads `rules`, `rules_evaluation` and `hold` of the configuration's root; what is
// wrong goes to the reader's ConfigErrors. Does not call Finish().
RulesConfig ParseRulesConfig(ConfigReader& root, Millis default_interval);

}  // namespace tocsin::rules
