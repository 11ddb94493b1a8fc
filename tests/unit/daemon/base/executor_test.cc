#include "daemon/base/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <vector>

#include "tests/support/sim_executor.h"

namespace tocsin {
namespace {

using namespace std::chrono_literals;

TEST(ThreadExecutorTest, TasksRunInTheOrderOfTheirDueTimes) {
  SystemClock clock;
  ThreadExecutors executors(clock);
  const auto lane = executors.NewExecutor("test");
  std::vector<int> order;  // Touched by the lane alone.
  std::promise<void> done;
  const SteadyTime start = clock.SteadyNow() + 20ms;
  lane->RunAt(start + 20ms, [&] {
    order.push_back(3);
    done.set_value();
  });
  lane->RunAt(start, [&] { order.push_back(1); });
  lane->RunAt(start, [&] { order.push_back(2); });
  ASSERT_EQ(done.get_future().wait_for(5s), std::future_status::ready);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(ThreadExecutorTest, ACancelledTaskDoesNotRun) {
  SystemClock clock;
  ThreadExecutors executors(clock);
  const auto lane = executors.NewExecutor("test");
  std::atomic<bool> ran = false;
  const TaskId id = lane->RunAt(clock.SteadyNow() + 1h, [&] { ran = true; });
  EXPECT_TRUE(lane->Cancel(id));
  EXPECT_FALSE(lane->Cancel(id));
  EXPECT_FALSE(ran);
}

TEST(ThreadExecutorTest, TheDestructorDropsWhatHasNotStarted) {
  SystemClock clock;
  ThreadExecutors executors(clock);
  std::atomic<bool> ran = false;
  {
    const auto lane = executors.NewExecutor("test");
    lane->RunAt(clock.SteadyNow() + 1h, [&] { ran = true; });
  }
  EXPECT_FALSE(ran);
}

TEST(ThreadExecutorTest, ATaskMayScheduleTheNext) {
  SystemClock clock;
  ThreadExecutors executors(clock);
  const auto lane = executors.NewExecutor("test");
  std::promise<void> done;
  lane->Post([&] { lane->Post([&] { done.set_value(); }); });
  EXPECT_EQ(done.get_future().wait_for(5s), std::future_status::ready);
}

TEST(SimExecutorTest, VirtualTimeMovesFromTaskToTask) {
  testing::SimClock clock;
  testing::SimExecutors world(clock);
  const auto a = world.NewExecutor("a");
  const auto b = world.NewExecutor("b");
  const SteadyTime start = clock.SteadyNow();
  std::vector<Millis> seen;
  const auto note = [&] { seen.push_back(std::chrono::floor<Millis>(clock.SteadyNow() - start)); };
  a->RunAt(start + 2h, note);
  b->RunAt(start + 1s, note);
  world.RunFor(3h);
  EXPECT_EQ(seen, (std::vector<Millis>{1s, 2h}));
  EXPECT_EQ(clock.SteadyNow() - start, 3h);
}

}  // namespace
}  // namespace tocsin
