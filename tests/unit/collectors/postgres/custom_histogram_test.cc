#include "collectors/postgres/custom_histogram.h"

#include <gtest/gtest.h>

#include <string>

namespace tocsin::collectors::postgres {
namespace {

using Counts = std::vector<std::uint64_t>;
using Bounds = std::vector<double>;

TEST(CustomHistogramTest, BucketsThatCountUpBecomeBucketsOfTheirOwn) {
  const auto histogram = ParseHistogram("{0.1,0.5,2.5}", "{3,3,7}", "12.75", "9");
  ASSERT_TRUE(histogram.ok()) << histogram.error().message;
  EXPECT_EQ(histogram->upper_bounds, (Bounds{0.1, 0.5, 2.5}));
  EXPECT_EQ(histogram->counts, (Counts{3, 0, 4, 2}));
  EXPECT_EQ(histogram->sum, 12.75);
}

TEST(CustomHistogramTest, TheLastBoundMayBeWrittenOut) {
  const auto histogram = ParseHistogram("{1,Infinity}", "{3,9}", "1e3", "9");
  ASSERT_TRUE(histogram.ok()) << histogram.error().message;
  EXPECT_EQ(histogram->upper_bounds, Bounds{1});
  EXPECT_EQ(histogram->counts, (Counts{3, 6}));
  EXPECT_EQ(ParseHistogram("{}", "{}", "0", "0")->counts, Counts{0});
}

TEST(CustomHistogramTest, WhatIsNoHistogramIsSaid) {
  const auto error = [](const char* bounds, const char* buckets, const char* sum,
                        const char* count) {
    const auto histogram = ParseHistogram(bounds, buckets, sum, count);
    return histogram.ok() ? std::string("it is one") : histogram.error().message;
  };
  EXPECT_EQ(error("1", "{1}", "1", "1"), "not an array of numbers");
  EXPECT_EQ(error("{1,NULL}", "{1,2}", "1", "2"), "not an array of numbers");
  EXPECT_EQ(error("{{1},{2}}", "{1,2}", "1", "2"), "not an array of numbers");
  EXPECT_EQ(error("{1}", "{1}", "much", "1"), "the sum or the count is not a number");
  EXPECT_EQ(error("{1,2}", "{1}", "1", "1"), "not as many buckets as bounds");
  EXPECT_EQ(error("{2,1}", "{1,2}", "1", "2"), "the bounds must ascend");
  EXPECT_EQ(error("{Infinity,1}", "{1,2}", "1", "2"), "the bounds must ascend");
  EXPECT_EQ(error("{NaN}", "{1}", "1", "1"), "the bounds must ascend");
  for (const char* buckets : {"{3,2}", "{-1,2}", "{1,9}", "{0.5,2}", "{NaN,2}"}) {
    EXPECT_EQ(error("{1,2}", buckets, "1", "5"), "the buckets must count up to the count of all")
        << buckets;
  }
}

}  // namespace
}  // namespace tocsin::collectors::postgres
