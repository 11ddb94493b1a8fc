#include "tests/bench/latency/trips.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <thread>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"
#include "daemon/base/text.h"
#include "tests/support/alertmanager_server.h"
#include "tests/support/daemon_process.h"
#include "tests/support/http_server.h"
#include "tests/support/prometheus_server.h"

namespace tocsin::bench {
namespace {

using std::chrono::seconds;

constexpr std::size_t kTargets = 10;
constexpr seconds kToldWithin{30};
constexpr seconds kSettleWithin{30};
const std::vector<std::string> kSides = {"prometheus", "tocsin"};

// The targets: a page each, that is there or fails.
class Targets {
 public:
  std::string Address() const { return server_.Url("").substr(std::string("http://").size()); }
  std::string Url(std::size_t target) const { return server_.Url("/" + std::to_string(target)); }
  void SetDown(std::size_t target, bool down) { down_[target] = down; }

 private:
  std::array<std::atomic<bool>, kTargets> down_{};
  testing::HttpServer server_{[this](const testing::ServedRequest& request) {
    const auto target = static_cast<std::size_t>(ParseInt(request.target.substr(1)).value_or(0));
    testing::ServedAnswer answer;
    answer.status = down_.at(target) ? 500 : 200;
    answer.headers.emplace_back("Content-Type", "text/plain; version=0.0.4");
    answer.body = "page 1\n";
    return answer;
  }};
};

struct Arrival {
  SteadyTime at{};
  WallTime wall{};
  WallTime starts_at{};  // As the alert has it.
};

// The webhook of both sides; knows when which target's alert and end came in.
class Webhook {
 public:
  std::string Url(const std::string& side) const { return server_.Url("/" + side); }

  void Forget() {
    MutexLock lock(mutex_);
    arrivals_.clear();
  }
  std::optional<Arrival> Find(const std::string& side, std::size_t target,
                              const std::string& status) const {
    MutexLock lock(mutex_);
    const auto found = arrivals_.find({side, std::to_string(target), status});
    return found == arrivals_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  using Key = std::array<std::string, 3>;  // Side, target, status.

  void Take(const testing::ServedRequest& request) {
    const SteadyTime at = SystemClock().SteadyNow();
    const WallTime wall = SystemClock().WallNow();
    const auto body = nlohmann::json::parse(request.body);
    MutexLock lock(mutex_);
    for (const auto& alert : body["alerts"]) {
      const WallTime start = ParseTime(alert["startsAt"].get<std::string>()).value();
      const Key key{request.target.substr(1), alert["labels"]["target"].get<std::string>(),
                    alert["status"].get<std::string>()};
      arrivals_.try_emplace(key, Arrival{at, wall, start});
    }
  }

  mutable Mutex mutex_;
  std::map<Key, Arrival> arrivals_ GUARDED_BY(mutex_);
  testing::HttpServer server_{[this](const testing::ServedRequest& request) {
    Take(request);
    return testing::ServedAnswer();
  }};
};

// A rule group for each target, so that each has its own phase.
std::string Rules(const std::string& metric) {
  std::string rules = "groups:\n";
  for (std::size_t target = 0; target < kTargets; ++target) {
    rules += fmt::format(
        "- name: group{0}\n  interval: 1s\n  rules:\n"
        "  - {{ alert: Down, expr: '{1}{{target=\"{0}\"}} == 0', labels: {{ severity: critical }} "
        "}}\n",
        target, metric);
  }
  return rules;
}

std::string Alerting(const std::string& url) {
  return "route: { receiver: hook, group_by: [target], group_wait: 0s, group_interval: 1s }\n"
         "receivers: [ { name: hook, webhook_configs: [ { url: '" +
         url + "' } ] } ]\n";
}

std::string PrometheusConfig(const Targets& targets, const std::string& rules,
                             const std::string& alertmanager) {
  std::string config = fmt::format(
      "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}\n"
      "rule_files: [ '{}' ]\n"
      "alerting: {{ alertmanagers: [ {{ static_configs: [ {{ targets: [ '{}' ] }} ] }} ] }}\n"
      "scrape_configs:\n",
      rules, alertmanager);
  for (std::size_t target = 0; target < kTargets; ++target) {
    config += fmt::format(
        "- job_name: target{0}\n  metrics_path: /{0}\n"
        "  static_configs: [ {{ targets: [ '{1}' ], labels: {{ target: '{0}' }} }} ]\n",
        target, targets.Address());
  }
  return config;
}

std::string TocsinConfig(const Targets& targets, const std::string& rules,
                         const std::string& alerting) {
  std::string config =
      fmt::format("interval: 1s\nrules: [ '{}' ]\nalerting: '{}'\nhttp:\n", rules, alerting);
  for (std::size_t target = 0; target < kTargets; ++target) {
    config += fmt::format(
        "- {{ name: target{0}, url: '{1}', timeout: 1s, labels: {{ target: '{0}' }} }}\n", target,
        targets.Url(target));
  }
  return config;
}

class Contest {
 public:
  static Result<std::unique_ptr<Contest>> Start() {
    auto contest = std::make_unique<Contest>();
    TOCSIN_RETURN_IF_ERROR(contest->StartTocsin());
    TOCSIN_RETURN_IF_ERROR(contest->StartPrometheus());
    if (contest->AllUp()) return contest;
    return Error{ErrorCode::kUnavailable, "not every target is seen to be up"};
  }

