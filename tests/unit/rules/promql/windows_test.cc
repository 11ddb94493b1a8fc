// The edges of extrapolation, window by window.

#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

#include "rules/promql/column.h"
#include "rules/promql/window_functions.h"

namespace tocsin::promql {
namespace {

struct Samples {
  std::vector<std::int64_t> times_ms;
  std::vector<double> values;

  Window In(std::int64_t start_ms, std::int64_t end_ms) const {
    Window window;
    window.times_ms = times_ms.data();
    window.values = values.data();
    window.size = values.size();
    window.start_ms = start_ms;
    window.end_ms = end_ms;
    window.eval_ms = end_ms;
    return window;
  }
};

TEST(WindowsTest, SamplesNearTheEndsCoverTheWholeRange) {
  const Samples samples{{5'000, 15'000, 25'000}, {100, 110, 120}};
  // 20 in 20 s, and 5 s missing at each end: less than 1.1 distances.
  EXPECT_DOUBLE_EQ(Increase(samples.In(0, 30'000)), 30);
  EXPECT_DOUBLE_EQ(Rate(samples.In(0, 30'000)), 1);
  EXPECT_DOUBLE_EQ(Delta(samples.In(0, 30'000)), 30);
}

TEST(WindowsTest, ASeriesThatBeginsInTheRangeReachesBackHalfADistance) {
  const Samples samples{{50'000, 60'000}, {100, 110}};
  EXPECT_DOUBLE_EQ(Increase(samples.In(0, 60'000)), 15);
}

TEST(WindowsTest, ACounterIsNeverExtrapolatedBelowZero) {
  const Samples samples{{50'000, 60'000}, {2, 12}};
  // It would have been 0 two seconds before its first sample.
  EXPECT_DOUBLE_EQ(Increase(samples.In(0, 60'000)), 12);
  EXPECT_DOUBLE_EQ(Delta(samples.In(0, 60'000)), 15);  // A gauge may go below.
}

TEST(WindowsTest, ResetsAreAddedBack) {
  const Samples samples{{0, 10'000, 20'000}, {50, 60, 5}};
  EXPECT_DOUBLE_EQ(Increase(samples.In(0, 20'000)), 15);
  EXPECT_DOUBLE_EQ(Delta(samples.In(0, 20'000)), -45);
  EXPECT_DOUBLE_EQ(Irate(samples.In(0, 20'000)), 0.5);
  EXPECT_DOUBLE_EQ(Resets(samples.In(0, 20'000)), 1);
}

TEST(WindowsTest, CountedResetsChangeNothingButTheWork) {
  const Samples samples{{0, 10'000, 20'000}, {50, 60, 5}};
  Window window = samples.In(0, 20'000);
  const std::vector<std::uint32_t> resets = {3, 3, 4};
  window.resets = resets.data();
  EXPECT_DOUBLE_EQ(Increase(window), 15);
}

TEST(WindowsTest, OneSampleHasNoSlope) {
  const Samples samples{{10'000}, {5}};
  for (const WindowBody body : {Rate, Increase, Delta, Irate, Idelta, Deriv}) {
    EXPECT_TRUE(IsAbsent(body(samples.In(0, 20'000))));
  }
}

TEST(WindowsTest, RegressionOfAConstantIsExact) {
  const Samples samples{{0, 10'000, 20'000}, {0.1, 0.1, 0.1}};
  EXPECT_EQ(Deriv(samples.In(0, 20'000)), 0);
  const double ahead = 3600;
  Window window = samples.In(0, 20'000);
  window.scalars = {&ahead, 1};
  EXPECT_EQ(PredictLinear(window), 0.1);
  const Samples endless{{0, 10'000}, {INFINITY, INFINITY}};
  EXPECT_TRUE(std::isnan(Deriv(endless.In(0, 20'000))));
}

}  // namespace
}  // namespace tocsin::promql
