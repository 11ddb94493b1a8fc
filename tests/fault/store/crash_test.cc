// The store's promise across crashes, checked at every durable operation of a
// run: the process dies, or the power fails, right before it; then the store is
// opened again and what it holds is compared with what was committed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/store/store.h"
#include "tests/support/fault_disk.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_executor.h"
#include "tests/support/store_model.h"

namespace tocsin::store {
namespace {

using Fault = testing::FaultDisk::Fault;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::UnsyncedBytes;

constexpr model::TimeRange kAlways{std::numeric_limits<std::int64_t>::min(),
                                   std::numeric_limits<std::int64_t>::max()};
constexpr int kSteps = 32;
constexpr Millis kStepTime{seconds(9)};
constexpr Millis kMostThatPowerLossCosts{minutes(1)};

// A machine: a disk, a clock, and the store of the process that runs now.
class Machine {
 public:
  explicit Machine(std::uint64_t seed) : disk_(seed), vfs_(disk_), files_(disk_, clock_) {
    config_.path = "/var/lib/tocsin";
    config_.memory_window = minutes(2);
  }

  Result<> Boot() {
    executors_.Crash();
    store_.reset();
    disk_.Start();
    metrics_ = std::make_unique<MetricRegistry>();
    auto opened = Store::Open(config_, clock_, executors_, files_, *metrics_, vfs_.name());
    if (!opened.ok()) return opened.error();
    store_ = std::move(opened).value();
    return {};
  }

  // One commit: 30 samples of each of three series, two of which end at some time.
  struct Step {
    bool committed = false;
    SteadyTime at;
    std::vector<std::pair<model::Labels, model::Sample>> samples;
  };
  Step CommitStep(int number) {
    Step step;
    std::vector<model::SeriesRef> refs;
    for (int i = 0; i < 3; ++i) {
      if (number > 8 * (i + 1) && i < 2) continue;
      const auto ref =
          store_->Resolve({{"__name__", "m"}, {"i", std::to_string(i)}, {"job", "fault"}});
      if (ref.ok()) refs.push_back(*ref);
    }
    std::vector<model::SeriesSample> samples;
    for (const model::SeriesRef& ref : refs) {
      for (int k = 0; k < 30; ++k) {
        const std::int64_t time_ms = number * 1000 + k;
        const double value = k % 7 == 0 ? number / 3.0 : number * 30 + k;
        samples.push_back({&ref, time_ms, value});
        step.samples.push_back({ref.labels, {time_ms, value}});
      }
    }
    step.at = clock_.SteadyNow();
    step.committed = store_->Commit({}, samples).ok();
    return step;
  }

  // Steps until the disk dies, or all of them.
  std::vector<Step> Run(int steps = kSteps) {
    std::vector<Step> done;
    for (int number = 0; number < steps && !disk_.dead(); ++number) {
      done.push_back(CommitStep(number));
      if (!disk_.dead()) executors_.RunFor(kStepTime);
    }
    return done;
  }

