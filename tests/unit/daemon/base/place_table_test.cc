#include "daemon/base/place_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <unordered_map>
#include <vector>

namespace tocsin {
namespace {

// Hashes differ in their upper half, as good ones do.
std::size_t Hash(std::size_t number) { return number * 0x9E3779B97F4A7C15ULL; }

TEST(PlaceTableTest, FindsWhatAMapWouldAlsoAmongEqualHashes) {
  for (const std::size_t hashes : {std::size_t{7}, std::size_t{1} << 40}) {
    std::mt19937_64 random(5);
    PlaceTable table;
    table.Reserve(300);
    std::unordered_multimap<std::size_t, std::uint32_t> expected;
    for (std::uint32_t place = 0; place < 700; ++place) {
      const std::size_t hash = Hash(random() % hashes);
      table.Add(hash, place);
      expected.emplace(hash, place);
    }
    EXPECT_EQ(table.size(), expected.size());
    for (const auto& [hash, place] : expected) {
      EXPECT_EQ(table.Find(hash, [&](std::uint32_t one) { return one == place; }), place);
      EXPECT_EQ(table.Find(hash, [](std::uint32_t) { return false; }), std::nullopt);
    }
  }
  EXPECT_EQ(PlaceTable().Find(1, [](std::uint32_t) { return true; }), std::nullopt);
}

// Against a map, with additions and removals that leave long rows of entries.
TEST(PlaceTableTest, FindsWhatWasAddedAndNotRemoved) {
  std::mt19937 random(20'240'501);
  std::vector<std::size_t> numbers;  // By place.
  std::map<std::size_t, std::uint32_t> model;
  std::vector<std::uint32_t> free;
  PlaceTable table;
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t number = random() % 700;
    const auto known = model.find(number);
    if (known == model.end()) {
      if (free.empty()) {
        free.push_back(static_cast<std::uint32_t>(numbers.size()));
        numbers.emplace_back();
      }
      const std::uint32_t place = free.back();
      free.pop_back();
      numbers[place] = number;
      table.Add(Hash(number), place);
      model.emplace(number, place);
    } else if (random() % 2 == 0) {
      table.Remove(Hash(number), known->second);
      free.push_back(known->second);
      model.erase(known);
    }
    ASSERT_EQ(table.size(), model.size());
  }
  for (std::size_t number = 0; number < 700; ++number) {
    const auto found =
        table.Find(Hash(number), [&](std::uint32_t place) { return numbers[place] == number; });
    const auto known = model.find(number);
    ASSERT_EQ(found.has_value(), known != model.end()) << number;
    if (known != model.end()) {
      EXPECT_EQ(*found, known->second);
    }
  }
}

}  // namespace
}  // namespace tocsin
