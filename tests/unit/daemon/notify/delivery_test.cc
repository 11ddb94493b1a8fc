// Sick receivers: what is tried again and when, that nothing is lost or told out
// of order, and that one receiver's trouble is not another's.

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

TEST(DeliveryTest, ASickReceiverDelaysNoOther) {
  World world(Config(AllReceivers("")));
  world.http->Answer("http://slack.test", {ScriptedAnswer::Hang()});
  world.http->Answer("http://pagerduty.test", {ScriptedAnswer::Status(500)});
  world.Fire(kDown);
  world.Run(seconds(30));
  world.Resolve(kDown);
  world.Run(minutes(2));
  EXPECT_THAT(world.Lines(), ElementsAre("10s webhook firing: Downa firing",
                                         "70s webhook resolved: Downa resolved"));
}

TEST(DeliveryTest, TheOutboxIsSeenToBeEmptyOnceTheLastIsDelivered) {
  World world(Config(AllReceivers("")));
  world.http->Answer("http://webhook.test",
                     {ScriptedAnswer::Status(503), ScriptedAnswer::Status(200)});
  const auto length = [&] {
    return world.metrics->Gauge("tocsin_outbox_length", "Deliveries that wait.").Value();
  };
  world.Fire(kDown);
  world.Run(seconds(10) + Millis(50));
  EXPECT_EQ(length(), 1);
  world.Run(seconds(2));
  EXPECT_EQ(length(), 0);
}

