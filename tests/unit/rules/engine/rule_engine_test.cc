// Evaluation on arrival, holds, hysteresis and reload.

#include "rules/engine/rule_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/rules/engine/rule_world.h"

namespace tocsin::rules {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::RuleWorld;
using ::testing::StartsWith;

constexpr const char* kCpu = R"(cpu{job="pg",instance="db1:5432"})";

constexpr const char* kOther = R"(other{job="pg",instance="db1:5432"})";

std::string Group(const std::string& rules, const std::string& interval = "10s") {
  return "groups:\n- name: g\n  interval: " + interval + "\n  rules:\n" + rules;
}

const std::string kHigh = Group("  - { alert: High, expr: cpu > 80 }\n");

double Iterations(RuleWorld& world) {
  return world.metrics()
      .Counter("tocsin_rule_group_iterations_total",
               "Evaluations of the group, at slots and on arrival.",
               {{"rule_group", "rules.yaml;g"}})
      .Value();
}

// -- On arrival --

TEST(OnArrivalTest, ACommitIsEvaluatedAtOnceAtItsOwnTime) {
  RuleWorld world;
  world.options().evaluation = EvaluationMode::kArrival;
  world.Start(Group("  - { alert: High, expr: cpu > 80 }\n", "10m"));
  world.Run("7s");
  world.Set(kCpu, 90);
  const WallTime committed = world.clock().WallNow();
  world.Run("0s");
  ASSERT_EQ(world.sink().batches.size(), 1u);
  EXPECT_EQ(world.sink().batches[0][0].starts_at, committed);
}

TEST(OnArrivalTest, FurtherCommitsWithinTheWindowAreOneEvaluation) {
  RuleWorld world;
  world.options().evaluation = EvaluationMode::kArrival;
  world.Start(Group("  - { alert: High, expr: cpu > 80 }\n", "10m"));
  world.Run("6s");
  world.Set(kCpu, 10);
  world.Run("0s");
  EXPECT_EQ(Iterations(world), 1);
  for (int i = 0; i < 4; ++i) {
    world.Run("10ms");
    world.Set(kCpu, 90 + i);
  }
  EXPECT_EQ(Iterations(world), 1);
  world.Run("20ms");
  EXPECT_EQ(Iterations(world), 2);
  EXPECT_EQ(world.sink().batches.size(), 1u);
}

TEST(OnArrivalTest, AtMostTenRunsPerIntervalBeyondTheSlots) {
  RuleWorld world;
  world.options().evaluation = EvaluationMode::kArrival;
  world.Start(Group("  - { alert: High, expr: cpu > 80 }\n", "10m"));
  for (int i = 0; i < 590; ++i) {
    world.Run("1s");
    world.Set(kCpu, 10);
  }
  EXPECT_GE(Iterations(world), 10);
  EXPECT_LE(Iterations(world), 11);
  EXPECT_GE(world.metrics()
                .Counter("tocsin_rule_group_arrivals_deferred_total",
                         "Evaluations on arrival put off because the group had run ten times in an "
                         "interval.",
                         {{"rule_group", "rules.yaml;g"}})
                .Value(),
            1);
}

TEST(OnArrivalTest, CommitsThatNoSelectorMatchesDoNotEvaluate) {
  RuleWorld world;
  world.options().evaluation = EvaluationMode::kArrival;
  world.Start(Group("  - { alert: High, expr: 'cpu{job=\"pg\"} > 80' }\n", "10m"));
  world.Run("6s");
  world.Set(R"(memory{job="pg"})", 1);
  world.Set(R"(cpu{job="other"})", 99);
  world.Run("1s");
  EXPECT_EQ(Iterations(world), 0);
  // A new series of a known target is noticed.
  world.Set(kCpu, 99);
  world.Run("0s");
  EXPECT_EQ(Iterations(world), 1);
}

TEST(OnArrivalTest, RecordingRulesAreVisibleToTheEvaluationButStoredOnlyAtSlots) {
  RuleWorld world;
  world.options().evaluation = EvaluationMode::kArrival;
  world.Start(Group(R"y(
  - { record: "job:cpu", expr: "sum by (job) (cpu)" }
  - { alert: High, expr: "job:cpu > 80" }
)y",
                    "4m"));
  world.Run("6s");
  world.Set(kCpu, 90);
  world.Run("0s");
  EXPECT_EQ(world.sink().batches.size(), 1u);
  EXPECT_EQ(world.Latest("job:cpu"), "");
  EXPECT_EQ(world.Latest("ALERTS{alertstate=\"firing\"}"), "1");
  world.Run("4m");
  EXPECT_EQ(world.Latest("job:cpu"), "90");
}

TEST(OnArrivalTest, AlertsAreStoredAtSlotsAndAtTransitionsOnly) {
  RuleWorld world;
  world.options().evaluation = EvaluationMode::kArrival;
  world.Start(Group("  - { alert: High, expr: cpu > 80 }\n", "10m"));
  world.Run("6s");
  world.Set(kCpu, 90);
  world.Run("0s");
  const int commits = world.store().rule_commits();
  EXPECT_EQ(commits, 1);
  world.Run("30s");
  EXPECT_GT(Iterations(world), 3);
  EXPECT_EQ(world.store().rule_commits(), commits);
}

