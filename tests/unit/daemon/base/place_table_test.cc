#include "daemon/base/place_table.h"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>

namespace tocsin {
namespace {

TEST(PlaceTableTest, FindsWhatAMapWouldAlsoAmongEqualHashes) {
  for (const std::size_t hashes : {std::size_t{7}, std::size_t{1} << 40}) {
    std::mt19937_64 random(5);
    PlaceTable table;
    std::unordered_multimap<std::size_t, std::uint32_t> expected;
    for (std::uint32_t place = 0; place < 700; ++place) {
      const std::size_t hash = random() % hashes;
      table.Add(hash, place);
      expected.emplace(hash, place);
    }
    for (const auto& [hash, place] : expected) {
      EXPECT_EQ(table.Find(hash, [&](std::uint32_t one) { return one == place; }), place);
      EXPECT_EQ(table.Find(hash, [](std::uint32_t) { return false; }), std::nullopt);
    }
  }
  EXPECT_EQ(PlaceTable().Find(1, [](std::uint32_t) { return true; }), std::nullopt);
}

}  // namespace
}  // namespace tocsin
