// Groups whose queries run into their limit: nobody's firing alert ends for it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rules/engine/rule_world.h"

namespace tocsin::rules {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kCpu;
using testing::RuleWorld;

constexpr const char* kMemory = R"(memory{job="pg",instance="db1:5432"})";
constexpr const char* kSlow = R"(slow{job="pg",instance="db1:5432"})";

// Four groups with an alert each and four that also read "slow" twelve times: each
// lane has some of either.
std::string ManyGroups() {
  std::string text = "groups:\n";
  for (int i = 0; i < 4; ++i) {
    const std::string n = std::to_string(i);
    text += "- name: quick" + n + "\n  interval: 15s\n  rules:\n";
    text += "  - { alert: Quick" + n + ", expr: cpu > 80 }\n";
    text += "- name: slow" + n + "\n  interval: 15s\n  rules:\n";
    text += "  - { alert: Early" + n + ", expr: cpu > 80 }\n";
    for (int rule = 0; rule < 12; ++rule) {
      text += "  - { record: out" + std::to_string(rule) + ", expr: slow }\n";
    }
    text += "  - { alert: Late" + n + ", expr: cpu > 80 }\n";
  }
  return text;
}

// Watches what notify is told: which alerts fire there, until when, and which of
// them ended because nobody spoke of them any more.
class Listener {
 public:
  explicit Listener(RuleWorld& world) : world_(world) {
    world.sink().on_batch = [this](const std::vector<model::Alert>& batch) { Hear(batch); };
  }

  std::vector<std::string> lapsed() {
    FindLapsed();
    return lapsed_;
  }
  std::vector<std::string> firing() const {
    std::vector<std::string> names;
    for (const auto& [name, until] : until_) names.push_back(name);
    return names;
  }
  std::vector<std::string> resolved;

 private:
  void Hear(const std::vector<model::Alert>& batch) {
    FindLapsed();
    for (const auto& alert : batch) {
      const std::string name(alert.labels.Get("alertname"));
      if (alert.ResolvedAt(world_.clock().WallNow())) {
        until_.erase(name);
        resolved.push_back(name);
      } else {
        until_[name] = alert.ends_at;
      }
    }
  }
  void FindLapsed() {
    for (const auto& [name, until] : until_) {
      if (until <= world_.clock().WallNow()) lapsed_.push_back(name);
    }
  }

  RuleWorld& world_;
  std::map<std::string, WallTime> until_;
  std::vector<std::string> lapsed_;
};

TEST(SlowGroupTest, NoFiringAlertEndsWhileQueriesRunIntoTheirLimit) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Set(kSlow, 1);
  Listener notify(world);
  world.Begin(ManyGroups());
  world.Run("1m");
  EXPECT_EQ(notify.firing().size(), 12u);
  world.querier().read_takes = std::chrono::seconds(30);
  world.Run("1h");
  EXPECT_THAT(notify.lapsed(), IsEmpty());
  EXPECT_THAT(notify.resolved, IsEmpty());
}

TEST(SlowGroupTest, AnAlertThatResolvedIsNotRepeated) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Set(kSlow, 1);
  Listener notify(world);
  world.Begin(ManyGroups());
  world.Run("1m");
  world.querier().read_takes = std::chrono::seconds(30);
  world.Run("20m");
  world.Set(kCpu, 10);
  // Long, because here a query of one lane lasts for a whole evaluation of the other.
  world.Run("8h");
  EXPECT_THAT(notify.firing(), IsEmpty());
  EXPECT_THAT(notify.resolved, Contains("Quick0"));
  EXPECT_THAT(notify.resolved, Contains("Late3"));
}

TEST(SlowGroupTest, WhatAReloadRemovesWhileItsGroupIsSlowStaysResolved) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Set(kSlow, 1);
  Listener notify(world);
  world.Begin(ManyGroups());
  world.Run("1m");
  world.querier().read_takes = std::chrono::seconds(30);
  world.Run("10m");
  world.Reload("groups: []");
  world.Run("1h");
  EXPECT_THAT(notify.firing(), IsEmpty());
  EXPECT_EQ(notify.resolved.size(), 12u);
}

TEST(SlowGroupTest, RestoredAlertsOutliveAFirstEvaluationThatIsSlow) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Set(kSlow, 1);
  Listener notify(world);
  world.Begin(ManyGroups());
  world.Run("1m");
  world.querier().read_takes = std::chrono::seconds(30);
  world.Restart("10s", ManyGroups());
  world.Run("1h");
  EXPECT_THAT(notify.lapsed(), IsEmpty());
}

// What was told of one alert says nothing of another that was told a minute earlier.
TEST(SlowGroupTest, AlertsToldAtDifferentTimesAreRepeatedEachInTime) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Set(kMemory, 10);
  world.Set(kSlow, 1);
  world.querier().read_takes = std::chrono::seconds(50);
  Listener notify(world);
  world.Begin(
      "groups:\n- name: g\n  interval: 15s\n  rules:\n  - { alert: First, expr: cpu > 80 }\n"
      "  - { alert: Second, expr: memory > 80 }\n  - { record: out, expr: slow }\n");
  const auto run_until_told = [&](const std::string& name) {
    for (int i = 0; i < 600; ++i) {
      const auto names = notify.firing();
      if (std::find(names.begin(), names.end(), name) != names.end()) return true;
      world.Run("100ms");
    }
    return false;
  };
  ASSERT_TRUE(run_until_told("First"));
  world.Set(kMemory, 90);
  ASSERT_TRUE(run_until_told("Second"));
  world.querier().read_takes = std::chrono::hours(1);
  world.Run("30m");
  EXPECT_THAT(notify.lapsed(), IsEmpty());
}

// The new group's first slot may be hours away, and what notify heard of the old one
// is valid for minutes.
TEST(SlowGroupTest, AReloadThatLengthensTheIntervalSaysAtOnceWhatFires) {
  const auto rules = [](const std::string& interval) {
    return "groups:\n- name: g\n  interval: " + interval +
           "\n  rules:\n  - { alert: High, expr: cpu > 80 }\n";
  };
  RuleWorld world;
  world.Set(kCpu, 90);
  Listener notify(world);
  world.Begin(rules("10s"));
  world.Run("30s");
  const std::size_t told = world.sink().batches.size();
  world.Reload(rules("6h"));
  world.Run("15s");
  ASSERT_EQ(world.sink().batches.size(), told + 1);
  const auto& again = world.sink().batches.back().at(0);
  EXPECT_EQ(again.ends_at, world.clock().WallNow() + std::chrono::hours(24));
  EXPECT_EQ(world.At(again.starts_at), "0s");
  world.Run("30h");
  EXPECT_THAT(notify.lapsed(), IsEmpty());
  EXPECT_THAT(notify.firing(), ElementsAre("High"));
}

TEST(SlowGroupTest, RepeatsAreCountedAndAGroupInTimeNeedsNone) {
  RuleWorld world;
  const auto repeated = [&world] {
    return world.metrics()
        .Counter("tocsin_rule_alerts_repeated_total",
                 "Firing alerts repeated because the group was not evaluated for too long.",
                 {{"rule_group", "rules.yaml;slow0"}})
        .Value();
  };
  world.Set(kCpu, 90);
  world.Set(kSlow, 1);
  world.Begin(ManyGroups());
  world.Run("1h");
  EXPECT_EQ(repeated(), 0);
  world.querier().read_takes = std::chrono::seconds(30);
  world.Run("15m");
  EXPECT_GE(repeated(), 2);
}

}  // namespace
}  // namespace tocsin::rules
