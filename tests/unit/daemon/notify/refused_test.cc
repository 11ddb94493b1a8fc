// Messages that a receiver refuses for good, because a person has to mend something first:
// nothing that was told stays open for it.

#include <gmock/gmock.h>

#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::IsEmpty;

const model::Labels kDown = {{"alertname", "Down"}, {"instance", "a"}, {"severity", "warning"}};
const model::Labels kDownB = {{"alertname", "Down"}, {"instance", "b"}, {"severity", "warning"}};

// Also if nobody but the message knows of it any more: each group is forgotten with its
// last alert, and the process may have died since.
TEST(DeliveryTest, ARefusedResolveIsToldOnceItIsTaken) {
  for (const bool dies : {false, true}) {
    SCOPED_TRACE(dies);
    World world(Config(AllReceivers("")));
    world.Fire(kDown);
    world.Run(seconds(30));
    const auto refuse = [&](std::vector<ScriptedAnswer> answers) {
      world.http->Answer("http://webhook.test", answers);
      world.http->Answer("http://pagerduty.test", std::move(answers));
    };
    refuse({ScriptedAnswer::Status(429), ScriptedAnswer::Status(400)});
    world.Resolve(kDown);
    world.Run(seconds(40) + Millis(100));
    EXPECT_EQ(world.notifier->Outbox().size(), 2u);
    if (dies) {
      world.Crash();
      world.Restart();
    }
    world.Run(minutes(3));
    EXPECT_EQ(world.Lines("webhook").size(), 1u);
    EXPECT_THAT(world.notifier->Outbox(), IsEmpty());  // Nothing is held up by it.
    world.AnswerAll();
    world.Run(minutes(5));
    for (const std::string receiver : {"webhook", "pagerduty"}) {
      const auto told = world.Messages(receiver);
      ASSERT_EQ(told.size(), 2u) << receiver;
      EXPECT_EQ(told[1].status, "resolved") << receiver;
    }
    EXPECT_EQ(world.Messages("slack").size(), 2u);
    EXPECT_THAT(world.notifier->Groups(), IsEmpty());
    EXPECT_THAT(world.notifier->KnownAlerts(), IsEmpty());
  }
}

TEST(DeliveryTest, WhatFiresAgainIsNotClosedByAnEndThatWasRefused) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  world.Run(seconds(30));
  world.http->Answer("http://pagerduty.test", {ScriptedAnswer::Status(400)});
  world.Resolve(kDown);
  world.Run(minutes(1));
  world.Fire(kDown);
  world.Run(minutes(3));
  world.AnswerAll();
  world.Run(minutes(5));
  ASSERT_EQ(world.Messages("pagerduty").size(), 2u);
  EXPECT_EQ(world.Messages("pagerduty")[1].status, "firing");
  world.Resolve(kDown);
  world.Run(minutes(2));
  ASSERT_EQ(world.Messages("pagerduty").size(), 3u);
  EXPECT_EQ(world.Messages("pagerduty")[2].status, "resolved");
}

TEST(DeliveryTest, ARefusedEndHoldsNoOtherOfItsGroupUp) {
  World world(Config(AllReceivers("")));
  world.Send({world.Firing(kDown), world.Firing(kDownB)});
  world.Run(seconds(30));
  world.http->Answer("http://webhook.test",
                     {ScriptedAnswer::Status(400), ScriptedAnswer::Status(200)});
  world.Resolve(kDown);
  world.Run(seconds(50));
  EXPECT_EQ(world.Lines("webhook").size(), 1u);
  world.Fire({{"alertname", "Down"}, {"instance", "c"}, {"severity", "warning"}});
  world.Run(minutes(1));
  EXPECT_EQ(world.Lines("webhook").back(),
            "130s firing: Downa resolved, Downb firing, Downc firing");
}

// It was told before: its incident is open, and its end must follow.
TEST(DeliveryTest, ARefusedRepeatDoesNotMakeAnAlertUntold) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  world.Run(hours(4) - minutes(1));
  ASSERT_EQ(world.Messages("pagerduty").size(), 1u);
  world.http->Answer("http://pagerduty.test", {ScriptedAnswer::Status(400)});
  world.Run(minutes(1) + seconds(15));
  world.Resolve(kDown);
  world.AnswerAll();
  world.Run(minutes(2));
  ASSERT_EQ(world.Messages("pagerduty").size(), 2u);
  EXPECT_EQ(world.Messages("pagerduty")[1].status, "resolved");
}

// Neither is one that was taken told twice because another of its message was refused.
TEST(DeliveryTest, ARefusedNewcomerRepeatsNobody) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  world.Run(minutes(10));
  const std::size_t told = world.Messages("webhook").size();
  world.http->Answer("http://webhook.test", {ScriptedAnswer::Status(400)});
  world.Fire(kDownB);
  world.Run(seconds(15));
  world.Resolve(kDownB);
  world.AnswerAll();
  world.Run(minutes(10));
  EXPECT_EQ(world.Messages("webhook").size(), told);
}

TEST(DeliveryTest, ARefusedRepeatIsMadeAtTheNextTick) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  world.Run(hours(4) - minutes(1));
  world.http->Answer("http://pagerduty.test",
                     {ScriptedAnswer::Status(400), ScriptedAnswer::Status(202)});
  world.Run(minutes(3));
  EXPECT_EQ(world.Messages("pagerduty").size(), 2u);
}

// It was told before both, so it is open there.
TEST(DeliveryTest, TheEndFollowsAlsoIfItAndTheNextBeginningWereRefused) {
  World world(Config(AllReceivers("")));
  world.Fire(kDown);
  world.Run(seconds(30));
  world.http->Answer("http://webhook.test",
                     {ScriptedAnswer::RetryAfter(429, seconds(90)), ScriptedAnswer::Status(400),
                      ScriptedAnswer::Status(400), ScriptedAnswer::Status(200)});
  world.Resolve(kDown);
  world.Run(seconds(50));
  world.Fire(kDown);
  world.Run(seconds(85));
  EXPECT_THAT(world.notifier->Outbox(), IsEmpty());
  world.Resolve(kDown);
  world.Run(minutes(2));
  ASSERT_EQ(world.Messages("webhook").size(), 2u);
  EXPECT_EQ(world.Messages("webhook")[1].status, "resolved");
}

// The receiver may have it all the same.
TEST(DeliveryTest, TheEndOfWhatWasRefusedAfterALostAnswerFollows) {
  World world(Config(AllReceivers("")));
  world.http->Answer(
      "http://pagerduty.test",
      {ScriptedAnswer::AnswerLost(), ScriptedAnswer::Status(400), ScriptedAnswer::Status(400)});
  world.Fire(kDown);
  world.Run(minutes(2));  // Repeated, and refused again.
  world.Resolve(kDown);
  world.AnswerAll();
  world.Run(minutes(2));
  ASSERT_EQ(world.Messages("pagerduty").size(), 1u);
  EXPECT_EQ(world.Messages("pagerduty")[0].status, "resolved");
}

}  // namespace
}  // namespace tocsin::notify
