// The whole daemon in virtual time, through random troubles: targets fail and hang,
// thresholds are crossed, people silence, configurations are reloaded, receivers are
// sick, and the process or the power dies in the midst of a durable operation. The
// invariants are checked after each step (sim_world.h). A failing seed is printed;
// TOCSIN_SIM_SEED=N runs that one alone, TOCSIN_SIM_SEEDS=N runs N of them.

#include <gtest/gtest.h>

#include "tests/sim/daemon/sim_seeds.h"
#include "tests/sim/daemon/sim_world.h"

namespace tocsin::testing {
namespace {

using Fault = FaultDisk::Fault;

constexpr std::uint64_t kDefaultSeeds = 6;
constexpr int kSteps = 60;
constexpr Millis kLongestStep = seconds(20);
// Enough for every receiver to be tried again, and every group to be flushed.
constexpr Millis kPeace = minutes(4);

class Trouble {
 public:
  explicit Trouble(std::uint64_t seed) : world_(seed, {.dies_while_starting = true}) {}

  void Run() {
    world_.Boot();
    for (int step = 0; step < kSteps && !::testing::Test::HasFailure(); ++step) {
      Upset();
      world_.Run(Millis(Random(kLongestStep.count())));
      world_.CheckStep();
    }
    if (::testing::Test::HasFailure()) return;
    // The receivers are well again before the host is: each outage has its page.
    world_.AllReceiversWell();
    world_.ExpireSilences();
    Rest();
    host().AllWell();
    Rest();
    world_.CheckAllOver();
  }

 private:
  Host& host() { return world_.host(); }
  std::uint64_t Random(std::uint64_t below) { return world_.Random(below); }
  template <class T>
  T OneOf(const std::vector<T>& list) {
    return list[Random(list.size())];
  }

  // One thing that can happen to a host, its daemon and the people around it.
  void Upset() {
    const std::string target = OneOf(Host::TargetNames());
    const Fault how = OneOf<Fault>({Fault::kProcessDies, Fault::kPowerFails});
    const auto unsynced = OneOf<UnsyncedBytes>({UnsyncedBytes::kLost, UnsyncedBytes::kTorn});
    switch (Random(14)) {
      case 0:
      case 1: host().Set(target, OneOf<Mood>({Mood::kFails, Mood::kHangs})); break;
      case 2:
      case 3: host().Set(target, Mood::kWell); break;
      case 4:
      case 5: host().SetPool(OneOf<int>({50, 75, 85, 95})); break;
      case 6: host().SetQueueStuck(Random(2) == 0); break;
      case 7: world_.SetSick(OneOf(kReceivers), true); break;
      case 8: world_.AllReceiversWell(); break;
      case 9: world_.PlanDeath(how, 1 + static_cast<std::int64_t>(Random(60)), unsynced); break;
      case 10: world_.Die(how, unsynced); break;
      case 11: {
        const std::string alert = OneOf<std::string>({"ProbeDown", "Pool", "Queue"});
        world_.Silence(alert, seconds(20 + Random(100)));
        break;
      }
      case 12: world_.ReloadGood(); break;
      default: world_.ReloadBad(); break;
    }
  }

  void Rest() {
    for (Millis passed{0}; passed < kPeace; passed += minutes(1)) {
      world_.Run(minutes(1));
      world_.CheckStep();
    }
  }

  SimWorld world_;
};

TEST(DaemonSimulation, NoPageAndNoResolveIsLostThroughDeathsAndSickReceivers) {
  ForEachSeed(kDefaultSeeds, [](std::uint64_t seed) { Trouble(seed).Run(); });
}

}  // namespace
}  // namespace tocsin::testing