TEST(DeliveryTest, RetryAfterIsObeyedForTheWholeChannel) {
  World world(ShortForm(std::string("slack: {webhook_url: '") + kSlackUrl + "'}\n"));
  world.http->Answer("http://slack.test", {ScriptedAnswer::RetryAfter(429, seconds(40)),
                                           ScriptedAnswer::Status(200, "ok")});
  world.Fire({{"alertname", "One"}, {"severity", "critical"}});
  world.Run(seconds(5));
  // Another receiver, another group, the same webhook.
  world.Fire({{"alertname", "Two"}, {"severity", "warning"}});
  world.Run(seconds(30));
  EXPECT_EQ(world.http->requests().size(), 1u);
  world.Run(seconds(30));
  EXPECT_EQ(world.Lines("slack").size(), 2u);
  EXPECT_GE(world.Messages("slack")[0].at_ms, 40'000);
}

TEST(DeliveryTest, AnAnnouncedWaitOfAQuarterOfAnHourIsKept) {
  World world(Config(AllReceivers("")));
  for (const char* peer : {"http://slack.test", "http://pagerduty.test", "http://webhook.test"}) {
    world.http->Answer(
        peer, {ScriptedAnswer::RetryAfter(429, minutes(15)), ScriptedAnswer::Status(200, "ok")});
  }
  world.Fire(kDown);
  world.Run(minutes(15));
  EXPECT_EQ(world.http->requests().size(), 3u);
  world.Run(minutes(1));
  EXPECT_EQ(world.Lines().size(), 3u);
}

TEST(DeliveryTest, RetriesBackOffExponentiallyUpToAMinute) {
  World world(Config(AllReceivers("")));
  world.http->Answer("http://webhook.test", {ScriptedAnswer::Status(503)});
  world.Fire(kDown);
  world.Run(minutes(20));
  const auto sent = world.http->requests("http://webhook.test");
  ASSERT_GT(sent.size(), 15u);
  EXPECT_LT(sent.size(), 40u);
  EXPECT_LT(sent[1].at - sent[0].at, Millis(800));
  for (std::size_t i = 1; i < sent.size(); ++i) {
    EXPECT_LE(sent[i].at - sent[i - 1].at, Millis(91'000));
  }
}

TEST(DeliveryTest, WhatWasNotAttemptedIsReplacedByWhatSaysMore) {
  World world(Config(AllReceivers("")));
  // The first is under way for long; two more come meanwhile.
  world.http->Answer("http://webhook.test",
                     {ScriptedAnswer::Status(200).After(minutes(3)), ScriptedAnswer::Status(200)});
  world.Fire(kDown);
  world.Run(seconds(15));
  world.Fire(kDownB);
  world.Run(seconds(70));
  world.Fire({{"alertname", "Down"}, {"instance", "c"}, {"severity", "warning"}});
  world.Run(minutes(10));
  EXPECT_EQ(world.Lines("webhook").back().find("Downa firing, Downb firing, Downc firing") !=
                std::string::npos,
            true)
      << ::testing::PrintToString(world.Lines("webhook"));
}

TEST(DeliveryTest, ARefusedMessageIsComposedAnewAtTheNextTick) {
  World world(Config(AllReceivers("")));
  world.http->Answer("http://pagerduty.test",
                     {ScriptedAnswer::Status(400, "{}"), ScriptedAnswer::Status(202)});
  world.Fire(kDown);
  world.Run(seconds(30));
  EXPECT_THAT(world.Lines("pagerduty"), IsEmpty());
  EXPECT_THAT(world.notifier->Outbox(), IsEmpty());
  world.Run(seconds(60));
  EXPECT_THAT(world.Lines("pagerduty"), ElementsAre("70s firing: [FIRING:1] Down (a warning)"));
  EXPECT_NE(world.metrics->Text().find("tocsin_deliveries_given_up_total 1"), std::string::npos);
}

TEST(DeliveryTest, AnExpiredDeliveryIsCountedAndAFiringAlertIsToldAnew) {
  World world(Config(AllReceivers("")));
  world.http->Answer("http://pagerduty.test", {ScriptedAnswer::Refused()});
  world.Fire(kDown);
  world.Run(minutes(10));
  world.Crash();
  world.clock.Advance(hours(120));
  world.Restart();
  world.Run(seconds(1));
  EXPECT_EQ(world.metrics->Text().find("tocsin_deliveries_expired_total 0"), std::string::npos);
  world.AnswerAll();
  world.Run(minutes(10));
  ASSERT_FALSE(world.Lines("pagerduty").empty());
  EXPECT_EQ(world.Messages("pagerduty")[0].status, "firing");
}

TEST(DeliveryTest, ARestartTellsNothingTwiceAndForgetsNothing) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  world.Run(seconds(30));
  for (int i = 0; i < 5; ++i) {
    world.Crash();
    world.Restart();
    world.Run(seconds(40));
  }
  EXPECT_EQ(world.Lines("webhook").size(), 1u);
  world.Resolve(kDown);
  world.Crash();
  world.Restart();
  world.Run(minutes(2));
  EXPECT_EQ(world.Lines("webhook").size(), 2u);
  EXPECT_EQ(world.Messages("slack").back().status, "resolved");
}

TEST(DeliveryTest, WhatWaitsGoesOutAfterKillMinusNine) {
  World world(Config(AllReceivers("")));
  world.http->Answer("http://slack.test", {ScriptedAnswer::Refused()});
  world.Fire(kDown);
  world.Run(minutes(3));
  world.Crash();
  world.AnswerAll();
  world.Restart();
  world.Run(minutes(2));
  EXPECT_EQ(world.Messages("slack").size(), 1u);
}

// Alertmanager forgets what it has not told yet: it waits for its senders to repeat it.
TEST(DeliveryTest, AKillDuringGroupWaitDelaysNothing) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  world.Run(seconds(4));
  world.Crash();
  world.clock.Advance(seconds(3));
  world.Restart();
  world.Run(seconds(30));
  EXPECT_THAT(world.Lines("webhook"), ElementsAre("10s firing: Downa firing"));
}

TEST(DeliveryTest, ACriticalAcceptedJustBeforeTheCrashGoesOutAtTheStart) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  world.Run(seconds(15));
  world.Fire({{"alertname", "Down"}, {"instance", "c"}, {"severity", "critical"}});
  world.Crash();
  world.Restart();
  world.Run(seconds(1));
  EXPECT_EQ(world.Lines("webhook").size(), 2u);
}

TEST(DeliveryTest, DownTimeEndsNoFiringAlert) {
  World world(Config(AllReceivers("")));
  auto alert = world.Firing(kDown);
  alert.ends_at = world.clock.WallNow() + minutes(4);
  world.Send({alert});
  world.Run(seconds(30));
  world.Crash();
  world.clock.Advance(hours(1));
  world.Restart();
  world.Run(minutes(4));
  EXPECT_EQ(world.Lines("webhook").size(), 1u);
  world.Run(minutes(3));  // Nobody sent it again: now it ends.
  EXPECT_EQ(world.Lines("webhook").size(), 2u);
}

