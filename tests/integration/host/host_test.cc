// The machine the test runs on, as it is.

#include "collectors/host/host.h"

#include <gtest/gtest.h>
#include <time.h>

#include <chrono>

#include "tests/support/batch_reader.h"

namespace tocsin::collectors::host {
namespace {

using ::tocsin::testing::Duplicates;
using ::tocsin::testing::Series;
using ::tocsin::testing::Value;

class RealHostTest : public ::testing::Test {
 protected:
  RealHostTest() {
    ConfigErrors errors;
    ConfigReader reader(ConfigNode(), errors);
    collector_ = std::get<std::unique_ptr<Collector>>(
        ParseHostTarget(reader, files_).make({clock_, files_}));
  }

  void Collect() {
    batch_.Clear();
    auto collected = collector_->Collect(
        {clock_, clock_.WallNow(), clock_.SteadyNow() + std::chrono::seconds(5), {}}, batch_);
    ASSERT_TRUE(collected.ok()) << collected.error().message;
  }

  // Seconds of all CPUs in all modes but idle, iowait and steal.
  double BusySeconds() {
    double busy = 0;
    for (const auto& [series, value] : Series(batch_)) {
      if (!series.starts_with("node_cpu_seconds_total{")) continue;
      bool idle = series.find("\"idle\"") != std::string::npos ||
                  series.find("\"iowait\"") != std::string::npos ||
                  series.find("\"steal\"") != std::string::npos;
      if (!idle) busy += value;
    }
    return busy;
  }

  SystemClock clock_;
  PosixFileSystem files_;
  std::unique_ptr<Collector> collector_;
  model::MetricBatch batch_;
};

TEST_F(RealHostTest, EverySubjectOfThisHostIsRead) {
  Collect();
  EXPECT_EQ(Duplicates(batch_), std::set<std::string>());
  for (const char* subject :
       {"cpu", "stat", "meminfo", "loadavg", "diskstats", "filesystem", "netdev", "netclass",
        "vmstat", "filefd", "time", "uname", "processes"}) {
    EXPECT_EQ(
        Value(batch_, "node_scrape_collector_success{collector=\"" + std::string(subject) + "\"}"),
        1)
        << subject;
  }
  EXPECT_GT(Value(batch_, "node_memory_MemTotal_bytes").value_or(0), 0);
  EXPECT_GT(Value(batch_, "node_boot_time_seconds").value_or(0), 1e9);
}

TEST_F(RealHostTest, CpuThatIsBurntShowsAsBusy) {
  Collect();
  double before = BusySeconds();
  timespec used{};
  do {  // Half a second of this thread's own CPU time, however crowded the machine is.
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  } while (static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9 < 0.5);
  Collect();
  EXPECT_GE(BusySeconds() - before, 0.4);
}

}  // namespace
}  // namespace tocsin::collectors::host
