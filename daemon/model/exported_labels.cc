#include "daemon/model/exported_labels.h"

#include <algorithm>

namespace tocsin::model {

std::vector<std::pair<std::uint32_t, std::string>> ExportedLabels(const MetricBatch::Row& row,
                                                                  const Labels& target) {
  std::vector<std::pair<std::uint32_t, std::string>> exported;
  for (std::uint32_t i = 0; i < row.label_count; ++i) {
    const auto [name, value] = row.label(i);
    if (!value.empty() && target.Has(name)) exported.emplace_back(i, name);
  }
  // Shorter names choose first, so that the outcome does not depend on their order.
  std::stable_sort(exported.begin(), exported.end(),
                   [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  const auto taken = [&](std::string_view name, std::size_t chosen) {
    if (target.Has(name)) return true;
    for (std::uint32_t i = 0; i < row.label_count; ++i) {
      if (row.label(i).first == name && !row.label(i).second.empty()) return true;
    }
    return std::any_of(exported.begin(), exported.begin() + static_cast<std::ptrdiff_t>(chosen),
                       [&](const auto& label) { return label.second == name; });
  };
  for (std::size_t i = 0; i < exported.size(); ++i) {
    std::string& name = exported[i].second;
    do {
      name.insert(0, "exported_");
    } while (taken(name, i));
  }
  return exported;
}

Labels SeriesLabels(const MetricBatch::Row& row, const Labels& target, bool honor_labels) {
  std::vector<LabelView> labels;
  labels.reserve(row.label_count + target.size() + 1);
  std::vector<std::pair<std::uint32_t, std::string>> exported;
  if (!honor_labels) exported = ExportedLabels(row, target);
  // Of two labels of one name the later one stays.
  for (const LabelView label : target) labels.push_back(label);
  for (std::uint32_t i = 0; i < row.label_count; ++i) {
    LabelView label = row.label(i);
    if (!honor_labels && label.second.empty()) continue;
    const auto renamed = std::find_if(exported.begin(), exported.end(),
                                      [i](const auto& own) { return own.first == i; });
    if (renamed != exported.end()) label.first = renamed->second;
    labels.push_back(label);
  }
  labels.emplace_back(kMetricName, row.name);
  return Labels::FromPairs(std::move(labels));
}

}  // namespace tocsin::model
