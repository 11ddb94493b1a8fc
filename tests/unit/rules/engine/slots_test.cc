// When a group runs by the clock, and what one evaluation hands over.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rules/engine/rule_world.h"

namespace tocsin::rules {
namespace {

using testing::RuleWorld;

constexpr const char* kCpu = R"(cpu{job="pg",instance="db1:5432"})";

std::string Group(const std::string& rules) {
  return "groups:\n- name: g\n  interval: 10s\n  rules:\n" + rules;
}

const std::string kHigh = Group("  - { alert: High, expr: cpu > 80 }\n");

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