  testing::SimClock clock_;
  testing::SimExecutors executors_{clock_};
  testing::FaultDisk disk_;
  testing::FaultVfs vfs_;
  testing::FaultFileSystem files_;
  StoreConfig config_;
  std::unique_ptr<MetricRegistry> metrics_;
  std::unique_ptr<Store> store_;
};

std::map<std::string, testing::StoreModel::Samples> Expected(
    const std::vector<Machine::Step>& steps, std::size_t count) {
  testing::StoreModel model;
  for (std::size_t i = 0; i < count; ++i) {
    for (const auto& [labels, sample] : steps[i].samples) {
      model.Append(labels, sample.time_ms, sample.value);
    }
  }
  return model.Read({}, kAlways);
}

// The number of whole steps that are there; -1 if it is not a whole number of them.
int StepsFound(const std::vector<Machine::Step>& steps, const Store& store) {
  const auto actual = testing::ReadAll(store, {}, kAlways);
  for (std::size_t count = steps.size() + 1; count-- > 0;) {
    if (Expected(steps, count) == actual) return static_cast<int>(count);
  }
  return -1;
}

int AcknowledgedSteps(const std::vector<Machine::Step>& steps) {
  int count = 0;
  while (count < static_cast<int>(steps.size()) && steps[static_cast<std::size_t>(count)].committed)
    ++count;
  return count;
}

std::int64_t OperationsOfAWholeRun() {
  Machine machine(1);
  EXPECT_TRUE(machine.Boot().ok());
  machine.disk_.Plan(Fault::kNone, 0);
  machine.Run();
  return machine.disk_.operations();
}

TEST(StoreCrashTest, ProcessDeathAtAnyOperationLosesNothingCommitted) {
  const std::int64_t operations = OperationsOfAWholeRun();
  ASSERT_GT(operations, 100);
  for (std::int64_t at = 1; at <= operations; ++at) {
    Machine machine(1);
    ASSERT_TRUE(machine.Boot().ok());
    machine.disk_.Plan(Fault::kProcessDies, at);
    const auto steps = machine.Run();
    ASSERT_TRUE(machine.Boot().ok()) << "at operation " << at;
    EXPECT_GE(StepsFound(steps, *machine.store_), AcknowledgedSteps(steps))
        << "process died at operation " << at << " of " << operations;
    EXPECT_EQ(machine.store_->Stats().corruptions, 0) << "at operation " << at;
    // And the run goes on.
    ASSERT_TRUE(machine.CommitStep(kSteps + 1).committed) << "at operation " << at;
    if (HasFailure()) return;
  }
}

void PowerFailsAtEveryOperation(UnsyncedBytes unsynced) {
  const std::int64_t operations = OperationsOfAWholeRun();
  for (std::int64_t at = 1; at <= operations; ++at) {
    Machine machine(static_cast<std::uint64_t>(at));
    ASSERT_TRUE(machine.Boot().ok());
    machine.disk_.Plan(Fault::kPowerFails, at, unsynced);
    const auto steps = machine.Run();
    const SteadyTime died_at = machine.clock_.SteadyNow();
    const auto booted = machine.Boot();
    ASSERT_TRUE(booted.ok()) << "at operation " << at << ": " << booted.error().message;
    int safe = 0;
    for (const auto& step : steps) {
      if (step.committed && step.at + kMostThatPowerLossCosts < died_at) ++safe;
    }
    const int found = StepsFound(steps, *machine.store_);
    EXPECT_GE(found, safe) << "power failed at operation " << at << " of " << operations << "; "
                           << steps.size() << " steps were made, -1 is a hole";
    EXPECT_EQ(machine.store_->Stats().corruptions, 0) << "at operation " << at;
    ASSERT_TRUE(machine.CommitStep(kSteps + 1).committed) << "at operation " << at;
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(StoreCrashTest, PowerLossCostsAtMostTheLastMinuteAndNeverTheMiddle) {
  PowerFailsAtEveryOperation(UnsyncedBytes::kLost);
}

TEST(StoreCrashTest, TornWritesCostNoMoreThanLostOnes) {
  PowerFailsAtEveryOperation(UnsyncedBytes::kTorn);
}

TEST(StoreCrashTest, FlushedSamplesSurvivePowerLossAtOnce) {
  Machine machine(1);
  ASSERT_TRUE(machine.Boot().ok());
  const auto steps = machine.Run(5);
  const auto last = machine.CommitStep(5);
  ASSERT_TRUE(machine.store_->Flush().ok());
  machine.disk_.Die(Fault::kPowerFails);
  ASSERT_TRUE(machine.Boot().ok());
  auto all = steps;
  all.push_back(last);
  EXPECT_EQ(StepsFound(all, *machine.store_), 6);
}

// The disk refuses for a while; nothing may be missing once it works again.
void NothingIsLostWhenTheDiskRecoversFrom(Fault fault) {
  const std::int64_t operations = OperationsOfAWholeRun();
  for (std::int64_t at = 1; at <= operations; at += 3) {
    Machine machine(1);
    ASSERT_TRUE(machine.Boot().ok());
    machine.disk_.Plan(fault, at);
    auto steps = machine.Run();
    machine.disk_.EndFault();
    machine.executors_.RunFor(minutes(2));
    EXPECT_FALSE(machine.store_->Stats().disk_failing) << "at operation " << at;
    EXPECT_EQ(StepsFound(steps, *machine.store_), kSteps) << "in memory, at operation " << at;
    machine.disk_.Die(Fault::kPowerFails);
    ASSERT_TRUE(machine.Boot().ok());
    EXPECT_EQ(StepsFound(steps, *machine.store_), kSteps) << "on disk, at operation " << at;
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(StoreCrashTest, OneIoErrorAnywhereLosesNothing) {
  NothingIsLostWhenTheDiskRecoversFrom(Fault::kIoErrorOnce);
}

TEST(StoreCrashTest, FullDiskKeepsSamplesInMemoryUntilThereIsRoom) {
  NothingIsLostWhenTheDiskRecoversFrom(Fault::kFullFrom);
}

TEST(StoreCrashTest, DeadDiskIsVisibleAndCommitsSaySo) {
  Machine machine(1);
  ASSERT_TRUE(machine.Boot().ok());
  ASSERT_TRUE(machine.CommitStep(0).committed);
  machine.disk_.Plan(Fault::kIoErrorFrom, 1);
  EXPECT_FALSE(machine.CommitStep(1).committed);
  EXPECT_TRUE(machine.store_->Stats().disk_failing);
  EXPECT_EQ(machine.store_->Stats().samples, 180) << "stored in memory all the same";
  machine.disk_.EndFault();
  machine.executors_.RunFor(seconds(15));
  EXPECT_FALSE(machine.store_->Stats().disk_failing);
  EXPECT_TRUE(machine.CommitStep(2).committed);
}

}  // namespace
}  // namespace tocsin::store
