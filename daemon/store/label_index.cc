#include "daemon/store/label_index.h"

#include <algorithm>
#include <set>
#include <utility>

namespace tocsin::store {
namespace {

using model::Matcher;
using model::MatchOp;
using Lists = std::vector<const SlotList*>;

// One label test costs about as much as walking this many slots: a series and its labels are
// mostly in no cache, lists are read in order.
constexpr std::size_t kSlotsPerTest = 64;

class SlotSet {
 public:
  explicit SlotSet(std::size_t slot_count) : words_(slot_count / 64 + 1) {}
  void Add(const SlotList& slots) {
    slots.ForEach([this](Slot slot) { words_[slot / 64] |= Bit(slot); });
  }
  bool Has(Slot slot) const { return (words_[slot / 64] & Bit(slot)) != 0; }

 private:
  static std::uint64_t Bit(Slot slot) { return std::uint64_t{1} << (slot % 64); }
  std::vector<std::uint64_t> words_;
};

// The text that every match of the expression begins with.
std::string_view LiteralPrefix(std::string_view pattern) {
  if (pattern.find('|') != pattern.npos || pattern.starts_with("(?")) return {};
  std::size_t end = pattern.find_first_of("\\^$.[]()?*+{}");
  if (end == pattern.npos) return pattern;
  const char next = pattern[end];
  if (end > 0 && (next == '?' || next == '*' || next == '{')) {
    // The quantifier is of the last character, which may be several bytes long.
    do --end;
    while (end > 0 && (static_cast<unsigned char>(pattern[end]) & 0xc0) == 0x80);
  }
  return pattern.substr(0, end);
}

// A matcher as a search: the lists of the values that match (or, for one that a
// missing label satisfies, of the values that do not).
struct Condition {
  const Matcher* matcher = nullptr;
  bool excludes = false;  // The lists are to be taken away.
  Lists lists;
  std::size_t slots = 0;
};

void Collect(const SlotList& slots, Condition& condition) {
  condition.lists.push_back(&slots);
  condition.slots += slots.size();
}

void CollectNamed(const LabelIndex::Values& values, std::string_view value, Condition& condition) {
  const auto found = values.find(value);
  if (found != values.end()) Collect(found->second, condition);
}

bool IsEquality(const Matcher& matcher) {
  return matcher.op() == MatchOp::kEqual || matcher.op() == MatchOp::kNotEqual;
}

// Whether its values can be looked up; otherwise each value of the label is tested.
bool IsLookup(const Matcher& matcher) {
  if (IsEquality(matcher)) return !matcher.value().empty();
  return matcher.op() == MatchOp::kRegex && !matcher.Literals().empty() && !matcher.MatchesEmpty();
}

Condition Resolve(const Matcher& matcher, const LabelIndex::Values* values) {
  Condition condition;
  condition.matcher = &matcher;
  condition.excludes = matcher.MatchesEmpty();
  if (values == nullptr) return condition;
  if (IsLookup(matcher)) {
    if (IsEquality(matcher)) {
      CollectNamed(*values, matcher.value(), condition);
      return condition;
    }
    const std::set<std::string_view> literals(matcher.Literals().begin(), matcher.Literals().end());
    for (const std::string_view literal : literals) CollectNamed(*values, literal, condition);
    return condition;
  }
  const std::string_view prefix =
      matcher.op() == MatchOp::kRegex ? LiteralPrefix(matcher.value()) : std::string_view();
  for (const auto& [value, slots] : *values) {
    const bool matches = value.starts_with(prefix) && matcher.Matches(value);
    if (matches != condition.excludes) Collect(slots, condition);
  }
  return condition;
}

void Narrow(const Condition& condition, std::size_t slot_count,
            const LabelIndex::LabelsOf& labels_of, std::vector<Slot>& candidates) {
  if (condition.lists.empty()) {
    if (!condition.excludes) candidates.clear();
    return;
  }
  if (condition.slots + slot_count / 64 > candidates.size() * kSlotsPerTest) {
    std::erase_if(candidates,
                  [&](Slot slot) { return !condition.matcher->Matches(labels_of(slot)); });
    return;
  }
  SlotSet listed(slot_count);
  for (const SlotList* list : condition.lists) listed.Add(*list);
  std::erase_if(candidates, [&](Slot slot) { return listed.Has(slot) == condition.excludes; });
}

}  // namespace

void LabelIndex::Add(Slot slot, const model::Labels& labels) {
  for (const auto& [name, value] : labels) {
    auto by_name = names_.find(name);
    if (by_name == names_.end()) by_name = names_.emplace(std::string(name), Values()).first;
    auto by_value = by_name->second.find(value);
    if (by_value == by_name->second.end()) {
      by_value = by_name->second.emplace(std::string(value), SlotList()).first;
    }
    by_value->second.Add(slot);
  }
}

void LabelIndex::Remove(const std::vector<std::pair<Slot, model::Labels>>& series) {
  if (series.empty()) return;
  Slot most = 0;
  for (const auto& [slot, labels] : series) most = std::max(most, slot);
  std::vector<bool> removed(std::size_t{most} + 1);
  for (const auto& [slot, labels] : series) removed[slot] = true;

  std::unordered_map<SlotList*, std::pair<std::string_view, std::string_view>> touched;
  for (const auto& [slot, labels] : series) {
    for (const auto& [name, value] : labels) {
      touched.emplace(&names_.find(name)->second.find(value)->second, std::pair(name, value));
    }
  }
  for (const auto& [slots, label] : touched) {
    slots->RemoveIf([&](Slot slot) { return slot <= most && removed[slot]; });
    if (!slots->empty()) continue;
    const auto by_name = names_.find(label.first);
    by_name->second.erase(by_name->second.find(label.second));
    if (by_name->second.empty()) names_.erase(by_name);
  }
}

const LabelIndex::Values* LabelIndex::ValuesOf(std::string_view name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &found->second;
}

std::vector<Slot> LabelIndex::Find(const std::vector<Matcher>& matchers, std::size_t slot_count,
                                   const LabelsOf& labels_of,
                                   const std::function<std::vector<Slot>()>& all) const {
  std::vector<Condition> conditions;
  std::vector<const Matcher*> to_test;  // Left until the others have narrowed the search.
  bool narrowed = false;
  for (const Matcher& matcher : matchers) {
    if (!IsLookup(matcher)) {
      to_test.push_back(&matcher);
      continue;
    }
    conditions.push_back(Resolve(matcher, ValuesOf(matcher.name())));
    if (conditions.back().excludes) continue;
    if (conditions.back().slots == 0) return {};
    narrowed = true;
  }
  if (!narrowed) {
    for (const Matcher* matcher : std::exchange(to_test, {})) {
      conditions.push_back(Resolve(*matcher, ValuesOf(matcher->name())));
    }
  }
  // The narrowest first; those that only take away last.
  std::sort(conditions.begin(), conditions.end(), [](const Condition& a, const Condition& b) {
    return std::pair(a.excludes, a.slots) < std::pair(b.excludes, b.slots);
  });
  std::vector<Slot> candidates;
  std::size_t next = 0;
  if (!conditions.empty() && !conditions[0].excludes) {
    candidates.reserve(conditions[0].slots);
    for (const SlotList* list : conditions[0].lists) {
      list->ForEach([&](Slot slot) { candidates.push_back(slot); });
    }
    next = 1;
  } else {
    candidates = all();
  }
  for (; next < conditions.size() && !candidates.empty(); ++next) {
    Narrow(conditions[next], slot_count, labels_of, candidates);
  }
  for (const Matcher* matcher : to_test) {
    const Values* values = ValuesOf(matcher->name());
    if (values != nullptr && values->size() < candidates.size()) {
      Narrow(Resolve(*matcher, values), slot_count, labels_of, candidates);
    } else {
      std::erase_if(candidates, [&](Slot slot) { return !matcher->Matches(labels_of(slot)); });
    }
  }
  return candidates;
}

}  // namespace tocsin::store
