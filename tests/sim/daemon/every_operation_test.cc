// One life of the whole daemon: it starts and polls, an alert becomes pending, fires and pages, and
// its end is told. The process dies (or the power fails) right before each durable
// operation of that life in turn, whether the store's, the rules' or notify's. Whatever
// the moment, the page and its end arrive and the invariants hold.
//
// A full run has some thousand lives: TOCSIN_SIM_EVERY=1 dies before every operation,
// n before each n-th from one that changes with the fault. TOCSIN_SIM_OPERATION=n lives
// those lives alone that die before the n-th.

#include <gtest/gtest.h>

#include "tests/sim/daemon/sim_seeds.h"
#include "tests/sim/daemon/sim_world.h"

namespace tocsin::testing {
namespace {

using Fault = FaultDisk::Fault;

constexpr std::uint64_t kDefaultEvery = 23;
constexpr Millis kStep = seconds(5);

struct Death {
  const char* name;
  Fault fault;
  UnsyncedBytes unsynced;
};
constexpr Death kDeaths[] = {
    {"the process dies", Fault::kProcessDies, UnsyncedBytes::kLost},
    {"the power fails", Fault::kPowerFails, UnsyncedBytes::kLost},
    {"the power fails and sectors are torn", Fault::kPowerFails, UnsyncedBytes::kTorn},
};

void Live(SimWorld& world, Millis span) {
  for (Millis passed{0}; passed < span; passed += kStep) {
    world.Run(kStep);
    world.CheckStep();
  }
}

// Returns whether the planned death happened.
bool LiveThrough(const Death& death, std::int64_t operation) {
  SimWorld world(/*seed=*/1, {.longest_down_time = seconds(2)});
  world.PlanDeath(death.fault, operation, death.unsynced);
  world.Boot();
  Live(world, seconds(5));
  world.host().SetPool(95);
  Live(world, seconds(25));
  EXPECT_TRUE(world.books().Open("pagerduty", "Pool critical app:80")) << "nobody was paged";
  world.host().AllWell();
  Live(world, seconds(30));
  for (const std::string& receiver : kReceivers) {
    EXPECT_FALSE(world.books().Of(receiver, "Pool critical app:80").empty()) << receiver;
    EXPECT_EQ(world.books().open(receiver), 0u) << receiver;
  }
  return world.deaths() > 0;
}

TEST(EveryOperationTest, ThePageAndItsEndArriveWhereverTheDaemonDies) {
  const auto only = static_cast<std::int64_t>(FromEnvironment("TOCSIN_SIM_OPERATION", 0));
  const auto every = static_cast<std::int64_t>(FromEnvironment("TOCSIN_SIM_EVERY", kDefaultEvery));
  std::int64_t first = 1;
  bool any_died = false;
  for (const Death& death : kDeaths) {
    std::int64_t operation = only ? only : first++;
    bool died = true;
    while (died) {
      SCOPED_TRACE(std::string(death.name) + ": " +
                   Reproduced("TOCSIN_SIM_OPERATION", static_cast<std::uint64_t>(operation)));
      died = LiveThrough(death, operation);
      if (HasFailure()) return;
      any_died |= died;
      if (only) break;
      operation += every;
    }
    EXPECT_TRUE(only || operation > 100) << "a life has fewer operations than it had";
  }
  EXPECT_TRUE(any_died) << "no life has that many operations";
}

}  // namespace
}  // namespace tocsin::testing
