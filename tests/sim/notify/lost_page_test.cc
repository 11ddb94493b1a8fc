// Two virtual hours of trouble for each seed: alerts come and go, people silence
// them, receivers fail in every way, the process is killed and the power fails at
// random durable operations. After each step what was told must be true and in order;
// then all is well for a while, and every promise must hold. A failing seed runs
// alone with TOCSIN_SIM_SEED=n; TOCSIN_SIM_SEEDS=n runs more.

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "daemon/base/text.h"
#include "tests/support/fault_disk.h"
#include "tests/support/fault_vfs.h"
#include "tests/unit/daemon/notify/promises.h"

namespace tocsin::notify {
namespace {

using Fault = testing::FaultDisk::Fault;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::UnsyncedBytes;

constexpr Millis kTrouble = std::chrono::hours(2);
constexpr Millis kPeace = minutes(20);
constexpr Millis kRepeat = minutes(1);

std::string Yaml() {
  return "route: {receiver: all, group_by: [alertname, instance], group_wait: 10s,"
         " group_interval: 1m, repeat_interval: 30m,"
         " routes: [{receiver: all, matchers: [severity=\"critical\"], group_wait: 0s}]}\n"
         "receivers: [{name: all,"
         " slack_configs: [{api_url: '" +
         std::string(kSlackUrl) +
         "', send_resolved: true}],"
         " pagerduty_configs: [{url: 'http://pagerduty.test/x', routing_key: " +
         kRoutingKey +
         "}],"
         " webhook_configs: [{url: 'http://webhook.test/x'}]}]\n"
         "inhibit_rules: [{source_matchers: [severity=\"critical\"],"
         " target_matchers: [severity=\"warning\"], equal: ['...']}]\n";
}

class Trouble {
 public:
  explicit Trouble(std::uint64_t seed)
      : random_(seed), disk_(seed), vfs_(disk_), world_(Config(Yaml()), seed, vfs_.name()) {}

