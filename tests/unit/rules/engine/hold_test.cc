// Alerts that are held while what feeds them does not answer.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/rules/engine/rule_world.h"

namespace tocsin::rules {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::Group;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kCpu;
using testing::RuleWorld;
using ::testing::StartsWith;

constexpr const char* kOther = R"(other{job="pg",instance="db1:5432"})";

const std::string kHigh = Group("  - { alert: High, expr: cpu > 80 }\n");

TEST(HeldTest, AFiringAlertStaysWhileItsTargetDoesNotAnswer) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kHigh);
  world.Run("5s");
  world.TargetFails("connection refused");
  world.RunTo("10m");
  const auto alerts = world.Alerts();
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_THAT(alerts[0], HasSubstr("High firing since 0s value 90 held: postgres target "
                                   "\"primary\" does not answer since "));
  EXPECT_THAT(alerts[0], HasSubstr(": connection refused"));
  EXPECT_THAT(world.Timeline(), ElementsAre("0s firing High 90"));
  world.TargetAnswers();
  world.Run("20s");
  EXPECT_THAT(world.Alerts(), ElementsAre("High firing since 0s value 90"));
  world.Set(kCpu, 5);
  world.Run("10s");
  EXPECT_EQ(world.Timeline().size(), 2u);
}

TEST(HeldTest, AHeldPendingAlertDoesNotBecomeFiring) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(Group("  - { alert: High, expr: cpu > 80, for: 30s }\n"));
  world.TargetFails("time-out");
  world.RunTo("5m");
  ASSERT_EQ(world.Alerts().size(), 1u);
  EXPECT_THAT(world.Alerts()[0], HasSubstr("pending since 0s"));
  EXPECT_THAT(world.Timeline(), IsEmpty());
}

TEST(HeldTest, TheHoldEndsAfterItsTime) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kHigh);
  world.TargetFails("time-out");
  world.RunTo("2h");
  EXPECT_THAT(world.Timeline(),
              ElementsAre("0s firing High 90", "1h10s resolved High 90 (no data)"));
}

TEST(HeldTest, TheHoldEndsWhenTheTargetIsRemoved) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kHigh);
  world.TargetFails("time-out");
  world.RunTo("1m");
  EXPECT_EQ(world.Alerts().size(), 1u);
  world.sources().states.clear();
  world.RunTo("2m");
  EXPECT_THAT(world.Alerts(), IsEmpty());
}

TEST(HeldTest, AnotherTargetsFailureHoldsNothing) {
  RuleWorld world;
  model::SourceState cache;
  cache.kind = "redis";
  cache.name = "cache";
  cache.labels = {{"job", "redis"}, {"instance", "cache:6379"}};
  cache.health = model::TargetHealth::kDown;
  world.sources().states.push_back(cache);
  world.Set(kCpu, 90);
  world.Begin(Group("  - { alert: Sum, expr: sum(cpu) > 80 }\n"));
  world.Set(kCpu, 10);
  world.RunTo("10s");
  EXPECT_THAT(world.Alerts(), IsEmpty());
}

TEST(HeldTest, AnAggregateOverTheFailedTargetIsHeld) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(Group("  - { alert: Sum, expr: sum(cpu) > 80 }\n"));
  world.TargetFails("time-out");
  world.RunTo("1m");
  EXPECT_EQ(world.Alerts().size(), 1u);
}

TEST(HeldTest, RulesThatJudgeAbsenceAreNeverHeld) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Set(R"(pg_up{job="pg",instance="db1:5432"})", 1);
  world.Begin(Group("  - { alert: Both, expr: cpu > 80 and pg_up == 1 }\n"));
  EXPECT_EQ(world.Alerts().size(), 1u);
  world.TargetFails("time-out");
  world.RunTo("10s");
  EXPECT_THAT(world.Alerts(), IsEmpty());
}

TEST(HeldTest, AFiringAlertStaysWhileThePartThatFeedsItDoesNotAnswer) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Set(kOther, 7);
  world.Begin(kHigh);
  world.PartFails("stat_activity", {"cpu"}, "permission denied");
  world.RunTo("10m");
  ASSERT_EQ(world.Alerts().size(), 1u);
  EXPECT_THAT(world.Alerts()[0],
              HasSubstr("High firing since 0s value 90 held: stat_activity of postgres target "
                        "\"primary\" does not answer since "));
  EXPECT_THAT(world.Alerts()[0], HasSubstr(": permission denied"));
  world.PartAnswers();
  world.Run("20s");
  EXPECT_THAT(world.Alerts(), ElementsAre("High firing since 0s value 90"));
  world.Set(kCpu, 5);
  world.Run("10s");
  EXPECT_EQ(world.Timeline().size(), 2u);
}

