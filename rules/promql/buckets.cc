#include "rules/promql/buckets.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "daemon/model/sample.h"

namespace tocsin::promql {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Differences relatively smaller than this are rounding, not observations.
constexpr double kSmallDifference = 1e-12;

bool AlmostEqual(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return true;
  constexpr double kLeast = std::numeric_limits<double>::min();
  const double sum = std::abs(a) + std::abs(b);
  const double difference = std::abs(a - b);
  if (a == 0 || b == 0 || sum < kLeast) return difference < kSmallDifference * kLeast;
  return difference / std::min(sum, std::numeric_limits<double>::max()) < kSmallDifference;
}

// Adds up buckets of equal bounds ("0.2" and "2e-1").
void Coalesce(std::vector<Bucket>& buckets) {
  std::size_t last = 0;
  for (std::size_t i = 1; i < buckets.size(); ++i) {
    if (buckets[i].upper_bound == buckets[last].upper_bound) {
      buckets[last].count += buckets[i].count;
    } else {
      buckets[++last] = buckets[i];
    }
  }
  buckets.resize(last + 1);
}

// Raises counts that fell below the one before.
void MakeMonotonic(std::vector<Bucket>& buckets, BucketQuantileResult& result) {
  double before = buckets[0].count;
  for (std::size_t i = 1; i < buckets.size(); ++i) {
    Bucket& bucket = buckets[i];
    if (bucket.count == before) continue;
    if (AlmostEqual(before, bucket.count)) {
      bucket.count = before;
    } else if (bucket.count < before) {
      if (!result.mended) result.min_bucket = bucket.upper_bound;
      result.mended = true;
      result.max_bucket = bucket.upper_bound;
      result.max_difference = std::max(result.max_difference, before - bucket.count);
      bucket.count = before;
    } else {
      before = bucket.count;
    }
  }
}

}  // namespace

BucketQuantileResult BucketQuantile(double q, std::vector<Bucket>& buckets) {
  BucketQuantileResult result;
  result.value = model::NormalNaN();
  if (std::isnan(q)) return result;
  if (q < 0 || q > 1) {
    result.value = q < 0 ? -kInfinity : kInfinity;
    return result;
  }
  if (buckets.empty() || buckets.back().upper_bound != kInfinity) return result;
  Coalesce(buckets);
  BucketQuantileResult mended;
  MakeMonotonic(buckets, mended);
  if (buckets.size() < 2) return result;
  const double observations = buckets.back().count;
  if (observations == 0) return result;
  mended.value = result.value;

  double rank = q * observations;
  const std::size_t last = buckets.size() - 1;
  std::size_t at = 0;
  while (at < last && !(buckets[at].count >= rank)) ++at;
  if (at == last) {
    mended.value = buckets[last - 1].upper_bound;
    return mended;
  }
  const double end = buckets[at].upper_bound;
  if (at == 0 && end <= 0) {
    mended.value = end;
    return mended;
  }
  double start = 0;
  double count = buckets[at].count;
  if (at > 0) {
    start = buckets[at - 1].upper_bound;
    count -= buckets[at - 1].count;
    rank -= buckets[at - 1].count;
  }
  mended.value = start + (end - start) * (rank / count);
  return mended;
}

double BucketFraction(double lower, double upper, std::vector<Bucket>& buckets) {
  if (buckets.back().upper_bound != kInfinity) return model::NormalNaN();
  Coalesce(buckets);
  BucketQuantileResult ignored;
  MakeMonotonic(buckets, ignored);
  const double total = buckets.back().count;
  if (total == 0 || std::isnan(total) || std::isnan(lower) || std::isnan(upper)) {
    return model::NormalNaN();
  }
  if (lower >= upper) return 0;

  std::optional<double> lower_rank, upper_rank;
  double rank = 0;  // Observations below the bucket.
  double start = buckets[0].upper_bound > 0 ? 0 : -kInfinity;
  for (const Bucket& bucket : buckets) {
    const double end = bucket.upper_bound;
    const auto settle = [&](double bound, std::optional<double>& found) {
      if (found) return;
      if (start >= bound) {
        found = rank;
      } else if (end > bound) {
        found = start == -kInfinity
                    ? bucket.count
                    : rank + (bucket.count - rank) * (bound - start) / (end - start);
      }
    };
    settle(lower, lower_rank);
    settle(upper, upper_rank);
    if (lower_rank && upper_rank) break;
    rank = bucket.count;
    start = end;
  }
  return (std::min(upper_rank.value_or(total), total) -
          std::min(lower_rank.value_or(total), total)) /
         total;
}

}  // namespace tocsin::promql
