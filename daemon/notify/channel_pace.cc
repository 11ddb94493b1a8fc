#include "daemon/notify/channel_pace.h"

#include <algorithm>

namespace tocsin::notify {

double ChannelPace::TokensAt(SteadyTime now) const {
  if (filled_at_ == SteadyTime{}) return rate_.burst;
  const double gained = std::max(0.0, ToSeconds(now - filled_at_)) * rate_.per_second;
  return std::min(rate_.burst, tokens_ + gained);
}

bool ChannelPace::Take(SteadyTime now) {
  MutexLock lock(mutex_);
  const double tokens = TokensAt(now);
  if (now < held_until_ || tokens < 1) return false;
  tokens_ = tokens - 1;
  filled_at_ = now;
  return true;
}

SteadyTime ChannelPace::NextAt(SteadyTime now) const {
  MutexLock lock(mutex_);
  const double missing = std::max(0.0, 1 - TokensAt(now));
  // Rounded up, so that the token is there when the time has come.
  const Millis wait(static_cast<std::int64_t>(missing / rate_.per_second * 1000 + 1));
  return std::max(held_until_, missing > 0 ? now + wait : now);
}

void ChannelPace::HoldUntil(SteadyTime until) {
  MutexLock lock(mutex_);
  held_until_ = std::max(held_until_, until);
}

std::shared_ptr<ChannelPace> ChannelPaces::For(const Receiver& receiver) {
  MutexLock lock(mutex_);
  std::erase_if(paces_, [](const auto& item) { return item.second.expired(); });
  std::weak_ptr<ChannelPace>& known = paces_[receiver.ChannelKey()];
  std::shared_ptr<ChannelPace> pace = known.lock();
  if (!pace) {
    pace = std::make_shared<ChannelPace>(receiver.rate());
    known = pace;
  }
  return pace;
}

}  // namespace tocsin::notify
