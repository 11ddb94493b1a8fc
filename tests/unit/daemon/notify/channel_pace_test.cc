// How fast a vendor's channel is used.

#include "daemon/notify/channel_pace.h"

#include <gmock/gmock.h>

#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {
namespace {

using std::chrono::seconds;

constexpr SteadyTime kStart{std::chrono::hours(1)};

TEST(ChannelPaceTest, ABurstThenOneAtATime) {
  ChannelPace pace({2, 3});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(pace.Take(kStart)) << i;
  EXPECT_FALSE(pace.Take(kStart));
  const SteadyTime next = pace.NextAt(kStart);
  EXPECT_GE(next, kStart + Millis(500));
  EXPECT_LE(next, kStart + Millis(501));
  EXPECT_FALSE(pace.Take(kStart + Millis(499)));
  EXPECT_TRUE(pace.Take(next));
  EXPECT_FALSE(pace.Take(next));
  // A rest fills no more than the burst.
  const SteadyTime later = kStart + seconds(1000);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(pace.Take(later)) << i;
  EXPECT_FALSE(pace.Take(later));
}

TEST(ChannelPaceTest, AHeldChannelIsLeftAloneForAsLongAsTheVendorAsks) {
  ChannelPace pace({2, 3});
  pace.HoldUntil(kStart + seconds(30));
  pace.HoldUntil(kStart + seconds(10));
  EXPECT_FALSE(pace.Take(kStart + seconds(29)));
  EXPECT_EQ(pace.NextAt(kStart), kStart + seconds(30));
  EXPECT_TRUE(pace.Take(kStart + seconds(30)));
}

TEST(ChannelPaceTest, EachKindHasItsRateAndOneChannelIsSharedByItsReceivers) {
  const auto config = Config(
      "route: {receiver: a}\n"
      "receivers:\n"
      "- name: a\n"
      "  slack_configs: [{api_url: 'http://slack.test/x'}]\n"
      "  pagerduty_configs: [{routing_key: k}]\n"
      "  webhook_configs: [{url: 'http://webhook.test/x'}]\n"
      "- name: b\n"
      "  slack_configs: [{api_url: 'http://slack.test/x'}, {api_url: 'http://slack.test/y'}]\n");
  const auto templates = Templates::Make(*config, {}).value();
  ChannelPaces paces;
  std::map<std::string, std::shared_ptr<ChannelPace>> by_id;
  std::map<std::string, double> bursts;
  for (const ReceiverConfig& receiver : config->receivers) {
    for (const IntegrationConfig& integration : receiver.integrations) {
      const auto made = MakeReceiver(integration, templates).value();
      by_id[integration.id] = paces.For(*made);
      bursts[std::string(integration.Kind())] = made->rate().burst;
    }
  }
  EXPECT_EQ(bursts,
            (std::map<std::string, double>{{"slack", 5}, {"pagerduty", 60}, {"webhook", 100}}));
  EXPECT_EQ(by_id["a/slack/0"], by_id["b/slack/0"]);
  EXPECT_NE(by_id["a/slack/0"], by_id["b/slack/1"]);
  EXPECT_NE(by_id["a/slack/0"], by_id["a/webhook/0"]);
}

}  // namespace
}  // namespace tocsin::notify
