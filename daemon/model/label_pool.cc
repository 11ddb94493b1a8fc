#include "daemon/model/label_pool.h"

#include <cstdint>
#include <utility>

namespace tocsin::model {

Labels LabelPool::Share(const Labels& labels) {
  // Names that come before the metric's in the order of names are rare.
  const bool is_simple = labels.size() > 1 && labels[0].first == kMetricName;
  if (!is_simple) return labels;
  const auto name = Part(labels.Keep({std::string(kMetricName)}));
  const auto rest = Part(labels.Without(kMetricName));
  return name && rest ? Labels::Named(*name, *rest) : labels;
}

std::optional<Labels> LabelPool::Part(Labels part) {
  const std::uint64_t hash = part.Hash();
  const auto known = places_.Find(hash, [&](std::uint32_t place) { return parts_[place] == part; });
  if (known) return parts_[*known];
  if (parts_.size() >= kMostParts) return std::nullopt;
  places_.Add(hash, static_cast<std::uint32_t>(parts_.size()));
  return parts_.emplace_back(std::move(part));
}

}  // namespace tocsin::model
