#include "collectors/host/process_groups.h"

#include <gtest/gtest.h>

namespace tocsin::collectors::host {
namespace {

ProcessTimes Process(std::int64_t pid, std::int64_t parent, std::uint64_t start_ticks,
                     std::uint64_t cpu_ticks) {
  ProcessTimes process;
  process.pid = pid;
  process.parent = parent;
  process.start_ticks = start_ticks;
  process.cpu_ticks = cpu_ticks;
  process.group = "postgresql";
  return process;
}

double Cpu(ProcessGroups& groups, const std::vector<ProcessTimes>& processes) {
  return groups.Update(processes).at("postgresql").cpu_ticks;
}

TEST(ProcessGroupsTest, StatLineOfAProgramWithSpacesAndBracketsIsRead) {
  std::string stat =
      "812 (a (b) c) S 1 812 812 0 -1 4194560 1 2 3 4 100 20 7 3 20 0 1 0 5555 1000 200\n";
  EXPECT_EQ(ProcessName(stat), "a (b) c");
  auto process = ParseProcessStat(stat);
  ASSERT_TRUE(process.has_value());
  EXPECT_EQ(process->pid, 812);
  EXPECT_EQ(process->parent, 1);
  EXPECT_EQ(process->start_ticks, 5555U);
  EXPECT_EQ(process->cpu_ticks, 130U);
  EXPECT_FALSE(ParseProcessStat("812 (postgres) S 1").has_value());
  EXPECT_FALSE(ParseProcessStat("").has_value());
}

TEST(ProcessGroupsTest, ProgramsBelongToTheirGroups) {
  EXPECT_EQ(GroupOfProgram("postgres"), "postgresql");
  EXPECT_EQ(GroupOfProgram("valkey-server"), "redis");
  EXPECT_EQ(GroupOfProgram("postgres_exporte"), "");
}

TEST(ProcessGroupsTest, CpuOfAnEndedBackendStaysCounted) {
  ProcessGroups groups;
  EXPECT_EQ(Cpu(groups, {Process(10, 1, 5, 100), Process(11, 10, 6, 50)}), 150);
  // The backend used 20 more, ended, and was reaped: the parent now holds its 70.
  EXPECT_EQ(Cpu(groups, {Process(10, 1, 5, 100 + 70)}), 170);
  EXPECT_EQ(Cpu(groups, {Process(10, 1, 5, 180), Process(12, 10, 9, 5)}), 185);
}

TEST(ProcessGroupsTest, BackendThatEndsBetweenTwoReadsDoesNotMakeTheCounterFall) {
  ProcessGroups groups;
  EXPECT_EQ(Cpu(groups, {Process(10, 1, 5, 100), Process(11, 10, 6, 50)}), 150);
  // The parent was read before it reaped the backend, the backend's file was gone.
  EXPECT_EQ(Cpu(groups, {Process(10, 1, 5, 100)}), 150);
  EXPECT_EQ(Cpu(groups, {Process(10, 1, 5, 160)}), 160);
}

TEST(ProcessGroupsTest, RestartedServerIsAddedToWhatTheOldOneUsed) {
  ProcessGroups groups;
  EXPECT_EQ(Cpu(groups, {Process(10, 1, 5, 1000)}), 1000);
  EXPECT_EQ(Cpu(groups, {}), 1000);
  EXPECT_EQ(Cpu(groups, {Process(10, 1, 900, 30)}), 1030);  // Even with the same pid.
}

TEST(ProcessGroupsTest, OrphanedBackendIsNotCountedTwice) {
  ProcessGroups groups;
  EXPECT_EQ(Cpu(groups, {Process(10, 1, 5, 100), Process(11, 10, 6, 50)}), 150);
  EXPECT_EQ(Cpu(groups, {Process(11, 1, 6, 60)}), 150);
  EXPECT_EQ(Cpu(groups, {Process(11, 1, 6, 65)}), 155);
}

TEST(ProcessGroupsTest, SharedMemoryIsCountedOnce) {
  ProcessGroups groups;
  auto a = Process(10, 1, 5, 0);
  a.resident_bytes = 1000;
  a.shared_bytes = 800;
  auto b = Process(11, 10, 6, 0);
  b.resident_bytes = 700;
  b.shared_bytes = 600;
  auto usage = groups.Update({a, b}).at("postgresql");
  EXPECT_EQ(usage.resident_bytes, 200 + 100 + 800);
  EXPECT_EQ(usage.processes, 2);
}

}  // namespace
}  // namespace tocsin::collectors::host
