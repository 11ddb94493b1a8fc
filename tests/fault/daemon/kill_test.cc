// The real program on a real page, with Slack, PagerDuty and a webhook that are real
// servers, killed with kill -9 at random moments: while it polls, evaluates, delivers,
// or starts. Each time a pool on the page fills or empties, whoever is on call must hear
// of it, in order, and of nothing that did not happen; what is told twice is the same
// incident. TOCSIN_KILLS=n kills n times (`./dev soak` 200 times), TOCSIN_KILL_SEED=n
// takes the moments of a run before.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <thread>

#include "daemon/base/mutex.h"
#include "daemon/base/text.h"
#include "tests/support/daemon_process.h"
#include "tests/support/http_server.h"

namespace tocsin::testing {
namespace {

using nlohmann::json;

constexpr int kDefaultKills = 10;
constexpr int kMostKillsPerChange = 3;
constexpr int kLongestLifeMs = 600;  // From a start (or a change) to the next kill.
constexpr int kLongestAnswerMs = 40;
constexpr std::chrono::seconds kToldWithin{30};  // Of the last start.
const std::vector<std::string> kPools = {"a", "b", "c", "d"};
const std::vector<std::string> kReceivers = {"slack", "pagerduty", "webhook"};

constexpr const char* kRules = R"(
groups:
- name: pools
  interval: 1s
  rules:
  - { alert: Full, expr: 'full{pool=~"a|b"} == 1', labels: { severity: critical } }
  - { alert: Full, expr: 'full{pool="c"} == 1', for: 1s, labels: { severity: critical } }
  - { alert: Full, expr: 'full{pool="d"} == 1', keep_firing_for: 500ms, labels: { severity: critical } }
)";

// One message, in the receiver's terms.
struct Told {
  bool firing = false;
  std::string incident;  // What lets the receiver see that a repeat is one.
};

// What each receiver took in, by pool. It counts once the request is there, whether or
// not the sender lived to read the answer.
class Books {
 public:
  void Take(const ServedRequest& request) {
    const std::string receiver = request.target.substr(1);
    const json body = json::parse(request.body);
    MutexLock lock(mutex_);
    if (receiver == "webhook") {
      for (const json& alert : body["alerts"]) {
        taken_[receiver][alert["labels"]["pool"]].push_back(
            {alert["status"] == "firing", alert["fingerprint"].get<std::string>() + " of " +
                                              alert["startsAt"].get<std::string>()});
      }
    } else if (receiver == "pagerduty") {
      taken_[receiver][body["payload"]["class"]].push_back(
          {body["event_action"] == "trigger", body["dedup_key"]});
    } else {
      const json& attachment = body["attachments"][0];
      taken_[receiver][attachment["title"]].push_back({attachment["color"] == "danger", ""});
    }
  }

  std::vector<Told> Of(const std::string& receiver, const std::string& pool) const {
    MutexLock lock(mutex_);
    const auto books = taken_.find(receiver);
    if (books == taken_.end()) return {};
    const auto told = books->second.find(pool);
    return told == books->second.end() ? std::vector<Told>() : told->second;
  }

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::map<std::string, std::vector<Told>>> taken_ GUARDED_BY(mutex_);
};

class KillTest : public ::testing::Test {
 protected:
  void SetUp() override {
    kills_ = static_cast<int>(FromEnvironment("TOCSIN_KILLS", kDefaultKills));
    seed_ = FromEnvironment("TOCSIN_KILL_SEED", std::random_device()());
    random_.seed(seed_);
    std::ofstream(folder_.File("rules.yaml")) << kRules;
    std::ofstream(folder_.File("alertmanager.yml")) << Alerting();
    auto started = DaemonProcess::Start("interval: 200ms\nprometheus: [ { name: app, url: '" +
                                        page_.Url("/metrics") + "' } ]\nrules: [ " +
                                        folder_.File("rules.yaml") +
                                        " ]\nalerting: " + folder_.File("alertmanager.yml") + "\n");
    ASSERT_TRUE(started.ok()) << started.error().message;
    daemon_ = *std::move(started);
    ASSERT_TRUE(daemon_->WaitForValue("count(full)", static_cast<double>(kPools.size())));
  }

  std::string Alerting() const {
    return fmt::format(R"(
route: {{ receiver: all, group_by: [pool], group_wait: 0s, group_interval: 500ms }}
receivers:
- name: all
  slack_configs:
  - {{ api_url: '{0}', send_resolved: true, title: '{{{{ .GroupLabels.pool }}}}' }}
  pagerduty_configs:
  - {{ url: '{1}', routing_key: 0123456789abcdef0123456789abcdef, class: '{{{{ .GroupLabels.pool }}}}' }}
  webhook_configs:
  - {{ url: '{2}' }}
)",
                       receivers_.Url("/slack"), receivers_.Url("/pagerduty"),
                       receivers_.Url("/webhook"));
  }

  static std::uint64_t FromEnvironment(const char* name, std::uint64_t fallback) {
    const char* text = std::getenv(name);
    const auto number = text ? ParseInt(text) : std::nullopt;
    return number ? static_cast<std::uint64_t>(*number) : fallback;
  }

