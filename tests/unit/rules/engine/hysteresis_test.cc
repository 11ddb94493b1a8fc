// Alerts that end by a condition of their own: the annotation tocsin_resolve_when.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rules/engine/rule_world.h"

namespace tocsin::rules {
namespace {

using ::testing::ElementsAre;
using testing::Group;
using testing::kCpu;
using testing::RuleWorld;

const std::string kHysteresis = Group(R"y(
  - { alert: High, expr: cpu > 80, annotations: { tocsin_resolve_when: cpu < 60, text: '{{ $value }}' } }
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

TEST(HysteresisTest, ItsTextsFollowTheValueWhileItWaits) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kHysteresis);
  world.Set(kCpu, 70);
  world.RunTo("70s");
  const auto& repeat = world.sink().batches.back()[0];
  EXPECT_EQ(world.At(repeat.updated_at), "1m10s");
  EXPECT_EQ(repeat.annotations.Get("text"), "70");
  world.Set(kCpu, 59);
  world.RunTo("80s");
  EXPECT_EQ(world.sink().batches.back()[0].annotations.Get("text"), "59");
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

}  // namespace
}  // namespace tocsin::rules
