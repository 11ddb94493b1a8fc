#pragma once

// How fast a channel may be used: a token bucket, and a time to leave it alone
// that the vendor asked for (429 with Retry-After). Integrations that share a
// channel (two receivers with one Slack webhook) share its pace. Thread-safe.
// Internal.

#include <map>
#include <memory>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"
#include "daemon/notify/receivers/receiver.h"

namespace tocsin::notify {

class ChannelPace {
 public:
  explicit ChannelPace(ChannelRate rate) : rate_(rate), tokens_(rate.burst) {}

  // Takes a token; false if there is none or the channel is held.
  bool Take(SteadyTime now);
  // When the next token can be had: `now` if at once.
  SteadyTime NextAt(SteadyTime now) const;
  // Nothing goes out before `until`; an earlier hold stays if it lasts longer.
  void HoldUntil(SteadyTime until);

 private:
  double TokensAt(SteadyTime now) const REQUIRES_LOCK(mutex_);

  const ChannelRate rate_;
  mutable Mutex mutex_;
  double tokens_ GUARDED_BY(mutex_);
  SteadyTime filled_at_ GUARDED_BY(mutex_){};
  SteadyTime held_until_ GUARDED_BY(mutex_){};
};

// The paces of all channels, by Receiver::ChannelKey(). Thread-safe.
class ChannelPaces {
 public:
  std::shared_ptr<ChannelPace> For(const Receiver& receiver);

 private:
  Mutex mutex_;
  std::map<std::string, std::weak_ptr<ChannelPace>> paces_ GUARDED_BY(mutex_);
};

}  // namespace tocsin::notify
