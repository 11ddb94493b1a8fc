#pragma once

// Slots in the order in which they were added, as small as they are regular: the series of
// a target are mostly made one after the other, and a run of neighbours takes two words.
// Not thread-safe (Head guards it).

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "daemon/base/check.h"
#include "daemon/base/lean_push.h"

namespace tocsin::store {

using Slot = std::uint32_t;  // A series' place in the head.

class SlotList {
 public:
  static constexpr Slot kMost = (Slot{1} << 31) - 1;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Requires: slot ≤ kMost.
  void Add(Slot slot) {
    TOCSIN_CHECK(slot <= kMost);
    ++size_;
    if (ends_in_run_ && slot == (words_[words_.size() - 2] & kMost) + words_.back()) {
      ++words_.back();
    } else if (!ends_in_run_ && !words_.empty() && slot == words_.back() + 1) {
      words_.back() |= kIsRun;
      LeanPush(words_, Slot{2});
      ends_in_run_ = true;
    } else {
      LeanPush(words_, slot);
      ends_in_run_ = false;
    }
  }

  template <class Use>
  void ForEach(Use use) const {
    for (std::size_t at = 0; at < words_.size(); ++at) {
      const Slot slot = words_[at] & kMost;
      const Slot end = slot + (words_[at] == slot ? 1 : words_[++at]);
      for (Slot next = slot; next < end; ++next) use(next);
    }
  }

  template <class Drop>
  void RemoveIf(Drop drop) {
    SlotList kept;
    kept.words_.reserve(words_.size());
    ForEach([&](Slot slot) {
      if (!drop(slot)) kept.Add(slot);
    });
    *this = std::move(kept);
  }

 private:
  static constexpr Slot kIsRun = Slot{1} << 31;

  std::vector<Slot> words_;  // A slot; or one with kIsRun, and how many there are from it on.
  std::uint32_t size_ = 0;
  bool ends_in_run_ = false;
};

}  // namespace tocsin::store
