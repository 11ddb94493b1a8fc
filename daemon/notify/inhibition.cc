#include "daemon/notify/inhibition.h"

#include <algorithm>

namespace tocsin::notify {

Inhibitor::Inhibitor(const std::vector<InhibitRule>& rules) {
  for (const InhibitRule& rule : rules) {
    Index index;
    index.rule = &rule;
    for (const auto* matchers : {&rule.source_matchers, &rule.target_matchers}) {
      for (const model::Matcher& matcher : *matchers) {
        index.matched_names.push_back(matcher.name());
      }
    }
    rules_.push_back(std::move(index));
  }
}

model::Labels Inhibitor::KeyOf(const Index& index, const model::Labels& labels) {
  return index.rule->equal_all_other ? labels.Drop(index.matched_names)
                                     : labels.Keep(index.rule->equal);
}

void Inhibitor::AddSource(const TrackedAlert& alert) {
  const model::Labels& labels = alert.alert.labels;
  for (Index& index : rules_) {
    if (!model::MatchesAll(index.rule->source_matchers, labels)) continue;
    const bool both = model::MatchesAll(index.rule->target_matchers, labels);
    index.sources[KeyOf(index, labels)].push_back({alert.fingerprint, both});
  }
}

std::vector<std::uint64_t> Inhibitor::InhibitedBy(const model::Labels& labels,
                                                  std::uint64_t fingerprint) const {
  std::vector<std::uint64_t> muting;
  for (const Index& index : rules_) {
    if (index.sources.empty() || !model::MatchesAll(index.rule->target_matchers, labels)) continue;
    const auto found = index.sources.find(KeyOf(index, labels));
    if (found == index.sources.end()) continue;
    const bool both = model::MatchesAll(index.rule->source_matchers, labels);
    for (const Source& source : found->second) {
      if (source.fingerprint == fingerprint || (both && source.matches_both_sides)) continue;
      if (std::find(muting.begin(), muting.end(), source.fingerprint) == muting.end()) {
        muting.push_back(source.fingerprint);
      }
    }
  }
  return muting;
}

}  // namespace tocsin::notify