  void Run() {
    const SteadyTime end = world_.clock.SteadyNow() + kTrouble;
    while (world_.clock.SteadyNow() < end && !::testing::Test::HasFailure()) {
      Upset();
      SendTransitions();
      Pass(Millis(1000 + random_() % 30'000));
      CheckStep();
    }
    disk_.EndFault();
    disk_.Plan(Fault::kNone, 0);
    world_.AnswerAll();
    for (const Silence& silence : world_.notifier->Silences()) {
      std::ignore = world_.notifier->ExpireSilence(silence.id);
    }
    for (Millis passed{0}; passed < kPeace; passed += kRepeat) {
      SendTransitions();
      Pass(kRepeat);
    }
    Check();
  }

 private:
  void Upset() {
    switch (random_() % 12) {
      case 0:
      case 1:
      case 2: Flip(); break;
      case 3:
        Flip();
        Flip();
        break;
      case 4: {
        Silence silence;
        silence.matchers = ParseMatchers("alertname=" + Name()).value();
        silence.starts_at = world_.clock.WallNow();
        silence.ends_at = silence.starts_at + seconds(30 + random_() % 600);
        std::ignore = world_.notifier->SetSilence(silence);
        break;
      }
      case 5:
      case 6:
      case 7: world_.http->Answer(Peer(), {Mood()}); break;
      case 8:
        world_.http->Answer(Peer(), {Mood(), Mood(), ScriptedAnswer::Status(200, "ok")});
        break;
      case 9:
      case 10:
        disk_.Plan(random_() % 2 ? Fault::kProcessDies : Fault::kPowerFails, 1 + random_() % 15,
                   random_() % 2 ? UnsyncedBytes::kLost : UnsyncedBytes::kTorn);
        break;
      default: Reboot(); break;
    }
    if (disk_.dead()) Reboot();
  }

  std::string Name() { return std::string(1, static_cast<char>('A' + random_() % 3)); }
  std::string Peer() {
    constexpr const char* kPeers[] = {"http://slack.test", "http://pagerduty.test",
                                      "http://webhook.test"};
    return kPeers[random_() % 3];
  }
  ScriptedAnswer Mood() {
    switch (random_() % 9) {
      case 0: return ScriptedAnswer::Status(500);
      case 1: return ScriptedAnswer::RetryAfter(429, seconds(random_() % 90));
      case 2: return ScriptedAnswer::Status(429);
      case 3: return ScriptedAnswer::Hang();
      case 4: return ScriptedAnswer::AnswerLost();
      case 5: return ScriptedAnswer::Refused();
      case 6: return ScriptedAnswer::Status(200, "ok").After(seconds(random_() % 20));
      case 7: return ScriptedAnswer::Status(400);
      default: return ScriptedAnswer::Status(200, "ok");
    }
  }
  void Flip() {
    const model::Labels labels = {{"alertname", Name()},
                                  {"instance", random_() % 2 ? "a" : "b"},
                                  {"severity", random_() % 2 ? "critical" : "warning"}};
    if (firing_.erase(labels) == 0) {
      firing_.insert(labels);
      ended_.erase(labels);
      Stretches(labels).push_back({world_.clock.WallNow(), WallTime::max()});
    } else {
      ended_.insert(labels);
      Stretches(labels).back().second = world_.clock.WallNow();
    }
  }
  // As the rules do: what fires is sent again and again, an end until it is taken.
  void SendTransitions() {
    std::vector<model::Alert> batch;
    for (const model::Labels& labels : firing_) batch.push_back(world_.Firing(labels));
    for (const model::Labels& labels : ended_) batch.push_back(world_.Resolved(labels));
    if (batch.empty()) return;
    if (world_.notifier->Accept(std::move(batch)).ok()) ended_.clear();
    if (disk_.dead()) Reboot();
  }
  void Pass(Millis span) {
    const SteadyTime until = world_.clock.SteadyNow() + span;
    while (world_.executors.RunNext(until)) {
      if (disk_.dead()) Reboot();
    }
  }
  void Reboot() {
    world_.Crash();
    disk_.Start();
    world_.Restart();
  }
  void CheckStep() {
    promises_.Read(world_);
    promises_.ExpectOrder();
    promises_.ExpectTruth([this](const std::string& fingerprint, WallTime at) {
      const auto& stretches = stretches_[fingerprint];
      return std::any_of(stretches.begin(), stretches.end(), [at](const Stretch& stretch) {
        return stretch.first < at && at < stretch.second;
      });
    });
    const auto attempts = world_.notifier->Attempts();
    for (const std::string secret : {kRoutingKey, "SECRETWEBHOOK"}) {
      EXPECT_THAT(disk_.PathsWith(secret), ::testing::IsEmpty());
      for (const DeliveryAttempt& attempt : attempts) {
        EXPECT_EQ(attempt.error.find(secret), std::string::npos) << attempt.error;
      }
    }
  }
  void Check() {
    CheckStep();
    std::set<model::Labels> must;
    std::set<model::Labels> may;
    for (const model::Labels& labels : firing_) {
      const model::Labels critical = labels.Overlay({{"severity", "critical"}});
      const bool inhibited = labels != critical && firing_.count(critical);
      (inhibited ? may : must).insert(labels);
    }
    promises_.ExpectEnd(world_, must, may);
  }

  using Stretch = std::pair<WallTime, WallTime>;  // From and to when an alert fired.
  std::vector<Stretch>& Stretches(const model::Labels& labels) {
    return stretches_[model::FingerprintText(labels.Fingerprint())];
  }

  std::mt19937_64 random_;
  testing::FaultDisk disk_;
  testing::FaultVfs vfs_;
  World world_;
  std::set<model::Labels> firing_;
  std::set<model::Labels> ended_;                          // Not yet accepted.
  std::map<std::string, std::vector<Stretch>> stretches_;  // By fingerprint.
  Promises promises_;
};

std::uint64_t FromEnvironment(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  const auto number = text ? ParseInt(text) : std::nullopt;
  return number ? static_cast<std::uint64_t>(*number) : fallback;
}

TEST(LostPageTest, NoFiringAlertUnpagedNoResolveLostNothingOutOfOrder) {
  const std::uint64_t only = FromEnvironment("TOCSIN_SIM_SEED", 0);
  const std::uint64_t seeds = only ? only : FromEnvironment("TOCSIN_SIM_SEEDS", 10);
  for (std::uint64_t seed = only ? only : 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("TOCSIN_SIM_SEED=" + std::to_string(seed));
    Trouble(seed).Run();
    ASSERT_FALSE(::testing::Test::HasFailure());
  }
}

}  // namespace
}  // namespace tocsin::notify
