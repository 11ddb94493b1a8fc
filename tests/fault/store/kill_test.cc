// A real process commits to a real file and is killed with SIGKILL at a random
// moment: what it was told to be committed is there.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "daemon/store/store.h"
#include "tests/support/store_model.h"

namespace tocsin::store {
namespace {

constexpr model::TimeRange kAlways{std::numeric_limits<std::int64_t>::min(),
                                   std::numeric_limits<std::int64_t>::max()};

const model::Labels kSeries[] = {{{"__name__", "a"}, {"job", "kill"}},
                                 {{"__name__", "b"}, {"job", "kill"}}};

struct World {
  explicit World(const std::string& folder) {
    config.path = folder;
    auto opened = Store::Open(config, clock, executors, files, metrics);
    if (opened.ok()) store = std::move(opened).value();
  }
  SystemClock clock;
  ThreadExecutors executors{clock};
  PosixFileSystem files;
  MetricRegistry metrics;
  StoreConfig config;
  std::unique_ptr<Store> store;
};

// Commits numbers from `first` on, telling each through the pipe once it is in.
[[noreturn]] void CommitUntilKilled(const std::string& folder, std::int64_t first, int told) {
  World world(folder);
  if (world.store == nullptr) ::_exit(3);
  for (std::int64_t number = first;; ++number) {
    std::vector<model::SeriesRef> refs;
    for (const model::Labels& labels : kSeries) {
      const auto ref = world.store->Resolve(labels);
      if (!ref.ok()) ::_exit(4);
      refs.push_back(*ref);
    }
    std::vector<model::SeriesSample> samples;
    for (const model::SeriesRef& ref : refs) {
      samples.push_back({&ref, number, static_cast<double>(number) / 3});
    }
    const auto outcome = world.store->Commit({}, samples);
    if (!outcome.ok() || outcome->stored != 2) ::_exit(5);
    if (number % 500 == 0 && !world.store->Flush().ok()) ::_exit(6);
    if (::write(told, &number, sizeof(number)) != sizeof(number)) ::_exit(7);
  }
}

std::int64_t LastTold(int told) {
  std::int64_t number = 0;
  std::int64_t last = 0;
  while (::read(told, &number, sizeof(number)) == sizeof(number)) last = number;
  return last;
}

TEST(StoreKillTest, KilledProcessLosesNothingItWasToldIsCommitted) {
  std::string pattern = ::testing::TempDir() + "kill_test.XXXXXX";
  const std::string folder = ::mkdtemp(pattern.data());
  std::mt19937_64 random(7);
  std::int64_t next = 1;
  for (int round = 0; round < 12; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      CommitUntilKilled(folder, next, ends[1]);
    }
    ::close(ends[1]);
    // Wait for its first commit, then let it run for a moment of random length.
    std::int64_t first = 0;
    ASSERT_EQ(::read(ends[0], &first, sizeof(first)), static_cast<ssize_t>(sizeof(first)))
        << "the child did not commit anything";
    std::thread killer([child, wait = std::chrono::microseconds(random() % 150'000)] {
      std::this_thread::sleep_for(wait);
      ::kill(child, SIGKILL);
    });
    const std::int64_t told = std::max(first, LastTold(ends[0]));
    killer.join();
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);

    World world(folder);
    ASSERT_NE(world.store, nullptr);
    EXPECT_EQ(world.store->Stats().corruptions, 0);
    const auto read = testing::ReadAll(*world.store, {}, kAlways);
    ASSERT_EQ(read.size(), 2U);
    for (const auto& [labels, samples] : read) {
      const auto count = static_cast<std::int64_t>(samples.size());
      EXPECT_GE(count, told) << labels << " in round " << round;
      EXPECT_LE(count, told + 1) << labels << " in round " << round;
      EXPECT_EQ(samples.rbegin()->first, count) << "no number is missing in between";
      next = count + 1;
    }
    if (HasFailure()) break;
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tocsin::store
