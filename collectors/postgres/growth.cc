#include "collectors/postgres/growth.h"

#include <chrono>

namespace tocsin::collectors::postgres {
namespace {

constexpr std::chrono::hours kOver{6};
constexpr std::chrono::minutes kLeastTime{10};
constexpr double kSecondsPerDay = 86'400;

}  // namespace

std::optional<double> Growth::PerDay(double value, SteadyTime now) {
  if (!newer_ || value < newer_->value) {
    newer_ = older_ = Point{value, now};
  } else if (now - newer_->at >= kOver) {
    older_ = *newer_;
    newer_ = Point{value, now};
  }
  if (now - older_.at < kLeastTime || value <= older_.value) return std::nullopt;
  return (value - older_.value) / ToSeconds(now - older_.at) * kSecondsPerDay;
}

}  // namespace tocsin::collectors::postgres
