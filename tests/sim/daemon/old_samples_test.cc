// After a start the samples of the last life are seen until their target is collected,
// and after a loss of power its last ones are missing. Nobody is paged for them.

#include <gtest/gtest.h>

#include "tests/sim/daemon/sim_world.h"

namespace tocsin::testing {
namespace {

using Fault = FaultDisk::Fault;

const std::string kPool = "Pool critical app:80";

TEST(OldSamplesTest, AnEndThatWentWithThePowerPagesNobody) {
  SimWorld world(/*seed=*/1, {.longest_down_time = seconds(1)});
  world.Boot();
  world.host().SetPool(95);
  world.Run(minutes(3));
  world.host().AllWell();
  world.Run(seconds(25));
  const auto told = world.books().Of("pagerduty", kPool).size();
  ASSERT_EQ(told, 2u);
  world.host().Set("app", Mood::kFails);
  world.Die(Fault::kPowerFails, UnsyncedBytes::kLost);
  world.Run(minutes(2));
  EXPECT_EQ(world.books().Of("pagerduty", kPool).size(), told) << "paged for what had ended";
}

TEST(OldSamplesTest, WhatIsPendingIsHeldWhileItsTargetIsSilentFromTheStart) {
  SimWorld world(/*seed=*/1, {.longest_down_time = seconds(1)});
  world.Boot();
  world.Run(seconds(20));
  world.host().SetPool(95);
  world.Run(seconds(7));
  world.host().Set("app", Mood::kFails);
  world.Die(Fault::kProcessDies, UnsyncedBytes::kLost);
  world.Run(minutes(2));
  EXPECT_TRUE(world.books().Of("pagerduty", kPool).empty()) << "paged on one answer";
}

}  // namespace
}  // namespace tocsin::testing