  // Lets a target die at that part of a second and come back.
  Result<> Trip(std::size_t target, double phase, Trips& trips) {
    webhook_.Forget();
    WaitForPhase(phase);
    const SteadyTime died = SystemClock().SteadyNow();
    targets_.SetDown(target, true);
    TOCSIN_RETURN_IF_ERROR(WaitUntilTold(target, "firing"));
    targets_.SetDown(target, false);
    const auto took = [&](const std::string& side) {
      return ToSeconds(webhook_.Find(side, target, "firing")->at - died);
    };
    trips.prometheus.push_back(took("prometheus"));
    trips.tocsin.push_back(took("tocsin"));
    TOCSIN_ASSIGN_OR_RETURN(const double from_commit,
                            SinceCommit(target, *webhook_.Find("tocsin", target, "firing")));
    trips.tocsin_from_commit.push_back(from_commit);
    trips.disk_sync.push_back(SyncDisk());
    return WaitUntilTold(target, "resolved");
  }

 private:
  Result<> StartTocsin() {
    const std::string rules = folder_.File("tocsin-rules.yml");
    const std::string alerting = folder_.File("tocsin-alertmanager.yml");
    std::ofstream(rules) << Rules("probe_success");
    std::ofstream(alerting) << Alerting(webhook_.Url("tocsin"));
    TOCSIN_ASSIGN_OR_RETURN(tocsin_,
                            testing::DaemonProcess::Start(TocsinConfig(targets_, rules, alerting)));
    return {};
  }
  Result<> StartPrometheus() {
    const std::string rules = folder_.File("prometheus-rules.yml");
    std::ofstream(rules) << Rules("up");
    TOCSIN_ASSIGN_OR_RETURN(
        alertmanager_, testing::AlertmanagerServer::Start(Alerting(webhook_.Url("prometheus"))));
    const std::string address = alertmanager_->Url("").substr(std::string("http://").size());
    TOCSIN_ASSIGN_OR_RETURN(
        prometheus_, testing::PrometheusServer::Start(PrometheusConfig(targets_, rules, address)));
    return {};
  }

  bool AllUp() {
    SystemClock clock;
    CurlHttpClient client(clock);
    const auto ask = [&](const std::string& url) {
      HttpRequest request;
      request.url = url;
      return Fetch(client, std::move(request), clock.SteadyNow() + seconds(5)).response.body;
    };
    const std::string all = fmt::format("\"{}\"]", kTargets);
    return testing::WaitUntil(
        [&] {
          return ask(tocsin_->Url("/api/v1/query?query=sum(probe_success)")).find(all) !=
                     std::string::npos &&
                 ask(prometheus_->Url("/api/v1/query?query=sum(up)")).find(all) !=
                     std::string::npos;
        },
        kSettleWithin);
  }

