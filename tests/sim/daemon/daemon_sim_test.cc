// The whole daemon in virtual time: scripted targets, scripted receivers, a disk
// that loses what was not synced, and deaths at random moments. A failing seed is
// printed; TOCSIN_SIM_SEED=N runs that one alone, TOCSIN_SIM_SEEDS=N runs N of them.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "daemon/app/daemon.h"
#include "daemon/base/text.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/scripted_http_client.h"
#include "tests/support/sim_executor.h"

namespace tocsin::testing {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr int kDefaultSeeds = 8;
constexpr int kTargets = 3;

constexpr const char* kConfig = R"(
interval: 5s
storage: { path: /data }
http:
  - { name: a, url: "http://a/health" }
  - { name: b, url: "http://b/health" }
  - { name: c, url: "http://c/health" }
rules: [ /rules.yaml ]
notify:
  slack: { webhook_url: "http://slack/hook" }
  pagerduty: { routing_key: 0123456789abcdef0123456789abcdef, url: "http://pagerduty/v2/enqueue" }
)";

constexpr const char* kRules = R"(
groups:
  - name: probes
    rules:
      - alert: ProbeDown
        expr: probe_success == 0
        for: 10s
        labels: { severity: critical }
        annotations: { summary: 'down' }
)";

// PagerDuty as it keeps its books: an incident per dedup key.
class Incidents {
 public:
  ScriptedAnswer Take(const HttpRequest& request) {
    const auto event = nlohmann::json::parse(request.body);
    const std::string key = event["dedup_key"];
    if (event["event_action"] == "trigger") {
      open_.insert(key);
      ++triggers_[event["payload"]["summary"].get<std::string>()];
    } else {
      open_.erase(key);
    }
    return ScriptedAnswer::Status(202, R"({"status":"success"})");
  }

  std::size_t open() const { return open_.size(); }

 private:
  std::set<std::string> open_;
  std::map<std::string, int> triggers_;
};

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed), disk_(seed), vfs_(disk_) {
    TOCSIN_CHECK(files_.WriteAtomically("/tocsin.yaml", kConfig).ok());
    TOCSIN_CHECK(files_.WriteAtomically("/rules.yaml", kRules).ok());
    for (int i = 0; i < kTargets; ++i) {
      http_.Answer("http://" + std::string(1, static_cast<char>('a' + i)) + "/",
                   [this, i](const HttpRequest&) {
                     return ScriptedAnswer::Status(down_.count(i) ? 500 : 200, "ok");
                   });
    }
    http_.Answer("http://slack/", [this](const HttpRequest&) {
      return sick_ ? Sickness() : ScriptedAnswer::Status(200, "ok");
    });
    http_.Answer("http://pagerduty/", [this](const HttpRequest& request) {
      if (!sick_) return incidents_.Take(request);
      ScriptedAnswer answer = Sickness();
      // An answer that was lost on the way back was taken in all the same.
      if (answer.breaks && answer.received) incidents_.Take(request);
      return answer;
    });
    Boot();
  }

  ~World() { daemon_.reset(); }

  void Boot() {
    ConfigErrors errors;
    config::Config config =
        config::LoadConfig({"/tocsin.yaml", "/usr/share/tocsin/rules"}, files_, errors);
    ASSERT_TRUE(errors.empty()) << errors.Text();
    auto opened = app::Daemon::Open({clock_, executors_, http_, files_, vfs_.name(), random_()},
                                    std::move(config));
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    daemon_ = *std::move(opened);
    const auto started = daemon_->Start();
    ASSERT_TRUE(started.ok()) << started.error().message;
  }

  // The process or the machine dies and comes back after a while.
  void DieAndBoot() {
    const bool power = random_() % 2 == 0;
    disk_.Die(power ? FaultDisk::Fault::kPowerFails : FaultDisk::Fault::kProcessDies,
              random_() % 2 == 0 ? UnsyncedBytes::kLost : UnsyncedBytes::kTorn);
    http_.Crash();
    executors_.Crash();
    daemon_.reset();
    executors_.Crash();
    http_.Crash();
    clock_.Advance(Millis(random_() % 30'000));
    disk_.Start();
    Boot();
  }

  // One step of what can happen to a host.
  void Step() {
    switch (random_() % 8) {
      case 0: down_.insert(static_cast<int>(random_() % kTargets)); break;
      case 1: down_.erase(static_cast<int>(random_() % kTargets)); break;
      case 2: sick_ = !sick_; break;
      case 3: DieAndBoot(); break;
      default: break;
    }
    executors_.RunFor(Millis(random_() % 20'000));
  }

  // Everything works again, and there is time for all that waits.
  void Heal() {
    sick_ = false;
    executors_.RunFor(minutes(20));
  }

  void SetDown(std::set<int> down) { down_ = std::move(down); }
  const Incidents& incidents() const { return incidents_; }

 private:
  ScriptedAnswer Sickness() {
    switch (random_() % 5) {
      case 0: return ScriptedAnswer::Status(500);
      case 1: return ScriptedAnswer::Status(429);
      case 2: return ScriptedAnswer::RetryAfter(429, seconds(20));
      case 3: return ScriptedAnswer::Hang();
      default: return ScriptedAnswer::AnswerLost();
    }
  }

  std::mt19937_64 random_;
  SimClock clock_;
  SimExecutors executors_{clock_};
  ScriptedHttpClient http_{clock_, executors_};
  FaultDisk disk_;
  FaultVfs vfs_;
  FaultFileSystem files_{disk_, clock_};
  std::set<int> down_;
  bool sick_ = false;
  Incidents incidents_;
  std::unique_ptr<app::Daemon> daemon_;
};

// Invariant 2 of the design: a firing alert is open downstream in the end, and after
// the final RESOLVED nothing remains open.
void Simulate(std::uint64_t seed) {
  SCOPED_TRACE("TOCSIN_SIM_SEED=" + std::to_string(seed));
  World world(seed);
  if (::testing::Test::HasFatalFailure()) return;
  for (int step = 0; step < 60; ++step) {
    world.Step();
    if (::testing::Test::HasFatalFailure()) return;
  }
  world.SetDown({0, 2});
  world.Heal();
  EXPECT_EQ(world.incidents().open(), 2u) << "alerts fire and nobody was paged";
  world.SetDown({});
  world.Heal();
  EXPECT_EQ(world.incidents().open(), 0u) << "all is well and incidents are still open";
}

std::uint64_t FromEnvironment(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text ? static_cast<std::uint64_t>(ParseInt(text).value_or(0)) : fallback;
}

TEST(DaemonSimulation, NoPageAndNoResolveIsLostThroughDeathsAndSickReceivers) {
  if (std::getenv("TOCSIN_SIM_SEED")) {
    Simulate(FromEnvironment("TOCSIN_SIM_SEED", 1));
    return;
  }
  const std::uint64_t seeds = FromEnvironment("TOCSIN_SIM_SEEDS", kDefaultSeeds);
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) Simulate(seed);
}

}  // namespace
}  // namespace tocsin::testing
