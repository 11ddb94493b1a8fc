// Commits, queries and the lane at once, on real threads. The thread sanitizer
// preset makes the most of it.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daemon/store/store.h"
#include "tests/support/store_model.h"

namespace tocsin::store {
namespace {

constexpr model::TimeRange kAlways{std::numeric_limits<std::int64_t>::min(),
                                   std::numeric_limits<std::int64_t>::max()};
constexpr int kWriters = 3;
constexpr int kCommits = 300;

// A real clock whose wall runs fast, so that chunks age, leave memory and come back.
class FastClock : public Clock {
 public:
  WallTime WallNow() const override {
    return std::chrono::time_point_cast<Millis>(
        std::chrono::system_clock::time_point(Elapsed() * 4000));
  }
  SteadyTime SteadyNow() const override { return SteadyTime() + Elapsed() * 400; }

 private:
  std::chrono::nanoseconds Elapsed() const { return std::chrono::steady_clock::now() - start_; }
  const SteadyTime start_ = std::chrono::steady_clock::now();
};

// Lanes of real threads on the fast clock.
class FastExecutors : public ExecutorFactory {
 public:
  std::unique_ptr<Executor> NewExecutor(const std::string& name) override {
    return real_.NewExecutor(name);
  }

 private:
  SystemClock clock_;
  ThreadExecutors real_{clock_};
};

TEST(StoreThreadsTest, QueriesSeeWholeCommitsWhileWritersAndTheLaneWork) {
  std::string pattern = ::testing::TempDir() + "threads_test.XXXXXX";
  const std::string folder = ::mkdtemp(pattern.data());
  FastClock clock;
  FastExecutors executors;
  PosixFileSystem files;
  MetricRegistry metrics;
  StoreConfig config;
  config.path = folder;
  config.memory_window = std::chrono::minutes(10);
  auto opened = Store::Open(config, clock, executors, files, metrics);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  std::unique_ptr<Store> store = std::move(opened).value();

  std::atomic<int> writing{kWriters};
  const auto write_all = [&](int writer) {
    for (int commit = 0; commit < kCommits; ++commit) {
      std::vector<model::SeriesRef> refs;
      for (const char* part : {"a", "b", "c"}) {
        auto ref =
            store->Resolve({{"__name__", "m"}, {"writer", std::to_string(writer)}, {"part", part}});
        ASSERT_TRUE(ref.ok());
        refs.push_back(*std::move(ref));
      }
      std::vector<model::SeriesSample> samples;
      // The last one changes seldom, so that it has runs.
      for (std::size_t i = 0; i < refs.size(); ++i) {
        samples.push_back({&refs[i], commit, i < 2 ? commit * 0.5 : commit / 70});
      }
      const auto outcome = store->Commit({}, samples);
      ASSERT_TRUE(outcome.ok()) << outcome.error().message;
      ASSERT_EQ(outcome->stored, 3);
      if (commit % 50 == 49) {
        ASSERT_TRUE(store->Flush().ok());
      }
    }
  };
  const auto write = [&](int writer) {
    write_all(writer);  // May end early by an assertion.
    --writing;
  };
  const auto query = [&] {
    while (writing > 0) {
      const auto all = tocsin::testing::ReadAll(*store, {}, kAlways);
      std::map<std::string, std::size_t> sizes;  // By writer.
      for (const auto& [text, samples] : all) {
        const std::string writer = text.substr(text.find("writer="));
        const auto [first, fresh] = sizes.emplace(writer, samples.size());
        EXPECT_EQ(first->second, samples.size()) << "a commit shows whole or not at all";
        EXPECT_EQ(samples.rbegin()->first + 1, static_cast<std::int64_t>(samples.size()));
      }
      (void)store->Stats();
      ASSERT_TRUE(store->LabelValues("part", {}, kAlways).ok());
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kWriters; ++i) threads.emplace_back(write, i);
  threads.emplace_back(query);
  threads.emplace_back(query);
  for (std::thread& thread : threads) thread.join();

  const auto all = tocsin::testing::ReadAll(*store, {}, kAlways);
  ASSERT_EQ(all.size(), 3U * kWriters);
  for (const auto& [labels, samples] : all) EXPECT_EQ(samples.size(), std::size_t{kCommits});
  store.reset();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tocsin::store
