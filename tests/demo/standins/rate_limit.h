#pragma once

// The vendors' rates. Not thread-safe.

#include <algorithm>
#include <chrono>
#include <deque>

namespace tocsin::demo {

using RateTime = std::chrono::steady_clock::time_point;

// Slack: about one message a second, short bursts allowed.
class TokenBucket {
 public:
  TokenBucket(double per_second, double burst)
      : per_second_(per_second), burst_(burst), tokens_(burst) {}

  // Takes a token; otherwise the seconds after which there is one, rounded up.
  int Take(RateTime now) {
    const std::chrono::duration<double> passed = now - last_;
    if (last_ != RateTime()) tokens_ = std::min(burst_, tokens_ + passed.count() * per_second_);
    last_ = now;
    if (tokens_ >= 1) {
      tokens_ -= 1;
      return 0;
    }
    return static_cast<int>((1 - tokens_) / per_second_) + 1;
  }

 private:
  double per_second_;
  double burst_;
  double tokens_;
  RateTime last_{};
};

// PagerDuty: at most `limit` in any `window`.
class SlidingWindow {
 public:
  SlidingWindow(std::size_t limit, std::chrono::seconds window) : limit_(limit), window_(window) {}

  // Counts one; otherwise the seconds until the oldest leaves the window.
  int Take(RateTime now) {
    while (!taken_.empty() && now - taken_.front() >= window_) taken_.pop_front();
    if (taken_.size() < limit_) {
      taken_.push_back(now);
      return 0;
    }
    const auto wait = window_ - (now - taken_.front());
    return static_cast<int>(std::chrono::ceil<std::chrono::seconds>(wait).count());
  }

 private:
  std::size_t limit_;
  std::chrono::seconds window_;
  std::deque<RateTime> taken_;
};

}  // namespace tocsin::demo
