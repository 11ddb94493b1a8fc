// Evaluation when data arrives, between the slots.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rules/engine/rule_world.h"

namespace tocsin::rules {
namespace {

using testing::Group;
using testing::kCpu;
using testing::RuleWorld;

const std::string kHighSeldom = Group("  - { alert: High, expr: cpu > 80 }\n", "", "10m");

double Iterations(RuleWorld& world, const std::string& group = "g") {
  return world.metrics()
      .Counter("tocsin_rule_group_iterations_total",
               "Evaluations of the group, at slots and on arrival.",
               {{"rule_group", "rules.yaml;" + group}})
      .Value();
}

TEST(OnArrivalTest, ACommitIsEvaluatedAtOnceAtItsOwnTime) {
  RuleWorld world;
  world.options().evaluation = EvaluationMode::kArrival;
  world.Start(kHighSeldom);
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
  world.Start(kHighSeldom);
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
  world.Start(kHighSeldom);
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
  world.Start(Group("  - { alert: High, expr: 'cpu{job=\"pg\"} > 80' }\n", "", "10m"));
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
                    "", "4m"));
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
  world.Start(kHighSeldom);
  world.Run("6s");
  world.Set(kCpu, 90);
  world.Run("0s");
  const int commits = world.store().rule_commits();
  EXPECT_EQ(commits, 1);
  world.Run("30s");
  EXPECT_GT(Iterations(world), 3);
  EXPECT_EQ(world.store().rule_commits(), commits);
}

// Else a chain of groups would run in circles within one interval.
TEST(OnArrivalTest, WhatRulesWriteEvaluatesNoOtherGroup) {
  RuleWorld world;
  world.options().evaluation = EvaluationMode::kArrival;
  world.Start(Group(R"y(
  - { record: "job:cpu", expr: "sum by (job) (cpu)" }
  - { alert: High, expr: cpu > 80 }
)y",
                    "", "1m") +
              R"y(
- name: reader
  interval: 10m
  rules:
  - { alert: Any, expr: 'count(ALERTS) > 0' }
  - { alert: Recorded, expr: 'job:cpu > 80' }
)y");
  world.Run("6s");
  world.Set(kCpu, 90);
  world.Run("0s");
  EXPECT_EQ(world.Latest("ALERTS{alertstate=\"firing\"}"), "1");
  world.Run("2m");
  EXPECT_EQ(world.Latest("job:cpu"), "90");
  EXPECT_GT(Iterations(world), 3);
  EXPECT_LE(Iterations(world, "reader"), 1);  // Its slot, perhaps.
  world.Run("20m");
  EXPECT_LE(Iterations(world, "reader"), 3);
  EXPECT_EQ(world.Latest("ALERTS{alertname=\"Recorded\"}"), "1");
}

TEST(OnArrivalTest, TimesIncreaseWhenAnArrivalFallsIntoASlotsMillisecond) {
  RuleWorld world;
  world.options().evaluation = EvaluationMode::kArrival;
  world.BeginWithoutPolls(Group("  - { alert: High, expr: cpu > 80 }\n"));
  const auto evaluated_at = [&world] {
    return world.At(*world.engine().Groups()[0].last_evaluation);
  };
  ASSERT_EQ(world.At(world.clock().WallNow()), "0s");
  world.Set(kCpu, 90);
  world.Run("0s");
  EXPECT_EQ(evaluated_at(), "1ms");
  // A clock that is set forward a little: the arrival is first.
  world.Run("9990ms");
  world.clock().JumpWall(Millis(10));
  ASSERT_EQ(world.At(world.clock().WallNow()), "10s");
  world.Set(kCpu, 91);
  world.Run("0s");
  EXPECT_EQ(evaluated_at(), "10s");
  world.Run("10ms");
  EXPECT_EQ(evaluated_at(), "10s1ms");
  EXPECT_EQ(Iterations(world), 4);
}

}  // namespace
}  // namespace tocsin::rules