// -- Held --

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
    EXPECT_THAT(alerts, ::testing::Contains(AllOf(StartsWith("High firing since "),
                                                  HasSubstr("held: "), HasSubstr("time-out"))));
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

// -- Hysteresis --

const std::string kHysteresis = Group(R"y(
  - { alert: High, expr: cpu > 80, annotations: { tocsin_resolve_when: cpu < 60 } }
)y");

TEST(HysteresisTest, ResolvesOnlyWhenTheOtherConditionHolds) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kHysteresis);
  world.Set(kCpu, 70);
  world.RunTo("1m");
  EXPECT_THAT(world.Alerts(), ElementsAre("High firing since 0s value 70"));
  world.Set(kCpu, 59);
  world.RunTo("70s");
  EXPECT_THAT(world.Timeline(), ElementsAre("0s firing High 90", "1m10s resolved High 59"));
}

TEST(HysteresisTest, ResolvesWhenItsDataIsGone) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kHysteresis);
  world.End(kCpu);
  world.RunTo("10s");
  EXPECT_THAT(world.Timeline(), ElementsAre("0s firing High 90", "10s resolved High 90"));
}

TEST(HysteresisTest, AnotherInstancesConditionDoesNotResolve) {
  RuleWorld world;
  world.Set(R"(cpu{core="1"})", 90);
  world.Set(R"(cpu{core="2"})", 10);
  world.Begin(kHysteresis);
  world.Set(R"(cpu{core="1"})", 70);
  world.RunTo("30s");
  EXPECT_THAT(world.Alerts(), ElementsAre("High{core=\"1\"} firing since 0s value 70"));
}

// -- Reload --

TEST(ReloadTest, AnUnchangedGroupGoesOnUntouched) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kHigh);
  world.Reload(kHigh + "\n- { name: other, interval: 10s, rules: [] }\n");
  world.RunTo("1m");
  EXPECT_THAT(world.Timeline(), ElementsAre("0s firing High 90"));
  EXPECT_EQ(world.engine().Groups().size(), 2u);
}

TEST(ReloadTest, AChangedRuleOfEqualNameAndLabelsKeepsItsAlerts) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(Group("  - { alert: High, expr: cpu > 80, for: 1m }\n"));
  world.RunTo("30s");
  world.Reload(Group("  - { alert: High, expr: cpu > 70, for: 1m }\n"));
  EXPECT_THAT(world.Alerts(), ElementsAre("High pending since 0s value 90"));
  world.RunTo("2m");
  EXPECT_THAT(world.Timeline(), ElementsAre("1m firing High 90"));
}

TEST(ReloadTest, AlertsOfARemovedRuleAndGroupResolve) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kHigh + "\n- { name: h, interval: 10s, rules: [ { alert: Too, expr: cpu > 1 } ] }\n");
  world.RunTo("20s");
  EXPECT_EQ(world.Latest("count(ALERTS)"), "2");
  world.Reload(Group("  - { alert: Other, expr: cpu > 200 }\n"));
  const auto lines = world.Timeline();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[2] + lines[3], HasSubstr("resolved High 90 (rule removed)"));
  EXPECT_THAT(lines[2] + lines[3], HasSubstr("resolved Too 90 (rule removed)"));
  EXPECT_EQ(world.Latest("ALERTS"), "");
  // The rows are gone too: the next start finds nothing to do.
  world.sink().batches.clear();
  world.Restart("5s", kHigh);
  EXPECT_THAT(world.sink().batches, IsEmpty());
}

TEST(ReloadTest, AlertsOfARemovedRuleAreToldUntilNotifyTakesThem) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kHigh);
  world.sink().refuses = true;
  world.Reload("groups: []");
  world.Run("5s");
  world.sink().refuses = false;
  world.Run("2s");
  EXPECT_EQ(world.Timeline().size(), 2u);
}

// -- Batches --

TEST(BatchTest, AllTransitionsOfAnEvaluationAreOneBatch) {
  RuleWorld world;
  world.Set(kCpu, 95);
  world.Begin(Group(R"y(
  - { alert: High, expr: cpu > 80, labels: { severity: warning } }
  - { alert: High, expr: cpu > 90, labels: { severity: critical } }
)y"));
  ASSERT_EQ(world.sink().batches.size(), 1u);
  EXPECT_EQ(world.sink().batches[0].size(), 2u);
}

TEST(BatchTest, NoSlotIsTheSameForAllGroupsAndEachKeepsItsOwn) {
  RuleWorld world;
  world.Start(kHigh);
  world.Run("25s");
  const auto first = *world.engine().Groups()[0].last_evaluation;
  world.Restart("7s", kHigh);
  world.Run("25s");
  const auto second = *world.engine().Groups()[0].last_evaluation;
  EXPECT_EQ((second - first) % Millis(10'000), Millis(0));
}

}  // namespace
}  // namespace tocsin::rules