  // The alert began when the poll that saw it did (its rule is evaluated on arrival), and
  // what a poll finds is committed when it ends.
  Result<double> SinceCommit(std::size_t target, const Arrival& arrival) {
    const auto polls =
        tocsin_->Samples(fmt::format("scrape_duration_seconds{{target=\"{}\"}}[30s]", target));
    for (const auto& series : polls) {
      for (auto poll = series.rbegin(); poll != series.rend(); ++poll) {
        const WallTime began = FromUnixMillis(poll->time_ms);
        if (began <= arrival.starts_at) return ToSeconds(arrival.wall - began) - poll->value;
      }
    }
    return Error{ErrorCode::kNotFound, "tocsin does not show the poll that saw it"};
  }

  double SyncDisk() const {
    const std::string page(4096, 'x');
    const int file =
        open(folder_.File("sync").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const SteadyTime begin = SystemClock().SteadyNow();
    const bool synced =
        write(file, page.data(), page.size()) == static_cast<ssize_t>(page.size()) &&
        fdatasync(file) == 0;
    const double seconds = ToSeconds(SystemClock().SteadyNow() - begin);
    close(file);
    return synced ? seconds : std::numeric_limits<double>::infinity();
  }

  static void WaitForPhase(double phase) {
    const auto now = SystemClock().WallNow();
    auto at = std::chrono::floor<seconds>(now) + Millis(static_cast<int>(phase * 1000));
    if (at <= now) at += seconds(1);
    std::this_thread::sleep_for(at - now);
  }

  Result<> WaitUntilTold(std::size_t target, const std::string& status) const {
    for (const std::string& side : kSides) {
      if (testing::WaitUntil([&] { return webhook_.Find(side, target, status).has_value(); },
                             kToldWithin)) {
        continue;
      }
      return Error{ErrorCode::kUnavailable,
                   fmt::format("{} did not tell that target {} is {}", side, target, status)};
    }
    return {};
  }

  testing::TemporaryFolder folder_;
  Targets targets_;
  Webhook webhook_;
  std::unique_ptr<testing::DaemonProcess> tocsin_;
  std::unique_ptr<testing::AlertmanagerServer> alertmanager_;
  std::unique_ptr<testing::PrometheusServer> prometheus_;
};

// For each target the moments of its trips, as parts of a second: one at random in each
// of `rounds` equal parts, in random order.
std::vector<std::vector<double>> RandomPhases(std::size_t rounds, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> within(0, 1);
  std::vector<std::vector<double>> phases(kTargets);
  for (std::vector<double>& of_target : phases) {
    for (std::size_t part = 0; part < rounds; ++part) {
      of_target.push_back((static_cast<double>(part) + within(random)) /
                          static_cast<double>(rounds));
    }
    std::shuffle(of_target.begin(), of_target.end(), random);
  }
  return phases;
}

}  // namespace

Result<Trips> MeasureTrips(int trips, std::uint64_t seed) {
  const auto count = static_cast<std::size_t>(trips);
  const std::vector<std::vector<double>> phases =
      RandomPhases((count + kTargets - 1) / kTargets, seed);
  TOCSIN_ASSIGN_OR_RETURN(const auto contest, Contest::Start());
  Trips measured;
  for (std::size_t trip = 0; trip < count; ++trip) {
    const std::size_t target = trip % kTargets;
    TOCSIN_RETURN_IF_ERROR(contest->Trip(target, phases[target][trip / kTargets], measured));
    if ((trip + 1) % 10 == 0) std::cerr << trip + 1 << " of " << trips << " trips\n";
  }
  return measured;
}

}  // namespace tocsin::bench
