// Deliveries whose receiver left the configuration while they waited. Whoever is on
// call expects: nothing goes to a receiver that was taken out, what still fires is
// told by those who are responsible now, and a new name loses and repeats nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::IsEmpty;

const model::Labels kDown = {{"alertname", "Down"}, {"instance", "db1"}};

std::string Only(const std::string& name, const std::string& integrations) {
  return "route: {receiver: " + name +
         ", group_by: [alertname], group_wait: 10s, group_interval: 1m, repeat_interval: 4h}\n"
         "receivers:\n- name: " +
         name + "\n" + integrations;
}
const std::string kPager = "  pagerduty_configs: [{url: '" + std::string(kPagerDutyUrl) +
                           "', routing_key: " + kRoutingKey + "}]\n";
const std::string kHook = "  webhook_configs: [{url: '" + std::string(kWebhookUrl) + "'}]\n";
const std::string kOtherHook = "  webhook_configs: [{url: 'http://webhook.test/other'}]\n";

double Orphaned(World& world) {
  return world.metrics
      ->Counter("tocsin_deliveries_orphaned_total",
                "Deliveries dropped because the configuration has no such receiver.")
      .Value();
}

void Break(World& world, const std::string& url) {
  world.http->Answer(url, {ScriptedAnswer::Status(500, "oops")});
}

TEST(OrphanTest, OfAReceiverThatIsGoneIsDroppedAndCounted) {
  World world(Config(Only("ops", kPager)));
  Break(world, "http://pagerduty.test");
  world.Fire(kDown);
  world.Run(minutes(1));
  ASSERT_EQ(world.notifier->Outbox().size(), 1u);
  ASSERT_TRUE(world.notifier->Reload(Config(Only("web", kHook))).ok());
  EXPECT_THAT(world.notifier->Outbox(), IsEmpty());
  EXPECT_EQ(Orphaned(world), 1);
  world.AnswerAll();
  world.Run(minutes(5));
  EXPECT_THAT(world.Lines("pagerduty"), IsEmpty());
  EXPECT_EQ(Orphaned(world), 1);
}

TEST(OrphanTest, WhatStillFiresIsToldByThoseResponsibleNow) {
  World world(Config(Only("ops", kPager)));
  Break(world, "http://pagerduty.test");
  world.Fire(kDown);
  world.Run(minutes(1));
  ASSERT_TRUE(world.notifier->Reload(Config(Only("web", kHook))).ok());
  world.Run(minutes(2));
  ASSERT_EQ(world.Messages("webhook").size(), 1u);
  EXPECT_EQ(world.Messages("webhook")[0].status, "firing");
}

TEST(OrphanTest, ARestartWithAnotherConfigurationDropsThemToo) {
  World world(Config(Only("ops", kPager)));
  Break(world, "http://pagerduty.test");
  world.Fire(kDown);
  world.Run(minutes(1));
  world.Crash();
  world.Configure(Config(Only("web", kHook)));
  world.Restart();
  EXPECT_THAT(world.notifier->Outbox(), IsEmpty());
  EXPECT_EQ(Orphaned(world), 1);
  world.Run(minutes(2));
  EXPECT_EQ(world.Messages("webhook").size(), 1u);
}

TEST(OrphanTest, TheHeartbeatGoesOnOnceTheyAreSettled) {
  const std::string beat = "heartbeat: {url: 'http://webhook.test/beat', every: 1m}\n";
  World world(ShortForm(beat + "webhook: {url: 'http://sick.test/'}\n"));
  world.http->Answer("http://sick.test", {ScriptedAnswer::Status(500)});
  world.Fire(kDown);
  world.Run(minutes(20));
  const auto before = world.http->requests("http://webhook.test/beat").size();
  world.Run(minutes(5));
  ASSERT_EQ(world.http->requests("http://webhook.test/beat").size(), before) << "it is held back";
  ASSERT_TRUE(world.notifier->Reload(ShortForm(beat)).ok());
  world.Run(minutes(5));
  EXPECT_GE(world.http->requests("http://webhook.test/beat").size(), before + 4);
}

TEST(OrphanTest, ARenamedReceiverGetsWhatWaitedForIt) {
  World world(Config(Only("ops", kPager + kHook)));
  Break(world, "http://pagerduty.test");
  world.Fire(kDown);
  world.Run(minutes(1));
  world.Resolve(kDown);
  world.Run(minutes(2));
  ASSERT_EQ(world.Lines("webhook").size(), 2u);
  ASSERT_TRUE(world.notifier->Reload(Config(Only("night/shift", kPager + kHook))).ok());
  EXPECT_EQ(Orphaned(world), 0);
  world.AnswerAll();
  world.Run(minutes(10));
  // Both, in order, and nobody hears anything twice.
  ASSERT_EQ(world.Messages("pagerduty").size(), 2u);
  EXPECT_EQ(world.Messages("pagerduty")[0].status, "firing");
  EXPECT_EQ(world.Messages("pagerduty")[1].status, "resolved");
  EXPECT_EQ(world.Lines("webhook").size(), 2u);
  EXPECT_THAT(world.notifier->Outbox(), IsEmpty());
}

