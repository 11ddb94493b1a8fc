// What a reload changes and what it leaves as it is.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rules/engine/rule_world.h"

namespace tocsin::rules {
namespace {

using ::testing::ElementsAre;
using testing::Group;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kCpu;
using testing::RuleWorld;

const std::string kHigh = Group("  - { alert: High, expr: cpu > 80 }\n");

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

// Prometheus 3 sets it back to pending, and Alertmanager tells its end by time-out.
TEST(ReloadTest, AFiringAlertGoesOnWhenItsForIsRaised) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(Group("  - { alert: High, expr: cpu > 80, for: 20s }\n"));
  world.RunTo("30s");
  const std::string raised = Group("  - { alert: High, expr: cpu > 80, for: 5m }\n");
  world.Reload(raised);
  world.RunTo("1m");
  EXPECT_THAT(world.Alerts(), ElementsAre("High firing since 0s value 90"));
  world.Restart("5s", raised);
  world.RunTo("2m");
  EXPECT_THAT(world.Alerts(), ElementsAre("High firing since 0s value 90"));
  world.Set(kCpu, 10);
  world.RunTo("130s");
  EXPECT_THAT(world.Timeline(), ElementsAre("20s firing High 90", "2m10s resolved High 10"));
}

TEST(ReloadTest, APendingAlertWaitsForTheNewFor) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(Group("  - { alert: High, expr: cpu > 80, for: 1m }\n"));
  world.RunTo("30s");
  world.Reload(Group("  - { alert: High, expr: cpu > 80, for: 2m }\n"));
  world.RunTo("3m");
  EXPECT_THAT(world.Timeline(), ElementsAre("2m firing High 90"));
}

}  // namespace
}  // namespace tocsin::rules
