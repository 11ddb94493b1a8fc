// A page's whole life, and the process dies (or the power fails) right before
// each durable operation of it in turn. The sender repeats what was not accepted,
// as the rules do; whatever the moment, the promises hold.

#include <functional>

#include "tests/support/fault_disk.h"
#include "tests/support/fault_vfs.h"
#include "tests/unit/daemon/notify/promises.h"

namespace tocsin::notify {
namespace {

using Fault = testing::FaultDisk::Fault;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::UnsyncedBytes;

const model::Labels kCritical = {{"alertname", "Pool"}, {"severity", "critical"}};
const model::Labels kWarning = {{"alertname", "Pool"}, {"severity", "warning"}};
const model::Labels kOther = {{"alertname", "Cache"}, {"severity", "warning"}};

std::string Yaml() {
  return AllReceivers("",
                      "inhibit_rules: [{source_matchers: [severity=\"critical\"],"
                      " target_matchers: [severity=\"warning\"], equal: ['...']}]\n");
}

class Life {
 public:
  Life() : vfs_(disk_), world_(Config(Yaml()), 1, vfs_.name()) {}

  World& world() { return world_; }
  testing::FaultDisk& disk() { return disk_; }
  bool died() const { return died_; }

  // Runs until the disk dies, which ends the process; then it is started again.
  void Run(Millis span) {
    const SteadyTime until = world_.clock.SteadyNow() + span;
    while (world_.executors.RunNext(until)) {
      if (disk_.dead()) Reboot();
    }
  }
  // Until it is accepted.
  void Send(const std::function<std::vector<model::Alert>()>& batch) {
    for (int i = 0; i < 20; ++i) {
      if (world_.notifier->Accept(batch()).ok()) return;
      if (disk_.dead()) Reboot();
      Run(seconds(1));
    }
    FAIL() << "never accepted";
  }
  void Reboot() {
    died_ = true;
    world_.Crash();
    disk_.Start();
    world_.Restart();
  }

 private:
  testing::FaultDisk disk_;
  testing::FaultVfs vfs_;
  World world_;
  bool died_ = false;
};

// Returns whether the planned death happened.
bool LiveThrough(Fault fault, std::int64_t operation, UnsyncedBytes unsynced) {
  Life life;
  World& world = life.world();
  life.disk().Plan(fault, operation, unsynced);
  life.Send([&] {
    return std::vector{world.Firing(kCritical), world.Firing(kWarning), world.Firing(kOther)};
  });
  life.Run(seconds(75));
  life.Send([&] { return std::vector{world.Resolved(kCritical)}; });
  life.Run(seconds(75));
  Promises(world).ExpectEnd(world, {kWarning, kOther}, {});
  life.Send([&] { return std::vector{world.Resolved(kWarning), world.Resolved(kOther)}; });
  life.Run(minutes(3));
  const Promises promises(world);
  promises.ExpectOrder();
  promises.ExpectEnd(world, {}, {});
  EXPECT_EQ(promises.told(), 3u);
  return life.died();
}

TEST(CrashTest, NoPageAndNoResolveIsLostWhereverTheProcessDies) {
  std::int64_t operation = 1;
  while (LiveThrough(Fault::kProcessDies, operation, UnsyncedBytes::kLost)) {
    ASSERT_FALSE(::testing::Test::HasFailure()) << "at operation " << operation;
    ++operation;
  }
  EXPECT_GT(operation, 30);
}

TEST(CrashTest, NorWhereverThePowerFails) {
  for (const UnsyncedBytes unsynced : {UnsyncedBytes::kLost, UnsyncedBytes::kTorn}) {
    std::int64_t operation = 1;
    while (LiveThrough(Fault::kPowerFails, operation, unsynced)) {
      ASSERT_FALSE(::testing::Test::HasFailure()) << "at operation " << operation;
      ++operation;
    }
    EXPECT_GT(operation, 30);
  }
}

TEST(CrashTest, AFullDiskRefusesAlertsAndTakesThemAgainWhenThereIsRoom) {
  Life life;
  World& world = life.world();
  life.disk().Plan(Fault::kFullFrom, 1);
  EXPECT_FALSE(world.notifier->Accept({world.Firing(kOther)}).ok());
  EXPECT_TRUE(world.notifier->Alerts().empty());
  life.Run(minutes(1));
  life.disk().EndFault();
  life.Send([&] { return std::vector{world.Firing(kOther)}; });
  life.Run(minutes(1));
  Promises(world).ExpectEnd(world, {kOther}, {});
}

TEST(CrashTest, WhatCannotBeSettledIsNotSentAgainAndSettledWhenTheDiskIsBack) {
  Life life;
  World& world = life.world();
  world.http->Answer("http://webhook.test", {ScriptedAnswer::Status(200).After(seconds(20))});
  life.Send([&] { return std::vector{world.Firing(kOther)}; });
  life.Run(seconds(15));
  life.disk().Plan(Fault::kFullFrom, 1);
  life.Run(minutes(5));
  life.disk().EndFault();
  life.Run(minutes(5));
  EXPECT_EQ(world.Lines("webhook").size(), 1u);
  EXPECT_TRUE(world.notifier->Outbox().empty());
}

}  // namespace
}  // namespace tocsin::notify
