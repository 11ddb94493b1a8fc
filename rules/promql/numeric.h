#pragma once

// Arithmetic as upstream does it, down to the last bits where it matters.

#include <cmath>
#include <limits>

namespace tocsin::promql {

// Neumaier's variant of Kahan's sum: the compensation also holds when the new term
// is larger than the sum.
struct CompensatedSum {
  double sum = 0;
  double compensation = 0;

  void Add(double value) {
    const double total = sum + value;
    if (std::isinf(total)) {
      compensation = 0;
    } else if (std::abs(sum) >= std::abs(value)) {
      compensation += (sum - total) + value;
    } else {
      compensation += (value - total) + sum;
    }
    sum = total;
  }
  double Value() const { return std::isinf(sum) ? sum : sum + compensation; }
};

// A mean that sums directly until the sum would overflow, then goes on by steps.
class CompensatedMean {
 public:
  void Add(double value) {
    ++count_;
    if (count_ == 1) {
      state_ = {value, 0};
      return;
    }
    if (!incremental_) {
      CompensatedSum next = state_;
      next.Add(value);
      if (!std::isinf(next.sum)) {
        state_ = next;
        return;
      }
      incremental_ = true;
      state_.sum /= count_ - 1;
      state_.compensation /= count_ - 1;
    }
    const double share = (count_ - 1) / count_;
    state_.sum *= share;
    state_.compensation *= share;
    state_.Add(value / count_);
  }
  double count() const { return count_; }
  double Value() const {
    if (incremental_) return state_.sum + state_.compensation;
    return state_.sum / count_ + state_.compensation / count_;
  }

 private:
  CompensatedSum state_;
  double count_ = 0;
  bool incremental_ = false;
};

// Go's math.Max and math.Min: an infinity on its own side beats NaN.
inline double GoMax(double a, double b) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (a == kInfinity || b == kInfinity) return kInfinity;
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<double>::quiet_NaN();
  if (a == 0 && b == 0) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}
inline double GoMin(double a, double b) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (a == -kInfinity || b == -kInfinity) return -kInfinity;
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<double>::quiet_NaN();
  if (a == 0 && b == 0) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

}  // namespace tocsin::promql
