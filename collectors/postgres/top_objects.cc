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
    const auto known = chosen_.find(objects[i].key);
    const bool keeps = known != chosen_.end() && now - known->second < kPlaceLasts;
    candidates.push_back({keeps, objects[i].weight, i});
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& one, const Candidate& other) {
    if (one.keeps != other.keeps) return one.keeps;
    if (one.weight != other.weight) return one.weight > other.weight;
    return one.index < other.index;
  });
  if (candidates.size() > limit) candidates.resize(limit);

  std::vector<bool> chosen(objects.size(), false);
  std::unordered_map<std::string, SteadyTime> places;
  for (const Candidate& candidate : candidates) {
    chosen[candidate.index] = true;
    const std::string& key = objects[candidate.index].key;
    places.emplace(key, candidate.keeps ? chosen_.at(key) : now);
  }
  chosen_ = std::move(places);
  left_out_ = objects.size() - candidates.size();
  CountOthers(objects, chosen);
  return chosen;
}

void TopObjects::CountOthers(std::span<const Object> objects, const std::vector<bool>& chosen) {
  const bool is_first = std::exchange(is_first_, false);
  std::unordered_map<std::string, std::vector<double>> counted;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const Object& object = objects[i];
    if (left_out_ > 0 && others_.size() < object.counters.size()) {
      others_.resize(object.counters.size(), 0);
    }
    if (!chosen[i] && !is_first) {
      const auto before = counted_.find(object.key);
      const bool is_new = before == counted_.end();
      for (std::size_t j = 0; j < object.counters.size(); ++j) {
        if (!is_new && j >= before->second.size()) break;
        const double value = object.counters[j];
        const double last = is_new ? 0 : before->second[j];
        others_[j] += value >= last ? value - last : value;  // Less: it was reset.
      }
    }
    counted.emplace(object.key, object.counters);
  }
  counted_ = std::move(counted);
}

}  // namespace tocsin::collectors::postgres
