#pragma once

// What stands behind recorded series: a rule that reads one depends on whatever feeds the
// rule that records it, through further recorded ones. Made for a whole rule set, then
// immutable. Internal to the engine.

#include <string>
#include <utility>
#include <vector>

#include "rules/engine/source_holds.h"

namespace tocsin::rules {

class RecordedInputs {
 public:
  // `name` is recorded from `inputs`.
  void Add(std::string name, RuleInputs inputs) {
    records_.emplace_back(std::move(name), std::move(inputs));
  }

  // `inputs`, and those of what is recorded among them.
  RuleInputs Behind(const RuleInputs& inputs) const;

 private:
  std::vector<std::pair<std::string, RuleInputs>> records_;  // A name may stand twice.
};

}  // namespace tocsin::rules
