#include "rules/engine/rules_config.h"

namespace tocsin::rules {

RulesConfig ParseRulesConfig(ConfigReader& root, Millis default_interval) {
  RulesConfig config;
  config.interval = default_interval;
  // An empty list means: no rules.
  if (root.Has("rules")) config.files = root.Strings("rules");
  for (const std::string& file : config.files) {
    if (file.empty()) root.Fail("rules", "a rule file's path must not be empty");
  }
  const int mode = root.Choice("rules_evaluation", {"arrival", "slots"}, 0);
  config.evaluation = mode == 0 ? EvaluationMode::kArrival : EvaluationMode::kSlots;
  config.hold = root.Duration("hold", config.hold);
  return config;
}

}  // namespace tocsin::rules
