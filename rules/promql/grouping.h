#pragma once

// Which series belong together, by some of their labels. The key of a series is made
// once, in a buffer that is used again: finding a known group allocates nothing.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/model/labels.h"

namespace tocsin::promql {

class Grouping {
 public:
  // `keep`: by these labels only; otherwise by all but these and __name__.
  Grouping(bool keep, std::vector<std::string> names);
  // By all labels but this one.
  static Grouping ByAllBut(std::string name);

  // The group's number, counted from 0 in order of appearance.
  std::size_t Find(const model::Labels& labels);
  // Never adds one; size() if there is none.
  std::size_t Known(const model::Labels& labels);

  std::size_t size() const { return groups_.size(); }

  // The labels that a group's members share.
  model::Labels SharedLabels(const model::Labels& labels) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  Grouping() = default;
  void MakeKey(const model::Labels& labels);
  void AddToKey(model::LabelView label);

  bool keep_ = false;
  std::vector<std::string> names_;  // Sorted.
  std::string key_;
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> groups_;
};

}  // namespace tocsin::promql
