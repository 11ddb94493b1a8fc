#pragma once

// Quantiles and fractions of a classic histogram. Pure functions.

#include <vector>

namespace tocsin::promql {

struct Bucket {
  double upper_bound = 0;
  double count = 0;  // Of all observations up to the bound.
};

struct BucketQuantileResult {
  double value = 0;
  bool mended = false;  // Counts fell from one bucket to the next and were raised.
  double min_bucket = 0;
  double max_bucket = 0;
  double max_difference = 0;
};

// Linear within a bucket; 0 is the lower end of a first bucket above 0. NaN with
// fewer than two buckets, without a +Inf bucket, or without observations; the second
// highest bound when the quantile is in the +Inf bucket. Requires: sorted by bound.
BucketQuantileResult BucketQuantile(double q, std::vector<Bucket>& buckets);

// The share of observations in (lower, upper], interpolated alike; nothing is
// interpolated in a bucket without a finite end. Requires: sorted, not empty.
double BucketFraction(double lower, double upper, std::vector<Bucket>& buckets);

}  // namespace tocsin::promql
