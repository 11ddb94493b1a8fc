#include "daemon/notify/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/sim_clock.h"

namespace tocsin::notify {
namespace {

using ::testing::ElementsAre;

Delivery Telling(std::int64_t id, std::vector<std::uint64_t> firing, WallTime now) {
  Delivery delivery;
  delivery.id = id;
  delivery.integration = "ops/pagerduty/0";
  delivery.group_key = "{}:{}";
  delivery.firing = std::move(firing);
  delivery.next_attempt_at = now;
  delivery.expires_at = now + std::chrono::hours(1);
  return delivery;
}

// A request that was cancelled may have arrived: what takes its place knows.
TEST(OutboxTest, WhatReplacesKnowsWhetherTheReplacedMayHaveBeenTaken) {
  testing::SimClock clock;
  const Moment now = Moment::Of(clock);
  Outbox outbox;
  outbox.Add(Telling(1, {7}, now.wall), now);
  const Delivery more = Telling(2, {7, 8}, now.wall);
  EXPECT_THAT(outbox.ReplacedBy(more).ids, ElementsAre(1));
  EXPECT_FALSE(outbox.ReplacedBy(more).maybe_taken);

  Delivery sent = *outbox.Claim("ops/pagerduty/0", now);
  EXPECT_THAT(outbox.ReplacedBy(more).ids, ElementsAre()) << "it is under way";
  sent.maybe_taken = true;
  outbox.Release(sent);
  EXPECT_THAT(outbox.ReplacedBy(more).ids, ElementsAre(1));
  EXPECT_TRUE(outbox.ReplacedBy(more).maybe_taken);
}

}  // namespace
}  // namespace tocsin::notify