TEST(DeliveryTest, AfterAReloadWithoutItsRouteTheResolvedIsStillTold) {
  World world(Config(AllReceivers("routes: [{receiver: all, matchers: [alertname=Down]}]")));
  world.Fire(kDown);
  world.Run(seconds(30));
  EXPECT_EQ(world.Lines("pagerduty").size(), 1u);
  const std::string yaml = AllReceivers("", "- name: none\n");
  auto other = Config(std::string(yaml).replace(yaml.find("receiver: all"), 13, "receiver: none"));
  ASSERT_TRUE(world.notifier->Reload(other).ok());
  world.Run(minutes(10));
  EXPECT_EQ(world.Lines("pagerduty").size(), 1u);
  world.Resolve(kDown);
  world.Run(minutes(3));
  ASSERT_EQ(world.Lines("pagerduty").size(), 2u);
  EXPECT_EQ(world.Messages("pagerduty")[1].status, "resolved");
  EXPECT_EQ(world.Messages("pagerduty")[1].body["dedup_key"],
            world.Messages("pagerduty")[0].body["dedup_key"]);
}

TEST(DeliveryTest, ABadTemplateIsRefusedAtReloadAndTheOldStateKeepsRunning) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  // One that no parser of ours lets through.
  auto broken = std::make_shared<NotifyConfig>(*Config(AllReceivers("")));
  for (IntegrationConfig& integration : broken->receivers[0].integrations) {
    auto* slack = std::get_if<SlackConfig>(&integration.settings);
    if (slack) slack->channel = "{{ nonsense }}";
  }
  const auto reloaded = world.notifier->Reload(broken);
  ASSERT_FALSE(reloaded.ok());
  EXPECT_NE(reloaded.error().message.find("nonsense"), std::string::npos);
  world.Run(minutes(1));
  EXPECT_EQ(world.Lines().size(), 3u);
}

TEST(DeliveryTest, ATextThatFailsToExpandDoesNotKeepThePageBack) {
  std::string yaml = AllReceivers("");
  yaml.replace(yaml.find("'#db'"), 5, "'#db', text: '{{ index .Alerts 7 }}'");
  World world(Config(yaml));
  world.Fire(kDown);
  world.Run(minutes(1));
  ASSERT_EQ(world.Lines("slack").size(), 1u);
  const std::string text = world.Messages("slack")[0].body["attachments"][0]["text"];
  EXPECT_EQ(text.rfind("<error expanding template:", 0), 0u) << text;
}

TEST(DeliveryTest, ExplainSaysWhyAndWhat) {
  World world(Config(AllReceivers("")));
  world.http->Answer("http://pagerduty.test", {ScriptedAnswer::Status(500, "oops")});
  world.Fire(kDown);
  world.Run(seconds(15));
  const auto statuses = world.notifier->Explain(kDown.Fingerprint());
  ASSERT_EQ(statuses.size(), 3u);
  for (const DeliveryStatus& status : statuses) {
    const bool pager = status.integration == "all/pagerduty/0";
    EXPECT_EQ(status.told, !pager);
    EXPECT_EQ(status.queued, pager);
    EXPECT_EQ(status.last_reason, Reason::kFirstNotification);
    EXPECT_EQ(status.verdict, Reason::kNothingNew);
    EXPECT_EQ(status.pending.size(), pager ? 1u : 0u);
    ASSERT_FALSE(status.attempts.empty());
    EXPECT_EQ(status.attempts[0].delivered, !pager);
    EXPECT_EQ(status.attempts[0].error, pager ? "failed with status 500: oops" : "");
  }
}

TEST(DeliveryTest, WhatWasTakenOnceIsToldAlsoWhileItsRepeatWaits) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  world.Run(minutes(1));
  world.http->Answer("http://pagerduty.test", {ScriptedAnswer::Status(500)});
  world.Fire(kDownB);
  world.Run(minutes(1));
  world.Crash();  // It is remembered.
  world.Restart();
  for (const model::Labels& labels : {kDown, kDownB}) {
    for (const DeliveryStatus& status : world.notifier->Explain(labels.Fingerprint())) {
      const bool waits = status.integration == "all/pagerduty/0" && labels == kDownB;
      EXPECT_EQ(status.told, !waits) << status.integration;
      EXPECT_EQ(status.queued, waits) << status.integration;
    }
  }
}

}  // namespace
}  // namespace tocsin::notify
