#pragma once

// The inverted index of the head: label name and value → the series that carry
// it. Finds the series of a list of matchers without testing each series.
// Not thread-safe (Head guards it).

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/model/labels.h"
#include "daemon/model/matcher.h"
#include "daemon/store/slot_list.h"

namespace tocsin::store {

class LabelIndex {
 public:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  template <class Value>
  using ByText = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;
  using Values = ByText<SlotList>;

  void Add(Slot slot, const model::Labels& labels);

  // Takes all of these out; one pass over each list they are in.
  void Remove(const std::vector<std::pair<Slot, model::Labels>>& series);

  // Gives the labels of a slot, for conditions that are cheaper to test one by one.
  using LabelsOf = std::function<const model::Labels&(Slot)>;

  // The slots that satisfy every matcher, in no order. `all` gives every slot and
  // is asked only if no matcher narrows the search.
  std::vector<Slot> Find(const std::vector<model::Matcher>& matchers, std::size_t slot_count,
                         const LabelsOf& labels_of,
                         const std::function<std::vector<Slot>()>& all) const;

  const ByText<Values>& names() const { return names_; }

 private:
  const Values* ValuesOf(std::string_view name) const;

  ByText<Values> names_;
};

}  // namespace tocsin::store