// A reload cancels what is under way: the receiver may have it all the same.
TEST(OrphanTest, ARenamedReceiverHearsTheEndOfWhatItRefusedAfterwards) {
  World world(Config(Only("ops", kPager)));
  world.http->Answer("http://pagerduty.test", {ScriptedAnswer::Hang(), ScriptedAnswer::Status(400),
                                               ScriptedAnswer::Status(400)});
  world.Fire(kDown);
  world.Run(std::chrono::seconds(12));
  ASSERT_EQ(world.http->requests("http://pagerduty.test").size(), 1u);
  ASSERT_TRUE(world.notifier->Reload(Config(Only("oncall", kPager))).ok());
  world.Run(minutes(2));
  world.Resolve(kDown);
  world.AnswerAll();
  world.Run(minutes(2));
  ASSERT_EQ(world.Messages("pagerduty").size(), 1u);
  EXPECT_EQ(world.Messages("pagerduty")[0].status, "resolved");
}

TEST(OrphanTest, ARenamedReceiverIsNotToldAgainAndHearsTheEnd) {
  World world(Config(Only("ops", kPager)));
  world.Fire(kDown);
  world.Run(minutes(1));
  ASSERT_EQ(world.Lines("pagerduty").size(), 1u);
  ASSERT_TRUE(world.notifier->Reload(Config(Only("oncall", kPager))).ok());
  world.Run(minutes(10));
  EXPECT_EQ(world.Lines("pagerduty").size(), 1u);
  world.Crash();
  world.Configure(Config(Only("oncall", kPager)));
  world.Restart();
  world.Run(minutes(3));
  EXPECT_EQ(world.Lines("pagerduty").size(), 1u);
  world.Resolve(kDown);
  world.Run(minutes(2));
  ASSERT_EQ(world.Messages("pagerduty").size(), 2u);
  EXPECT_EQ(world.Messages("pagerduty")[1].status, "resolved");
}

TEST(OrphanTest, ARestartWithAnotherNameLosesNothingOfWhatWaited) {
  World world(Config(Only("ops", kPager + kHook)));
  Break(world, "http://pagerduty.test");
  world.Fire(kDown);
  world.Run(minutes(1));
  world.Resolve(kDown);
  world.Run(minutes(2));
  ASSERT_EQ(world.Lines("webhook").size(), 2u);
  world.Crash();
  world.Configure(Config(Only("night/shift", kPager + kHook)));
  world.Restart();
  EXPECT_EQ(Orphaned(world), 0);
  world.AnswerAll();
  world.Run(minutes(10));
  // Both, in order, and nobody hears anything twice.
  ASSERT_EQ(world.Messages("pagerduty").size(), 2u);
  EXPECT_EQ(world.Messages("pagerduty")[0].status, "firing");
  EXPECT_EQ(world.Messages("pagerduty")[1].status, "resolved");
  EXPECT_EQ(world.Lines("webhook").size(), 2u);
  EXPECT_THAT(world.notifier->Outbox(), IsEmpty());
}

TEST(OrphanTest, ARestartWithAnotherNameTellsNothingAgainAndTheEndOnce) {
  World world(Config(Only("ops", kPager)));
  world.Fire(kDown);
  world.Run(minutes(1));
  ASSERT_EQ(world.Lines("pagerduty").size(), 1u);
  for (const char* name : {"oncall", "night", "day"}) {
    world.Crash();
    world.Configure(Config(Only(name, kPager)));
    world.Restart();
    world.Run(minutes(3));
    EXPECT_EQ(world.Lines("pagerduty").size(), 1u) << name;
  }
  world.Resolve(kDown);
  world.Run(minutes(2));
  ASSERT_EQ(world.Messages("pagerduty").size(), 2u);
  EXPECT_EQ(world.Messages("pagerduty")[1].status, "resolved");
}

TEST(OrphanTest, NoChannelIsOnTheDiskInClear) {
  World world(Config(Only("ops", kPager + kHook)));
  world.Fire(kDown);
  world.Run(minutes(1));
  std::string seen;
  for (const char* suffix : {"", "-wal"}) {
    std::ifstream file(world.database() + suffix, std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    seen += bytes.str();
  }
  EXPECT_THAT(seen, ::testing::HasSubstr("ops/pagerduty/0"));
  EXPECT_THAT(seen, ::testing::Not(::testing::HasSubstr(kRoutingKey)));
}

TEST(OrphanTest, AnotherAddressUnderAnotherNameIsNoRename) {
  World world(Config(Only("ops", kHook)));
  Break(world, kWebhookUrl);
  world.Fire(kDown);
  world.Run(minutes(1));
  ASSERT_TRUE(world.notifier->Reload(Config(Only("web", kOtherHook))).ok());
  EXPECT_EQ(Orphaned(world), 1);
}

}  // namespace
}  // namespace tocsin::notify
