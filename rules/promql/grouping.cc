#include "rules/promql/grouping.h"

#include <algorithm>
#include <utility>

namespace tocsin::promql {

Grouping::Grouping(bool keep, std::vector<std::string> names)
    : keep_(keep), names_(std::move(names)) {
  if (!keep_) names_.emplace_back(model::kMetricName);
  std::sort(names_.begin(), names_.end());
  names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
}

Grouping Grouping::ByAllBut(std::string name) {
  Grouping grouping;
  grouping.names_.push_back(std::move(name));
  return grouping;
}

// Names and values of the labels that count.
void Grouping::MakeKey(const model::Labels& labels) {
  key_.clear();
  if (keep_) {
    // Few, mostly: equality of names costs less than their order.
    for (const std::string& name : names_) AddToKey({name, labels.Get(name)});
    return;
  }
  // Both are sorted, so one pass does.
  std::size_t next = 0;
  for (const model::LabelView label : labels) {
    while (next < names_.size() && names_[next] < label.first) ++next;
    if (next == names_.size() || names_[next] != label.first) AddToKey(label);
  }
}

void Grouping::AddToKey(model::LabelView label) {
  if (label.second.empty()) return;
  key_ += label.first;
  key_ += '\xff';
  key_ += label.second;
  key_ += '\xff';
}

std::size_t Grouping::Find(const model::Labels& labels) {
  MakeKey(labels);
  const auto at = groups_.find(std::string_view(key_));
  if (at != groups_.end()) return at->second;
  const std::size_t number = groups_.size();
  groups_.emplace(key_, number);
  return number;
}

std::size_t Grouping::Known(const model::Labels& labels) {
  MakeKey(labels);
  const auto at = groups_.find(std::string_view(key_));
  return at == groups_.end() ? groups_.size() : at->second;
}

model::Labels Grouping::SharedLabels(const model::Labels& labels) const {
  return keep_ ? labels.Keep(names_) : labels.Drop(names_);
}

}  // namespace tocsin::promql
