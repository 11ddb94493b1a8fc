#include "rules/promql/buckets.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace tocsin::promql {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double QuantileOf(double q, std::vector<Bucket> buckets) {
  return BucketQuantile(q, buckets).value;
}
double FractionOf(double lower, double upper, std::vector<Bucket> buckets) {
  return BucketFraction(lower, upper, buckets);
}

TEST(BucketsTest, QuantileIsLinearWithinABucket) {
  const std::vector<Bucket> buckets = {{1, 10}, {2, 30}, {kInfinity, 40}};
  EXPECT_DOUBLE_EQ(QuantileOf(0.25, buckets), 1);
  EXPECT_DOUBLE_EQ(QuantileOf(0.5, buckets), 1.5);
  EXPECT_DOUBLE_EQ(QuantileOf(0.125, buckets), 0.5);  // From 0 up in the first.
}

TEST(BucketsTest, QuantileNeverExceedsTheLastFiniteBound) {
  EXPECT_DOUBLE_EQ(QuantileOf(0.99, {{1, 10}, {2, 30}, {kInfinity, 40}}), 2);
}

TEST(BucketsTest, QuantileOfUselessBucketsIsNaN) {
  EXPECT_TRUE(std::isnan(QuantileOf(0.5, {})));
  EXPECT_TRUE(std::isnan(QuantileOf(0.5, {{kInfinity, 3}})));
  EXPECT_TRUE(std::isnan(QuantileOf(0.5, {{1, 3}, {2, 3}})));
  EXPECT_TRUE(std::isnan(QuantileOf(0.5, {{1, 0}, {kInfinity, 0}})));
  EXPECT_TRUE(std::isnan(QuantileOf(std::nan(""), {{1, 1}, {kInfinity, 1}})));
  EXPECT_EQ(QuantileOf(-1, {{1, 1}, {kInfinity, 1}}), -kInfinity);
  EXPECT_EQ(QuantileOf(2, {{1, 1}, {kInfinity, 1}}), kInfinity);
}

TEST(BucketsTest, FallingCountsAreRaisedAndTold) {
  std::vector<Bucket> buckets = {{1, 10}, {2, 7}, {3, 9}, {4, 20}, {kInfinity, 20}};
  const BucketQuantileResult result = BucketQuantile(0.75, buckets);
  EXPECT_TRUE(result.mended);
  EXPECT_EQ(result.min_bucket, 2);
  EXPECT_EQ(result.max_bucket, 3);
  EXPECT_EQ(result.max_difference, 3);
  EXPECT_DOUBLE_EQ(result.value, 3.5);
}

TEST(BucketsTest, RoundingIsMendedInSilence) {
  std::vector<Bucket> buckets = {{1, 10}, {2, 10 - 1e-12}, {kInfinity, 10}};
  EXPECT_FALSE(BucketQuantile(0.5, buckets).mended);
}

TEST(BucketsTest, FractionsInterpolateBothEnds) {
  const std::vector<Bucket> buckets = {{1, 10}, {2, 30}, {kInfinity, 40}};
  EXPECT_DOUBLE_EQ(FractionOf(0, 1, buckets), 0.25);
  EXPECT_DOUBLE_EQ(FractionOf(0.5, 1.5, buckets), 0.375);
  EXPECT_DOUBLE_EQ(FractionOf(-kInfinity, kInfinity, buckets), 1);
  EXPECT_DOUBLE_EQ(FractionOf(5, kInfinity, buckets), 0.25);  // Nothing known beyond 2.
  EXPECT_DOUBLE_EQ(FractionOf(2, 1, buckets), 0);
  EXPECT_TRUE(std::isnan(FractionOf(std::nan(""), 1, buckets)));
}

}  // namespace
}  // namespace tocsin::promql
