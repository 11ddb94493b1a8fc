// What a restart may change: nothing that a person on call could see.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rules/engine/rule_world.h"

namespace tocsin::rules {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kCpu;
using testing::RuleWorld;

std::string Rule(const std::string& fields) {
  return "groups:\n- name: g\n  interval: 10s\n  rules:\n  - { alert: High, " + fields + " }\n";
}

const std::string kFor40 = Rule("expr: cpu > 80, for: 40s");

TEST(AlertRestoreTest, RestartInTheMiddleOfForNeitherResolvesNorDelays) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kFor40);
  world.RunTo("20s");
  world.Restart("5s", kFor40);
  EXPECT_THAT(world.Alerts(), ElementsAre("High pending since 0s value 90"));
  world.RunTo("2m");
  EXPECT_THAT(world.Timeline(), ElementsAre("40s firing High 90"));
}

TEST(AlertRestoreTest, RestartWhileFiringTellsNobodyAnythingNew) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kFor40);
  world.RunTo("1m");
  world.Restart("5s", kFor40);
  EXPECT_THAT(world.Alerts(), ElementsAre("High firing since 0s value 90"));
  world.RunTo("5m");
  EXPECT_THAT(world.Timeline(), ElementsAre("40s firing High 90"));
}

TEST(AlertRestoreTest, StartSendsFiringAlertsBeforeAnythingIsEvaluated) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kFor40);
  world.RunTo("1m");
  world.sink().batches.clear();
  // Longer than the last sending was valid for.
  world.Restart("30m", kFor40);
  ASSERT_EQ(world.sink().batches.size(), 1u);
  const auto& alert = world.sink().batches[0][0];
  EXPECT_EQ(alert.ends_at, world.clock().WallNow() + std::chrono::minutes(4));
  EXPECT_EQ(world.At(alert.starts_at), "40s");
}

TEST(AlertRestoreTest, NothingResolvesBeforeTheTargetHasBeenPolled) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kFor40);
  world.RunTo("1m");
  world.Stop();
  world.TargetFails("");
  world.Run("20m");
  world.target().health = model::TargetHealth::kUnknown;
  world.Start(kFor40);
  world.Run("1m");
  EXPECT_THAT(world.Alerts(),
              ElementsAre("High firing since 0s value 90 held: postgres target \"primary\" has not "
                          "been polled since the start"));
  world.Set(kCpu, 10);
  world.Run("10s");
  EXPECT_THAT(world.Alerts(), IsEmpty());
  EXPECT_EQ(world.Timeline().size(), 2u);
}

TEST(AlertRestoreTest, ARateNeedsTwoPollsBeforeItsAlertMayResolve) {
  RuleWorld world;
  const std::string rule = Rule("expr: 'rate(cpu[1m]) > 1'");
  double value = 0;
  world.Set(kCpu, value);
  world.Begin(rule);
  for (int i = 0; i < 20; ++i) {
    world.Set(kCpu, value += 50);
    world.Run("5s");
  }
  ASSERT_EQ(world.Timeline().size(), 1u);
  world.Restart("10m", rule);
  for (int i = 0; i < 20; ++i) {
    world.Run("5s");
    world.Set(kCpu, value += 50);
  }
  EXPECT_EQ(world.Timeline().size(), 1u) << world.Timeline().back();
}

TEST(AlertRestoreTest, DownTimeUpToTheLookbackCounts) {
  const std::string rule = Rule("expr: cpu > 80, for: 10m");
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(rule);
  world.RunTo("4m");
  world.Restart("4m", rule);
  world.RunTo("11m");
  EXPECT_THAT(world.Timeline(), ElementsAre("10m firing High 90"));
}

TEST(AlertRestoreTest, ALongerDownTimeIsAddedToActiveAt) {
  const std::string rule = Rule("expr: cpu > 80, for: 10m");
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(rule);
  world.RunTo("4m");
  world.Restart("20m", rule);
  world.RunTo("40m");
  // Four minutes were watched before 4m, six are watched from 24m10s on.
  EXPECT_THAT(world.Timeline(), ElementsAre("30m10s firing High 90"));
}

TEST(AlertRestoreTest, KeepFiringGoesOnOverARestart) {
  const std::string rule = Rule("expr: cpu > 80, keep_firing_for: 1m");
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(rule);
  world.Set(kCpu, 10);
  world.RunTo("30s");
  world.Restart("5s", rule);
  world.RunTo("3m");
  EXPECT_THAT(world.Timeline(), ElementsAre("0s firing High 90", "1m10s resolved High 10"));
}

