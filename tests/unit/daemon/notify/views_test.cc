// What Notifier shows of alerts, groups and attempts.

#include <gmock/gmock.h>

#include <atomic>
#include <iostream>
#include <thread>

#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kRoutes = R"(
route:
  receiver: all
  group_by: [alertname]
  group_wait: 10s
  group_interval: 1m
  routes:
  - {receiver: second, matchers: [team=db], continue: true}
  - {receiver: first, matchers: [team=db], continue: true}
  - {receiver: second, matchers: [team=db], group_by: [alertname, team]}
receivers:
- {name: all}
- {name: first, webhook_configs: [{url: 'http://webhook.test/hook'}]}
- {name: second, slack_configs: [{api_url: 'http://slack.test/x', channel: '#db'}]}
)";

const model::Labels kDatabase = {{"alertname", "Pool"}, {"team", "db"}};

TEST(ViewsTest, ReceiversComeInTheOrderOfTheRoutesAndOnce) {
  World world(Config(kRoutes));
  world.Fire(kDatabase);
  world.Fire({{"alertname", "Pool"}, {"team", "web"}});
  std::map<std::string, std::vector<std::string>> receivers;
  for (const AlertStatus& status : world.notifier->Alerts()) {
    receivers[std::string(status.alert.labels.Get("team"))] = status.receivers;
  }
  EXPECT_THAT(receivers["db"], ElementsAre("second", "first"));
  EXPECT_THAT(receivers["web"], ElementsAre("all"));
}

TEST(ViewsTest, GroupsComeByTheirLabelsTheFewerFirst) {
  World world(Config(kRoutes));
  world.Fire(kDatabase);
  world.Fire({{"alertname", "Zoo"}, {"team", "web"}});
  std::vector<std::string> groups;
  for (const GroupStatus& group : world.notifier->Groups()) {
    groups.push_back(group.labels.Text() + " " + group.receiver);
    if (group.receiver != "all") {
      EXPECT_THAT(group.alerts[0].receivers, ElementsAre("first", "second"));
    }
  }
  EXPECT_THAT(groups,
              ElementsAre("{alertname=\"Pool\"} first", "{alertname=\"Pool\"} second",
                          "{alertname=\"Zoo\"} all", "{alertname=\"Pool\", team=\"db\"} second"));
}

TEST(ViewsTest, WhatHasEndedIsKnownUntilItsEndIsTold) {
  World world(Config(kRoutes));
  world.Fire(kDatabase);
  world.Run(seconds(15));
  world.Resolve(kDatabase);
  EXPECT_THAT(world.notifier->Alerts(), IsEmpty());
  ASSERT_EQ(world.notifier->KnownAlerts().size(), 1u);
  EXPECT_TRUE(world.notifier->KnownAlerts()[0].resolved);
  world.Run(minutes(5));
  EXPECT_THAT(world.notifier->KnownAlerts(), IsEmpty());
  // The attempts say whom they told of.
  std::vector<std::string> told;
  for (const DeliveryAttempt& attempt : world.notifier->Attempts()) {
    ASSERT_EQ(attempt.alerts.size(), 1u);
    EXPECT_EQ(attempt.alerts[0], kDatabase);
    if (attempt.integration == "first/webhook/0")
      told.push_back(attempt.resolves ? "end" : "start");
  }
  EXPECT_THAT(told, ElementsAre("start", "end"));
}

TEST(ViewsTest, AnAttemptRemembersTheFirstOfABigGroup) {
  World world(Config(kRoutes));
  std::vector<model::Alert> alerts;
  for (int i = 0; i < 40; ++i) {
    alerts.push_back(world.Firing(kDatabase.With("instance", std::to_string(i))));
  }
  world.Send(std::move(alerts));
  world.Run(seconds(15));
  ASSERT_FALSE(world.notifier->Attempts().empty());
  EXPECT_EQ(world.notifier->Attempts()[0].alerts.size(), DeliveryAttempt::kMaxAlerts);
}

TEST(ViewsTest, ExplainShowsTheTimersOfTheRoute) {
  World world(Config(kRoutes));
  world.Fire(kDatabase);
  const auto statuses = world.notifier->Explain(kDatabase.Fingerprint());
  ASSERT_EQ(statuses.size(), 3u);
  for (const DeliveryStatus& status : statuses) {
    EXPECT_TRUE(status.routed);
    EXPECT_EQ(status.group_wait, seconds(10));
    EXPECT_EQ(status.group_interval, minutes(1));
    EXPECT_EQ(status.verdict, Reason::kFirstNotification);
  }
}

TEST(ElsewhereTest, OthersCannotTakeThePlacesOfTheRules) {
  World world(Config(AllReceivers("")));
  std::vector<model::Alert> foreign;
  for (std::size_t i = 0; i < Notifier::kMaxAlerts - Notifier::kReservedAlerts + 3; ++i) {
    foreign.push_back(world.Firing({{"alertname", "Foreign"}, {"n", std::to_string(i)}}));
  }
  EXPECT_EQ(world.notifier->AcceptFromElsewhere(foreign).value(), 3u);
  // What is known is still refreshed, and this host's rules have their places.
  foreign.resize(2);
  EXPECT_EQ(world.notifier->AcceptFromElsewhere(foreign).value(), 0u);
  EXPECT_EQ(
      world.notifier->AcceptFromElsewhere({world.Firing({{"alertname", "One more"}})}).value(), 1u);
  world.Fire({{"alertname", "Own"}});
  EXPECT_EQ(world.notifier->Alerts().size(), Notifier::kMaxAlerts - Notifier::kReservedAlerts + 1);
}

