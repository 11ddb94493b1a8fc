#include "collectors/postgres/growth.h"

#include <gtest/gtest.h>

#include <chrono>

namespace tocsin::collectors::postgres {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

const SteadyTime kStart = SteadyTime{} + hours(1000);

TEST(GrowthTest, IsToldFromTenMinutesOnAndNotOfANumberThatStands) {
  Growth growth;
  EXPECT_EQ(growth.PerDay(100, kStart), std::nullopt);
  EXPECT_EQ(growth.PerDay(105, kStart + minutes(9)), std::nullopt);
  EXPECT_EQ(growth.PerDay(110, kStart + hours(1)), 240);
  Growth stands;
  stands.PerDay(100, kStart);
  EXPECT_EQ(stands.PerDay(100, kStart + hours(1)), std::nullopt);
}

TEST(GrowthTest, IsThatOfTheLastHours) {
  Growth growth;
  growth.PerDay(0, kStart);
  growth.PerDay(6'000, kStart + hours(6));
  growth.PerDay(6'006, kStart + hours(12));
  EXPECT_EQ(growth.PerDay(6'008, kStart + hours(14)), 24);
}

TEST(GrowthTest, BeginsAnewWithASmallerNumber) {
  Growth growth;
  growth.PerDay(1'000'000, kStart);
  EXPECT_EQ(growth.PerDay(10, kStart + hours(1)), std::nullopt);
  EXPECT_EQ(growth.PerDay(11, kStart + hours(2)), 24);
}

}  // namespace
}  // namespace tocsin::collectors::postgres
