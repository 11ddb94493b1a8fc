#include "daemon/store/slot_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace tocsin::store {
namespace {

std::vector<Slot> SlotsOf(const SlotList& list) {
  std::vector<Slot> slots;
  list.ForEach([&](Slot slot) { slots.push_back(slot); });
  return slots;
}

// Runs up and down, gaps, slots that are used again, and removals between them.
TEST(SlotListTest, HoldsWhatAVectorWould) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    SlotList list;
    std::vector<Slot> expected;
    Slot next = random() % 10;
    for (int step = 0; step < 60; ++step) {
      switch (random() % 8) {
        case 0: next = random() % 200; break;
        case 1: next = next > SlotList::kMost - 2 ? 0 : next + 2; break;
        case 2: next = next == 0 ? SlotList::kMost : next - 1; break;
        case 3: {
          const Slot from = random() % 200;
          const auto drop = [&](Slot slot) { return slot >= from && slot < from + 20; };
          list.RemoveIf(drop);
          std::erase_if(expected, drop);
          break;
        }
        default: next = next == SlotList::kMost ? 0 : next + 1;
      }
      list.Add(next);
      expected.push_back(next);
      ASSERT_EQ(SlotsOf(list), expected);
      ASSERT_EQ(list.size(), expected.size());
    }
    list.RemoveIf([](Slot) { return true; });
    ASSERT_TRUE(list.empty());
    list.Add(7);
    ASSERT_EQ(SlotsOf(list), std::vector<Slot>{7});
  }
}

}  // namespace
}  // namespace tocsin::store
