#include "collectors/postgres/top_objects.h"

#include <gtest/gtest.h>

namespace tocsin::collectors::postgres {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using Object = TopObjects::Object;

const SteadyTime kStart = SteadyTime{} + hours(1000);

std::string Chosen(TopObjects& top, const std::vector<Object>& objects, std::size_t limit,
                   SteadyTime now) {
  const auto chosen = top.Choose(objects, limit, now);
  std::string text;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    if (chosen[i]) text += objects[i].key;
  }
  return text;
}

TEST(TopObjectsTest, TheHeaviestAreChosenAndKeepTheirPlaceForADay) {
  TopObjects top;
  EXPECT_EQ(Chosen(top, {{"a", 1, {}}, {"b", 3, {}}, {"c", 2, {}}}, 2, kStart), "bc");
  EXPECT_EQ(top.left_out(), 1u);
  const std::vector<Object> later = {{"a", 9, {}}, {"b", 3, {}}, {"c", 2, {}}};
  EXPECT_EQ(Chosen(top, later, 2, kStart + hours(23)), "bc");
  EXPECT_EQ(Chosen(top, later, 2, kStart + hours(24)), "ab");
}

TEST(TopObjectsTest, APlaceThatIsFreeGoesToTheHeaviestAtOnce) {
  TopObjects top;
  EXPECT_EQ(Chosen(top, {{"a", 1, {}}, {"b", 3, {}}, {"c", 2, {}}}, 2, kStart), "bc");
  EXPECT_EQ(Chosen(top, {{"a", 1, {}}, {"c", 2, {}}}, 2, kStart + minutes(1)), "ac");
  EXPECT_EQ(top.left_out(), 0u);
}

TEST(TopObjectsTest, WhoMayNotBeChosenIsOneOfTheOthersHoweverHeavyAndTakesNoPlace) {
  TopObjects top;
  const std::vector<Object> objects = {{"a", 9, {1}, false}, {"b", 3, {1}}, {"c", 2, {1}}};
  EXPECT_EQ(Chosen(top, objects, 2, kStart), "bc");
  EXPECT_EQ(top.left_out(), 1u);
  Chosen(top, {{"a", 9, {5}, false}, {"b", 3, {9}}, {"c", 2, {9}}}, 2, kStart + minutes(1));
  EXPECT_EQ(top.others()[0], 4);
}

TEST(TopObjectsTest, WhatTheOthersCountNeverFalls) {
  TopObjects top;
  const auto count = [&](const std::vector<Object>& objects, int minute) {
    top.Choose(objects, 1, kStart + minutes(minute));
    return top.others().empty() ? -1 : top.others()[0];
  };
  EXPECT_EQ(count({{"a", 9, {100}}, {"b", 1, {50}}, {"c", 1, {70}}}, 0), 0);  // From here on.
  EXPECT_EQ(count({{"a", 9, {200}}, {"b", 1, {53}}, {"c", 1, {70}}}, 1), 3);
  EXPECT_EQ(count({{"a", 9, {300}}, {"b", 1, {4}}, {"c", 1, {71}}}, 2), 8);  // b was reset.
  EXPECT_EQ(count({{"a", 9, {300}}, {"b", 1, {4}}}, 3), 8);                  // c was dropped.
  EXPECT_EQ(count({{"a", 9, {300}}, {"b", 1, {4}}, {"d", 1, {6}}}, 4), 14);  // d is new.
  EXPECT_EQ(count({{"d", 1, {7}}}, 5), 14);  // It has a's place: no more among the others.
}

TEST(TopObjectsTest, WhoLosesItsPlaceCountsAmongTheOthersFromWhereItWas) {
  TopObjects top;
  top.Choose(std::vector<Object>{{"a", 9, {100}}, {"b", 1, {50}}}, 1, kStart);
  top.Choose(std::vector<Object>{{"a", 1, {101}}, {"b", 9, {60}}}, 1, kStart + hours(24));
  EXPECT_EQ(top.others()[0], 1);
}

// Its place is lost after a time in which everybody had one: its lifetime is no increase.
TEST(TopObjectsTest, WhoLosesItsPlaceLaterCountsFromWhereItWasToo) {
  TopObjects top;
  top.Choose(std::vector<Object>{{"a", 9, {100}}, {"b", 1, {50}}}, 2, kStart);
  EXPECT_TRUE(top.others().empty());
  top.Choose(std::vector<Object>{{"a", 9, {100}}, {"b", 1, {55}}, {"c", 9, {3}}}, 2,
             kStart + hours(24));
  EXPECT_EQ(top.others()[0], 5);
}

TEST(TopObjectsTest, ACounterThatIsNewCountsFromWhereItIs) {
  TopObjects top;
  const auto call = [&](const std::vector<double>& counters) {
    top.Choose(std::vector<Object>{{"a", 1, counters, false}}, 1, kStart);
    return top.others();
  };
  EXPECT_EQ(call({5}), (std::vector<double>{0}));
  EXPECT_EQ(call({6, 100}), (std::vector<double>{1, 0}));
  EXPECT_EQ(call({8, 103}), (std::vector<double>{3, 3}));
  EXPECT_EQ(call({9}), (std::vector<double>{4, 3}));
}

TEST(TopObjectsTest, NothingIsCountedWhileEverybodyHasAPlace) {
  TopObjects top;
  top.Choose(std::vector<Object>{{"a", 9, {100}}}, 1, kStart);
  EXPECT_TRUE(top.others().empty());
  top.Choose(std::vector<Object>{{"a", 9, {100}}, {"b", 1, {5}}}, 1, kStart + minutes(1));
  EXPECT_EQ(top.others()[0], 5);  // It came in this minute.
}

}  // namespace
}  // namespace tocsin::collectors::postgres