  int Random(int below) { return static_cast<int>(random_() % static_cast<std::uint64_t>(below)); }

  void KillAtRandomMoments(int times) {
    for (int i = 0; i < times; ++i) {
      std::this_thread::sleep_for(std::chrono::microseconds(Random(kLongestLifeMs * 1000)));
      ASSERT_TRUE(daemon_->process().Running()) << "it died by itself:\n" << daemon_->Output();
      daemon_->Kill();
      ASSERT_TRUE(daemon_->Spawn().ok());
    }
  }

  // A pool fills or empties, the daemon dies a few times, and everybody hears of it.
  void Change(const std::string& pool, int kills) {
    bool full = false;
    {
      MutexLock lock(mutex_);
      full = full_[pool] = !full_[pool];
    }
    ++changes_[pool];
    KillAtRandomMoments(kills);
    if (HasFatalFailure()) return;
    for (const std::string& receiver : kReceivers) {
      EXPECT_TRUE(WaitUntil(
          [&] {
            const auto told = books_.Of(receiver, pool);
            return full ? !told.empty() && told.back().firing
                        : !told.empty() && !told.back().firing;
          },
          kToldWithin))
          << receiver << " was not told that pool " << pool
          << (full ? " is full" : " is well again") << "\n"
          << daemon_->Output();
    }
  }

  // As many beginnings and ends as there were, in turns; repeats are the same incident.
  void CheckBooks() {
    for (const std::string& receiver : kReceivers) {
      for (const std::string& pool : kPools) {
        SCOPED_TRACE(receiver + ", pool " + pool);
        const std::vector<Told> told = books_.Of(receiver, pool);
        int runs = 0;
        std::set<std::string> incidents;  // Of PagerDuty: one key for all time.
        for (std::size_t i = 0; i < told.size(); ++i) {
          const bool repeat = i > 0 && told[i].firing == told[i - 1].firing;
          if (!repeat) ++runs;
          if (repeat) ++repeats_[receiver];
          if (repeat || !told[i].firing) {
            ASSERT_GT(i, 0u) << "an end was told before its beginning";
            EXPECT_EQ(told[i].incident, told[i - 1].incident);
          }
          incidents.insert(told[i].incident);
        }
        EXPECT_EQ(runs, changes_[pool]);
        if (receiver == "pagerduty") {
          EXPECT_LE(incidents.size(), 1u);
        }
      }
    }
  }

  int kills_ = 0;
  std::uint64_t seed_ = 0;
  std::mt19937_64 random_;
  std::map<std::string, int> changes_;
  std::map<std::string, int> repeats_;

  Mutex mutex_;
  std::map<std::string, bool> full_ GUARDED_BY(mutex_);
  std::mt19937_64 answer_random_ GUARDED_BY(mutex_){1};
  Books books_;
  HttpServer page_{[this](const ServedRequest&) {
    MutexLock lock(mutex_);
    ServedAnswer answer;
    for (const std::string& pool : kPools) {
      answer.body += fmt::format("full{{pool=\"{}\"}} {}\n", pool, full_[pool] ? 1 : 0);
    }
    return answer;
  }};
  // They take their time, so that deaths fall between a message and its answer, and
  // one time in ten they cannot take it.
  HttpServer receivers_{[this](const ServedRequest& request) {
    ServedAnswer answer;
    answer.body = "ok";
    {
      MutexLock lock(mutex_);
      answer.delay = Millis(answer_random_() % kLongestAnswerMs);
      if (answer_random_() % 10 == 0) answer.status = 503;
    }
    if (answer.status == 200) books_.Take(request);
    if (answer.status == 200 && request.target == "/pagerduty") answer.status = 202;
    return answer;
  }};
  TemporaryFolder folder_;
  std::unique_ptr<DaemonProcess> daemon_;
};

TEST_F(KillTest, NoPageAndNoResolveIsLostAndRepeatsAreTheSameIncident) {
  SCOPED_TRACE(fmt::format("TOCSIN_KILL_SEED={} TOCSIN_KILLS={}", seed_, kills_));
  std::cout << "kill -9 at " << kills_ << " moments of seed " << seed_ << std::endl;
  for (int left = kills_; left > 0 && !HasFailure();) {
    const int kills = std::min(left, 1 + Random(kMostKillsPerChange));
    Change(kPools[static_cast<std::size_t>(Random(static_cast<int>(kPools.size())))], kills);
    left -= kills;
  }
  for (const std::string& pool : kPools) {
    if (!HasFailure() && changes_[pool] % 2 == 1) {
      Change(pool, 0);
    }
  }
  ASSERT_FALSE(HasFailure());
  EXPECT_TRUE(daemon_->WaitForValue("sum(tocsin_outbox_length)", 0));
  CheckBooks();
  int changes = 0;
  for (const auto& [pool, count] : changes_) changes += count;
  std::cout << changes << " beginnings and ends told";
  for (const std::string& receiver : kReceivers) {
    std::cout << ", " << repeats_[receiver] << " of " << receiver << "'s twice";
  }
  std::cout << std::endl;
}

}  // namespace
}  // namespace tocsin::testing
