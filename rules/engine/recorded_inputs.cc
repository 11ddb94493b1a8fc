#include "rules/engine/recorded_inputs.h"

#include <algorithm>

namespace tocsin::rules {
namespace {

// The selector matches a series of that name, going by the name alone.
bool Names(const std::vector<model::Matcher>& selector, const std::string& name) {
  return std::all_of(selector.begin(), selector.end(), [&name](const model::Matcher& matcher) {
    return matcher.name() != model::kMetricName || matcher.Matches(name);
  });
}

}  // namespace

RuleInputs RecordedInputs::Behind(const RuleInputs& inputs) const {
  RuleInputs all = inputs;
  std::vector<bool> taken(records_.size(), false);  // A record may read itself.
  for (std::size_t next = 0; next < all.selectors.size(); ++next) {
    for (std::size_t i = 0; i < records_.size(); ++i) {
      const auto& [name, behind] = records_[i];
      if (taken[i] || !Names(all.selectors[next], name)) continue;
      taken[i] = true;
      all.judges_absence |= behind.judges_absence;
      all.reads_range |= behind.reads_range;
      all.selectors.insert(all.selectors.end(), behind.selectors.begin(), behind.selectors.end());
    }
  }
  return all;
}

}  // namespace tocsin::rules
