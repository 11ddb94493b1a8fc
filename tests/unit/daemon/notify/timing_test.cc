// When people are told: group_wait, group_interval, repeat_interval, and what
// Tocsin does differently from Alertmanager.

#include <gmock/gmock.h>

#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const model::Labels kDown = {{"alertname", "Down"}, {"instance", "a"}, {"severity", "warning"}};
const model::Labels kDownB = {{"alertname", "Down"}, {"instance", "b"}, {"severity", "warning"}};
const model::Labels kDownCritical = {
    {"alertname", "Down"}, {"instance", "c"}, {"severity", "critical"}};

TEST(TimingTest, ANewGroupWaitsForGroupWaitAndEveryReceiverHears) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  world.Run(seconds(9));
  EXPECT_THAT(world.Lines(), IsEmpty());
  world.Run(seconds(2));
  EXPECT_THAT(world.Lines("webhook"), ElementsAre("10s firing: Downa firing"));
  EXPECT_THAT(world.Lines("pagerduty"), ElementsAre("10s firing: [FIRING:1] Down (a warning)"));
  EXPECT_THAT(world.Lines("slack"), ElementsAre("10s firing: [FIRING:1] Down (a warning)"));
}

TEST(TimingTest, AnAlertThatHasFiredLongerThanGroupWaitGoesAtOnce) {
  World world(Config(AllReceivers("")));
  auto alert = world.Firing(kDown);
  alert.starts_at -= seconds(11);
  world.Send({alert});
  world.Run(seconds(1));
  EXPECT_THAT(world.Lines("webhook"), ElementsAre("0s firing: Downa firing"));
}

TEST(TimingTest, ALaterAlertWaitsForTheGroupsNextTick) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  world.Run(seconds(20));
  world.Fire(kDownB);
  world.Run(seconds(60));
  EXPECT_THAT(world.Lines("webhook"),
              ElementsAre("10s firing: Downa firing", "70s firing: Downa firing, Downb firing"));
}

TEST(TimingTest, ANewCriticalAlertInAKnownGroupGoesAtOnce) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  world.Run(seconds(20));
  world.Fire(kDownCritical);
  world.Run(seconds(1));
  EXPECT_THAT(world.Lines("webhook"),
              ElementsAre("10s firing: Downa firing", "20s firing: Downa firing, Downc firing"));
}

TEST(TimingTest, ResolvedIsToldAtTheNextTickAndOnlyOnce) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  world.Run(seconds(20));
  world.Resolve(kDown);
  world.Run(minutes(30));
  EXPECT_THAT(world.Lines("webhook"),
              ElementsAre("10s firing: Downa firing", "70s resolved: Downa resolved"));
  EXPECT_THAT(world.Lines("pagerduty"), ElementsAre("10s firing: [FIRING:1] Down (a warning)",
                                                    "70s resolved: [RESOLVED] Down (a warning)"));
  EXPECT_THAT(world.Lines("slack"), ElementsAre("10s firing: [FIRING:1] Down (a warning)",
                                                "70s resolved: [RESOLVED] Down (a warning)"));
  EXPECT_TRUE(world.notifier->Groups().empty());
  EXPECT_TRUE(world.notifier->Alerts().empty());
}

TEST(TimingTest, AnAlertThatEndedBeforeItWasToldIsNotToldAtAll) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  world.Run(seconds(5));
  world.Resolve(kDown);
  world.Run(minutes(10));
  EXPECT_THAT(world.Lines(), IsEmpty());
}

TEST(TimingTest, AnAlertNeverToldGetsNoResolvedBesideOneThatWas) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  world.Run(seconds(20));
  world.Fire(kDownB);
  world.Run(seconds(10));
  world.Resolve(kDownB);
  world.Resolve(kDown);
  world.Run(minutes(5));
  EXPECT_THAT(world.Lines("webhook"),
              ElementsAre("10s firing: Downa firing", "70s resolved: Downa resolved"));
}

TEST(TimingTest, APartlyResolvedGroupStaysFiringAndNamesBoth) {
  World world(Config(AllReceivers("")));
  world.Send({world.Firing(kDown), world.Firing(kDownB)});
  world.Run(seconds(20));
  world.Resolve(kDown);
  world.Run(seconds(60));
  EXPECT_THAT(world.Lines("webhook"), ElementsAre("10s firing: Downa firing, Downb firing",
                                                  "70s firing: Downa resolved, Downb firing"));
}

TEST(TimingTest, RepeatsAfterRepeatIntervalRoundedUpToATick) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  world.Run(hours(9));
  EXPECT_THAT(world.Lines("webhook"),
              ElementsAre("10s firing: Downa firing", "14410s firing: Downa firing",
                          "28810s firing: Downa firing"));
}

TEST(TimingTest, AnAlertNobodySendsAgainEndsAtItsTime) {
  World world(Config(AllReceivers("")));
  auto alert = world.Firing(kDown);
  alert.ends_at = {};
  world.Send({alert});
  world.Run(minutes(7));
  EXPECT_THAT(world.Lines("webhook"),
              ElementsAre("10s firing: Downa firing", "310s resolved: Downa resolved"));
}

TEST(TimingTest, AJumpOfTheWallClockEndsNothing) {
  World world(Config(AllReceivers("")));
  auto alert = world.Firing(kDown);
  alert.ends_at = {};
  world.Send({alert});
  world.Run(seconds(30));
  world.clock.JumpWall(hours(2));
  world.Run(minutes(2));
  EXPECT_EQ(world.Lines("webhook").size(), 1u);
}

TEST(TimingTest, WithoutSendResolvedTheEndIsSilentAndANewStartIsTold) {
  World world(Config(R"(
route: {receiver: r, group_wait: 1s, group_interval: 10s}
receivers: [{name: r, webhook_configs: [{url: 'http://webhook.test/x', send_resolved: false}]}]
)"));
  world.Fire(kDown);
  world.Run(seconds(5));
  world.Resolve(kDown);
  world.Run(seconds(60));
  world.Fire(kDown);
  world.Run(seconds(60));
  EXPECT_THAT(world.Lines("webhook"),
              ElementsAre("1s firing: Downa firing", "66s firing: Downa firing"));
}

TEST(TimingTest, TheShortFormPagesCriticalAtOnceAndTellsWarningsAfterTenSeconds) {
  World world(ShortForm(std::string("slack: {webhook_url: '") + kSlackUrl +
                        "'}\npagerduty: {routing_key: " + kRoutingKey + ", url: '" + kPagerDutyUrl +
                        "'}\n"));
  world.Fire(kDownCritical);
  world.Fire(kDown);
  world.Run(seconds(30));
  EXPECT_THAT(world.Lines("pagerduty"), ElementsAre("0s firing: CRITICAL: it hurts"));
  EXPECT_THAT(world.Lines("slack"), ElementsAre("0s firing: [FIRING:1] Down (critical) on c",
                                                "10s firing: [FIRING:1] Down (warning) on a"));
}

}  // namespace
}  // namespace tocsin::notify
