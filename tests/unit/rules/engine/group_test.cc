// Rule groups: their labels, slots and offset; one evaluation hands over one batch.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rules/engine/rule_world.h"

namespace tocsin::rules {
namespace {

using ::testing::ElementsAre;
using testing::Group;
using testing::kCpu;
using testing::RuleWorld;

constexpr const char* kSlow = R"(slow{job="pg",instance="db1:5432"})";

const std::string kHigh = Group("  - { alert: High, expr: cpu > 80 }\n");

TEST(GroupTest, AllTransitionsOfAnEvaluationAreOneBatch) {
  RuleWorld world;
  world.Set(kCpu, 95);
  world.Begin(Group(R"y(
  - { alert: High, expr: cpu > 80, labels: { severity: warning } }
  - { alert: High, expr: cpu > 90, labels: { severity: critical } }
)y"));
  ASSERT_EQ(world.sink().batches.size(), 1u);
  EXPECT_EQ(world.sink().batches[0].size(), 2u);
}

// -- Labels --

TEST(GroupTest, ItsLabelsAreEachRulesUnlessTheRuleHasItsOwn) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(Group(R"y(
  - { record: "job:cpu", expr: sum by (job) (cpu), labels: { severity: none } }
  - { alert: High, expr: cpu > 80 }
  - { alert: Worse, expr: cpu > 85, labels: { severity: critical } }
)y",
                    "  labels: { team: 'of {{ $labels.job }}', severity: warning }\n"));
  EXPECT_THAT(world.Timeline(),
              ElementsAre(R"(0s firing High{severity="warning", team="of pg"} 90)",
                          R"(0s firing Worse{severity="critical", team="of pg"} 90)"));
  EXPECT_EQ(world.Latest(R"(ALERTS{alertname="High",severity="warning",team="of pg"})"), "1");
  EXPECT_EQ(world.Latest(R"(ALERTS{alertname="Worse",severity="critical",team="of pg"})"), "1");
  // A recording rule's labels are no templates.
  EXPECT_EQ(world.Latest(R"({__name__="job:cpu",severity="none",team="of {{ $labels.job }}"})"),
            "90");
}

// -- Slots --

TEST(GroupTest, ItKeepsItsSlotsOverARestart) {
  RuleWorld world;
  world.Start(kHigh);
  world.Run("25s");
  const auto first = *world.engine().Groups()[0].last_evaluation;
  world.Restart("7s", kHigh);
  world.Run("25s");
  const auto second = *world.engine().Groups()[0].last_evaluation;
  EXPECT_EQ((second - first) % Millis(10'000), Millis(0));
}

TEST(GroupTest, GroupsOfOneIntervalDoNotRunAllAtOnce) {
  RuleWorld world;
  world.Start(kHigh + "- { name: other, interval: 10s, rules: [] }\n");
  world.Run("25s");
  const auto groups = world.engine().Groups();
  EXPECT_NE((*groups[0].last_evaluation - *groups[1].last_evaluation) % Millis(10'000), Millis(0));
}

TEST(GroupTest, SlotsThatPassWhileItEvaluatesAreLeftOutAndCounted) {
  RuleWorld world;
  world.Set(kSlow, 1);
  world.Begin(Group("  - { alert: Slow, expr: slow == 1 }\n"));
  const auto missed = [&world] {
    return world.metrics()
        .Counter("tocsin_rule_group_iterations_missed_total",
                 "Slots that passed while an evaluation ran.", {{"rule_group", "rules.yaml;g"}})
        .Value();
  };
  EXPECT_EQ(missed(), 0);
  world.querier().read_takes = std::chrono::seconds(25);
  world.RunTo("10s");
  world.querier().read_takes = Millis(0);
  world.RunTo("60s");
  // Begun at 10 s and over at 35 s: 20 s and 30 s have passed.
  EXPECT_EQ(missed(), 2);
  EXPECT_EQ(world.At(*world.engine().Groups()[0].last_evaluation), "1m");
}

// -- query_offset --

TEST(GroupTest, QueryOffsetLooksAndWritesInThePast) {
  RuleWorld world;
  world.Set(kCpu, 10);
  world.Run("1m");
  world.Begin(Group("  - { record: r, expr: cpu }\n", "  query_offset: 30s\n"));
  world.Set(kCpu, 90);
  world.RunTo("20s");
  EXPECT_EQ(world.Latest("r"), "10");
  const auto written = [&world] {
    return world.At(
        FromUnixMillis(std::llround(*ParseDouble(world.Latest("timestamp(r)")) * 1000)));
  };
  EXPECT_EQ(written(), "-10s");
  world.RunTo("50s");
  EXPECT_EQ(world.Latest("r"), "90");
  EXPECT_EQ(written(), "20s");
}

}  // namespace
}  // namespace tocsin::rules
