#include "collectors/postgres/top_objects.h"

#include <algorithm>
#include <utility>

namespace tocsin::collectors::postgres {

std::vector<bool> TopObjects::Choose(std::span<const Object> objects, std::size_t limit,
                                     SteadyTime now) {
  // Those whose place lasts come first, then the heaviest.
  struct Candidate {
    bool keeps = false;
    double weight = 0;
    std::size_t index = 0;
  };
  std::vector<Candidate> candidates;
  candidates.reserve(objects.size());
  for (std::size_t i = 0; i < objects.size(); ++i) {
    if (!objects[i].may_be_chosen) continue;
    candidates.push_back({KeepsPlace(objects[i], now), objects[i].weight, i});
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& one, const Candidate& other) {
    if (one.keeps != other.keeps) return one.keeps;
    if (one.weight != other.weight) return one.weight > other.weight;
    return one.index < other.index;
  });
  if (candidates.size() > limit) candidates.resize(limit);

  std::vector<bool> chosen(objects.size(), false);
  for (const Candidate& candidate : candidates) chosen[candidate.index] = true;
  left_out_ = objects.size() - candidates.size();
  CountOthers(objects, chosen);
  Remember(objects, chosen, now);
  return chosen;
}

bool TopObjects::KeepsPlace(const Object& object, SteadyTime now) const {
  const auto known = known_.find(object.key);
  if (known == known_.end() || known->second.chosen_at == kNever) return false;
  return now - known->second.chosen_at < kPlaceLasts;
}

void TopObjects::CountOthers(std::span<const Object> objects, const std::vector<bool>& chosen) {
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const Object& object = objects[i];
    if (left_out_ > 0 && others_.size() < object.counters.size()) {
      others_.resize(object.counters.size(), 0);
    }
    if (chosen[i] || calls_ == 0) continue;
    const auto before = known_.find(object.key);
    const bool is_new = before == known_.end();
    for (std::size_t j = 0; j < object.counters.size(); ++j) {
      if (!is_new && j >= before->second.counted.size()) break;
      const double value = object.counters[j];
      const double last = is_new ? 0 : before->second.counted[j];
      others_[j] += value >= last ? value - last : value;  // Less: it was reset.
    }
  }
}

void TopObjects::Remember(std::span<const Object> objects, const std::vector<bool>& chosen,
                          SteadyTime now) {
  ++calls_;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const bool keeps = chosen[i] && KeepsPlace(objects[i], now);
    Known& known = known_[objects[i].key];
    if (!keeps) known.chosen_at = chosen[i] ? now : kNever;
    known.counted = objects[i].counters;
    known.call = calls_;
  }
  std::erase_if(known_, [this](const auto& known) { return known.second.call != calls_; });
}

}  // namespace tocsin::collectors::postgres