TEST(ElsewhereTest, NorTheirMemoryWithFewButLargeOnes) {
  World world(Config(AllReceivers("")));
  const std::size_t limit = Notifier::kMaxAlertBytes - Notifier::kReservedAlertBytes;
  const std::string large(60 << 10, 'x');
  const auto alert = [&](std::size_t n, const std::string& text) {
    model::Alert made = world.Firing({{"alertname", "Foreign"}, {"n", std::to_string(n)}});
    made.annotations = model::Labels{{"text", text}};
    return made;
  };
  std::vector<model::Alert> foreign;
  for (std::size_t i = 0; i <= limit / large.size(); ++i) foreign.push_back(alert(i, large));
  foreign.push_back(alert(foreign.size(), "small"));
  const std::size_t left_out = world.notifier->AcceptFromElsewhere(foreign).value();
  EXPECT_GE(left_out, 1u);
  EXPECT_LE(left_out, 3u);
  // A known one may not grow beyond it either, but it may shrink and end.
  EXPECT_EQ(world.notifier->AcceptFromElsewhere({alert(0, large + large + large)}).value(), 1u);
  EXPECT_EQ(world.notifier->AcceptFromElsewhere({alert(0, "")}).value(), 0u);
  world.Fire({{"alertname", "Own"}});
  EXPECT_EQ(world.notifier->Alerts().size(), foreign.size() - left_out + 1);
}

// Listing is work for a while; who sets a silence or sends an alert meanwhile must not
// wait for it.
TEST(ViewsTest, AListingOfManyAlertsHoldsNobodyUp) {
  World world(
      Config("route: {receiver: ops, group_by: [instance]}\nreceivers: [{name: ops}]\n"
             "inhibit_rules: [{source_matchers: ['severity=\"critical\"'], target_matchers: "
             "['severity=\"warning\"'], equal: [instance]}]\n"));
  constexpr int kAlerts = 10'000;
  constexpr int kSilences = 500;
  std::vector<model::Alert> alerts;
  for (int i = 0; i < kAlerts; ++i) {
    alerts.push_back(world.Firing({{"alertname", "Down" + std::to_string(i % 100)},
                                   {"instance", "db" + std::to_string(i)},
                                   {"job", "postgres"},
                                   {"severity", i % 2 == 0 ? "warning" : "critical"}}));
  }
  world.Send(std::move(alerts));
  std::string id;
  for (int i = 0; i < kSilences; ++i) {
    // A quarter of them asks for no certain value.
    id = world.Mute(i % 4 == 0 ? "instance=~\"db" + std::to_string(i) + "[0-9]\""
                               : "instance=\"db" + std::to_string(i) + "\", job=\"postgres\"",
                    std::chrono::hours(1));
  }
  using Clock = std::chrono::steady_clock;
  using Span = std::chrono::duration<double, std::milli>;
  // A busy machine may keep this thread waiting as well, but not every time.
  constexpr int kTries = 8;
  Span least = Span::max();  // By which the longest wait exceeded what it may be.
  for (int i = 0; i < kTries && least > Span(0); ++i) {
    std::atomic<bool> done = false;
    std::vector<AlertStatus> list;
    Span listing{};
    std::thread lister([&] {
      const auto begin = Clock::now();
      list = world.notifier->KnownAlerts();
      listing = Clock::now() - begin;
      done = true;
    });
    Span longest{};
    while (!done) {
      const auto begin = Clock::now();
      EXPECT_TRUE(world.notifier->FindSilence(id).has_value());
      longest = std::max(longest, Span(Clock::now() - begin));
    }
    lister.join();
    EXPECT_EQ(list.size(), static_cast<std::size_t>(kAlerts));
    // 375 by name; of the patterns those whose ten instances are not named already.
    EXPECT_GT(std::count_if(list.begin(), list.end(),
                            [](const auto& status) { return !status.silenced_by.empty(); }),
              375);
    std::cout << "listing " << listing.count() << " ms, longest wait " << longest.count()
              << " ms\n";
    least = std::min(least, longest - std::max(Span(20), listing / 4));
  }
  EXPECT_LE(least.count(), 0);
}

TEST(ViewsTest, SilencesAreFoundByWhateverTheyAskFor) {
  World world(Config("route: {receiver: ops, group_by: [alertname]}\nreceivers: [{name: ops}]\n"));
  const model::Labels down = {{"alertname", "Down"}, {"instance", "db1"}};
  world.Fire(down);
  std::vector<std::string> wanted;
  for (const char* matchers :
       {"alertname=\"Down\"", "alertname=~\"Up|Down\"", "instance=~\"db.\"", "alertname!=\"Up\"",
        "instance!~\"web.*\", alertname=\"Down\"", "team=\"\", instance=\"db1\"",
        "alertname=~\".+\", instance=~\"db1|db1|db2\""}) {
    wanted.push_back(world.Mute(matchers, std::chrono::hours(1)));
  }
  for (const char* matchers :
       {"alertname=\"Up\"", "alertname=~\"Up|Away\"", "team=\"x\"",
        "alertname=\"Down\", team=\"x\"", "alertname=\"Down\", instance!=\"db1\"",
        "instance=~\"db2|db3\", alertname=\"Down\""}) {
    world.Mute(matchers, std::chrono::hours(1));
  }
  std::sort(wanted.begin(), wanted.end());
  ASSERT_EQ(world.notifier->Alerts().size(), 1u);
  EXPECT_EQ(world.notifier->Alerts()[0].silenced_by, wanted);
}

}  // namespace
}  // namespace tocsin::notify