// What fails is two rules away, in another group, and its names are not in the alert's.
TEST(HeldTest, AnAlertOnRecordedSeriesStaysAsIfItReadWhatTheyAreMadeOf) {
  constexpr const char* kOtherGroup = "- name: over them\n  interval: 10s\n  rules:\n";
  const std::string rules = Group(R"y(
  - { record: "instance:cpu:max", expr: 'max by (job, instance) (cpu)' }
  - { record: "job:cpu:double", expr: '2 * max by (job) ({__name__="instance:cpu:max"})' }
  - { record: "job:up:min", expr: min by (job) (up) }
)y") + kOtherGroup + R"y(
  - { alert: High, expr: 'job:cpu:double > 160' }
  - { alert: Seen, expr: 'job:cpu:double > 160 and on (job) job:up:min == 1' }
)y";
  for (const bool whole : {true, false}) {
    SCOPED_TRACE(whole);
    RuleWorld world;
    world.Set(kCpu, 90);
    world.Set(R"(up{job="pg",instance="db1:5432"})", 1);
    world.Begin(rules);
    world.RunTo("20s");
    ASSERT_EQ(world.Alerts().size(), 2u);
    if (whole) world.TargetFails("time-out");
    if (!whole) world.PartFails("stat_activity", {"cpu"}, "time-out");
    world.RunTo("10m");
    // Absence is an answer to who asks for it, through recorded series too.
    const auto alerts = world.Alerts();
    ASSERT_EQ(std::count_if(alerts.begin(), alerts.end(),
                            [](const auto& line) { return line.find(" held: ") != line.npos; }),
              1);
    EXPECT_THAT(alerts, Contains(AllOf(StartsWith("High firing since "), HasSubstr("held: "),
                                       HasSubstr("time-out"))));
    whole ? world.TargetAnswers() : world.PartAnswers();
    world.Set(kCpu, 5);
    world.Run("1m");
    EXPECT_THAT(world.Alerts(), IsEmpty());
  }
}

// The query has not seen what the state then says is there.
TEST(HeldTest, ARecoveryInMidEvaluationResolvesNothing) {
  for (const bool whole : {true, false}) {
    RuleWorld world;
    world.Set(kCpu, 90);
    world.Begin(kHigh);
    if (whole) world.TargetFails("time-out");
    if (!whole) world.PartFails("stat_activity", {"cpu"}, "time-out");
    world.RunTo("25s");
    ASSERT_EQ(world.Alerts().size(), 1u);
    world.querier().after_read = [&] { whole ? world.TargetAnswers() : world.PartAnswers(); };
    world.RunTo("35s");
    EXPECT_FALSE(world.querier().after_read) << "nothing was read";
    world.RunTo("2m");
    EXPECT_THAT(world.Timeline(), ElementsAre("0s firing High 90"));
    world.Set(kCpu, 5);
    world.RunTo("3m");
    EXPECT_EQ(world.Timeline().size(), 2u);
  }
}

TEST(HeldTest, AnotherPartsFailureHoldsNothing) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Set(kOther, 7);
  world.Begin(kHigh);
  world.PartFails("locks", {"other"}, "time-out");
  world.Set(kCpu, 5);
  world.RunTo("10s");
  EXPECT_THAT(world.Alerts(), IsEmpty());
}

TEST(HeldTest, AHistogramsPartIsKnownByItsFamily) {
  constexpr const char* kBucket = R"(took_bucket{job="pg",instance="db1:5432",le="1"})";
  RuleWorld world;
  world.Set(kBucket, 90);
  world.Begin(Group("  - { alert: High, expr: took_bucket > 80 }\n"));
  world.PartFails("log", {"took_bucket"}, "time-out");
  world.target().failed_parts[0].families =
      std::make_shared<const std::vector<std::string>>(std::vector<std::string>{"took"});
  world.RunTo("1m");
  EXPECT_EQ(world.Alerts().size(), 1u);
}

// The part has not answered since the start, so nobody knows what it brings.
TEST(HeldTest, ARestoredAlertStaysWhileAPartHasNeverAnswered) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Set(kOther, 7);
  const std::string rules = Group(R"y(
  - { alert: High, expr: cpu > 80 }
  - { alert: Odd, expr: other > 5 }
)y");
  world.Begin(rules);
  world.PartFails("stat_activity", {"cpu"}, "permission denied");
  world.target().failed_parts[0].families = nullptr;
  world.Restart("10s", rules);
  world.Set(kOther, 1);
  world.Run("1m");
  ASSERT_EQ(world.Alerts().size(), 1u);
  EXPECT_THAT(world.Alerts()[0], HasSubstr("High firing since 0s value 90 held: stat_activity"));
  world.PartAnswers();
  world.Run("20s");
  EXPECT_THAT(world.Alerts(), ElementsAre("High firing since 0s value 90"));
}

}  // namespace
}  // namespace tocsin::rules
