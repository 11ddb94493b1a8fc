#pragma once

// Finds places in a list by hashes, for the length of a collection: in one block of memory,
// which is given back whole, where the nodes of a map would leave holes between all that is
// allocated meanwhile and stays. Not thread-safe.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace tocsin {

class PlaceTable {
 public:
  void Reserve(std::size_t places) {
    std::size_t capacity = kFirstCapacity;
    while (capacity * kMostUsed < places * kOf) capacity *= 2;
    if (capacity > entries_.size()) Rebuild(capacity);
  }

  // Several places may have one hash. Requires: place < kNone.
  void Add(std::size_t hash, std::uint32_t place) {
    Reserve(size_ + 1);
    Insert({static_cast<std::uint32_t>(hash), place});
    ++size_;
  }

  // A place of that hash of which `fits` says yes.
  template <class Fits>
  std::optional<std::uint32_t> Find(std::size_t hash, Fits fits) const {
    if (entries_.empty()) return std::nullopt;
    const auto tag = static_cast<std::uint32_t>(hash);
    for (std::size_t at = tag & mask(); entries_[at].place != kNone; at = (at + 1) & mask()) {
      if (entries_[at].hash == tag && fits(entries_[at].place)) return entries_[at].place;
    }
    return std::nullopt;
  }

 private:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::size_t kFirstCapacity = 64;  // A power of two, as all that follow.
  static constexpr std::size_t kMostUsed = 3;        // Of 4 entries.
  static constexpr std::size_t kOf = 4;

  struct Entry {
    std::uint32_t hash = 0;
    std::uint32_t place = kNone;
  };

  std::size_t mask() const { return entries_.size() - 1; }

  void Insert(Entry entry) {
    std::size_t at = entry.hash & mask();
    while (entries_[at].place != kNone) at = (at + 1) & mask();
    entries_[at] = entry;
  }
  void Rebuild(std::size_t capacity) {
    std::vector<Entry> old(capacity);
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.place != kNone) Insert(entry);
    }
  }

  std::vector<Entry> entries_;
  std::size_t size_ = 0;
};

}  // namespace tocsin
