#pragma once

// Finds places in a list by the hash of what stands there. Open addressing with eight bytes
// an entry, in one block: it is given back whole, where the nodes of a map would leave holes
// between all that is allocated meanwhile and stays. Grows by a quarter, as every entry that
// stays free is memory lost. Not thread-safe.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace tocsin {

class PlaceTable {
 public:
  std::size_t size() const { return size_; }

  void Reserve(std::size_t places) {
    if (NeedsMore(places)) Rebuild(places * kOf / kMostUsed + 1);
  }

  // Several places may have one hash. Requires: place < kNone.
  void Add(std::size_t hash, std::uint32_t place) {
    if (NeedsMore(size_ + 1)) Rebuild(std::max(kFirstCapacity, entries_.size() / 4 * 5));
    Insert({TagOf(hash), place});
    ++size_;
  }

  // A place of that hash of which `fits` says yes.
  template <class Fits>
  std::optional<std::uint32_t> Find(std::size_t hash, Fits fits) const {
    if (entries_.empty()) return std::nullopt;
    const std::uint32_t tag = TagOf(hash);
    for (std::size_t at = Home(tag); entries_[at].used(); at = Next(at)) {
      if (entries_[at].tag == tag && fits(entries_[at].place)) return entries_[at].place;
    }
    return std::nullopt;
  }

  // Requires: added with this hash before.
  void Remove(std::size_t hash, std::uint32_t place) {
    std::size_t gap = Home(TagOf(hash));
    while (entries_[gap].place != place) gap = Next(gap);
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
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::size_t kFirstCapacity = 64;
  static constexpr std::size_t kMostUsed = 7;  // Of 8 entries.
  static constexpr std::size_t kOf = 8;

  struct Entry {
    std::uint32_t tag = 0;  // The hash's upper half, which is the better mixed one.
    std::uint32_t place = kNone;
    bool used() const { return place != kNone; }
  };

  static std::uint32_t TagOf(std::size_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
  bool NeedsMore(std::size_t places) const { return places * kOf > entries_.size() * kMostUsed; }
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
  void Rebuild(std::size_t capacity) {
    std::vector<Entry> old(capacity);
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.used()) Insert(entry);
    }
  }

  std::vector<Entry> entries_;
  std::size_t size_ = 0;
};

}  // namespace tocsin