TEST(AlertRestoreTest, AResolvedThatNobodyTookIsToldAfterTheRestart) {
  const std::string rule = Rule("expr: cpu > 80");
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(rule);
  world.sink().refuses = true;
  world.Set(kCpu, 10);
  world.RunTo("10s");
  world.Stop();
  world.sink().refuses = false;
  world.Restart("5s", rule);
  EXPECT_THAT(world.Timeline(), ElementsAre("0s firing High 90", "10s resolved High 10"));
}

TEST(AlertRestoreTest, ATransitionIsOnDiskBeforeItIsSent) {
  const std::string rule = Rule("expr: cpu > 80");
  RuleWorld world;
  world.Set(kCpu, 90);
  std::string state;
  const std::string file = world.state_file();
  world.sink().on_accept = [&] {
    Database::Options options;
    options.path = file;
    auto other = Database::Open(options);
    ASSERT_TRUE(other.ok());
    auto rows = (*other)->Prepare("SELECT state FROM rule_alerts");
    ASSERT_TRUE(rows.ok());
    if (*rows->Step()) state = rows->Text(0);
  };
  world.Begin(rule);
  EXPECT_EQ(state, "firing");
  world.sink().on_accept = nullptr;
}

TEST(AlertRestoreTest, AlertsOfARuleThatIsGoneResolveAtTheStart) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(Rule("expr: cpu > 80"));
  world.Restart("5s", "groups: [ { name: g, interval: 10s, rules: [] } ]");
  const auto lines = world.Timeline();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[1].find("resolved High 90 (rule removed)"), std::string::npos) << lines[1];
  // And only once.
  world.sink().batches.clear();
  world.Restart("5s", "groups: [ { name: g, interval: 10s, rules: [] } ]");
  EXPECT_THAT(world.sink().batches, IsEmpty());
}

TEST(AlertRestoreTest, FedByRemoteWriteWaitsForFreshDataOrTheLookback) {
  const std::string rule = Rule("expr: pushed > 80");
  RuleWorld world;
  world.sources().states.clear();
  const auto push = [&world](double value) {
    const auto ref = *world.store().Resolve({{"__name__", "pushed"}});
    model::SeriesSample sample{&ref, ToUnixMillis(world.clock().WallNow()), value};
    model::CommitContext context;
    context.origin = model::CommitOrigin::kRemoteWrite;
    context.at = world.clock().WallNow();
    ASSERT_TRUE(world.store().Commit(context, std::span(&sample, 1)).ok());
  };
  push(90);
  world.BeginWithoutPolls(rule);
  world.Stop();
  world.Run("20m");
  world.Start(rule);
  world.Run("1m");
  EXPECT_EQ(world.Alerts().size(), 1u);
  push(10);
  world.Run("10s");
  EXPECT_THAT(world.Alerts(), IsEmpty());
}

TEST(AlertRestoreTest, TheSendingAtTheStartCountsAsTheLastOne) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kFor40);
  world.RunTo("1m");
  world.sink().batches.clear();
  world.Restart("5s", kFor40);
  world.RunTo("130s");
  std::vector<std::string> sent;
  for (const auto& batch : world.sink().batches) sent.push_back(world.At(batch[0].updated_at));
  // The second is the repeat of a group that has yet to be evaluated.
  EXPECT_THAT(sent, ElementsAre("1m5s1ms", "1m20s1ms", "2m10s"));
}

TEST(AlertRestoreTest, AResolvedThatWasTakenIsNotToldAgain) {
  const std::string rule = Rule("expr: cpu > 80");
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(rule);
  world.Set(kCpu, 10);
  // When it was last sent is on disk at the next slot.
  world.RunTo("20s");
  world.sink().batches.clear();
  world.Restart("5s", rule);
  world.RunTo("5m");
  EXPECT_THAT(world.sink().batches, IsEmpty());
}

TEST(AlertRestoreTest, AHoldsHourGoesOnOverARestart) {
  const std::string rule = Rule("expr: cpu > 80");
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(rule);
  world.TargetFails("time-out");
  world.RunTo("40m");
  world.Stop();
  world.Run("5s");
  world.Start(rule);
  // It is asked again, and still does not answer.
  world.target().last_poll = world.clock().WallNow();
  world.RunTo("1h");
  EXPECT_THAT(world.Timeline(), ElementsAre("0s firing High 90"));
  world.RunTo("1h10s");
  EXPECT_THAT(world.Timeline(),
              ElementsAre("0s firing High 90", "1h10s resolved High 90 (no data)"));
}

}  // namespace
}  // namespace tocsin::rules
