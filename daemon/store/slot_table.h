#pragma once

// Finds a series' slot by its labels. Open addressing with eight bytes an entry: the
// labels themselves are kept once, by the series. Grows by a quarter, as every entry
// that stays free is memory lost. Not thread-safe (Head guards it).

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/model/labels.h"
#include "daemon/store/label_index.h"

namespace tocsin::store {

class SlotTable {
 public:
  std::size_t size() const { return size_; }

  // `labels_of(slot)` gives the labels that were added with the slot.
  template <class LabelsOf>
  std::optional<Slot> Find(const model::Labels& labels, LabelsOf labels_of) const {
    if (entries_.empty()) return std::nullopt;
    const std::uint32_t tag = TagOf(labels);
    for (std::size_t at = Home(tag); entries_[at].used(); at = Next(at)) {
      const Entry& entry = entries_[at];
      if (entry.tag == tag && labels_of(entry.slot) == labels) return entry.slot;
    }
    return std::nullopt;
  }

  // Requires: the labels are not in the table.
  void Add(const model::Labels& labels, Slot slot) {
    if ((size_ + 1) * 8 > entries_.size() * 7) Grow();
    Insert({TagOf(labels), slot});
    ++size_;
  }

  // Requires: added with these labels before.
  void Remove(const model::Labels& labels, Slot slot) {
    std::size_t gap = Home(TagOf(labels));
    while (entries_[gap].slot != slot) gap = Next(gap);
    // Entries that the gap would cut off from their home move into it.
    for (std::size_t at = Next(gap); entries_[at].used(); at = Next(at)) {
      if (Distance(Home(entries_[at].tag), at) < Distance(gap, at)) continue;
      entries_[gap] = entries_[at];
      gap = at;
    }
    entries_[gap] = Entry();
    --size_;
  }

 private:
  static constexpr Slot kNoSlot = ~Slot{0};
  static constexpr std::size_t kFirstCapacity = 64;

  struct Entry {
    std::uint32_t tag = 0;  // The hash's upper half, which is the better mixed one.
    Slot slot = kNoSlot;
    bool used() const { return slot != kNoSlot; }
  };

  static std::uint32_t TagOf(const model::Labels& labels) {
    return static_cast<std::uint32_t>(labels.Hash() >> 32);
  }
  // Tags are spread over their whole range: a capacity that is no power of two needs no
  // division for it.
  std::size_t Home(std::uint32_t tag) const {
    return static_cast<std::size_t>((std::uint64_t{tag} * entries_.size()) >> 32);
  }
  std::size_t Next(std::size_t at) const { return at + 1 == entries_.size() ? 0 : at + 1; }
  std::size_t Distance(std::size_t from, std::size_t to) const {
    return to >= from ? to - from : to + entries_.size() - from;
  }

  void Insert(Entry entry) {
    std::size_t at = Home(entry.tag);
    while (entries_[at].used()) at = Next(at);
    entries_[at] = entry;
  }
  void Grow() {
    std::vector<Entry> old(std::max(kFirstCapacity, entries_.size() / 4 * 5));
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.used()) Insert(entry);
    }
  }

  std::vector<Entry> entries_;
  std::size_t size_ = 0;
};

}  // namespace tocsin::store
