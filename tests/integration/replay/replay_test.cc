// `tocsin replay` over what a real daemon and a real Prometheus have stored: it tells
// what they did, also while they go on.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"
#include "daemon/base/text.h"
#include "daemon/formats/remote_write.h"
#include "tests/support/daemon_process.h"
#include "tests/support/http_server.h"
#include "tests/support/prometheus_server.h"

namespace tocsin::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr const char* kRules =
    "groups:\n"
    "- name: g\n"
    "  interval: 1s\n"
    "  rules:\n"
    "  - { record: 'job:load:max', expr: 'max by (job) (load)' }\n"
    "  - { alert: Loaded, expr: 'job:load:max > 5', for: 2s, labels: { severity: critical },\n"
    "      annotations: { summary: 'load is {{ $value }}' } }\n"
    "  - { alert: Never, expr: 'load > 1000' }\n";

class ReplayCommandTest : public ::testing::Test {
 protected:
  void SetUp() override { Write("rules.yaml", kRules); }

  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(files_.WriteAtomically(folder_.File(name), text).ok());
  }

  FinishedProcess Run(std::vector<std::string> words) {
    words.insert(words.begin(), "replay");
    return RunTocsin(std::move(words));
  }

  json Replay(std::vector<std::string> words, int expected_status) {
    words.push_back("--json");
    const auto run = Run(std::move(words));
    EXPECT_EQ(run.status, expected_status) << run.output;
    json report = json::parse(run.output, nullptr, false);
    EXPECT_TRUE(report.is_object()) << run.output;
    return report;
  }

  static WallTime TimeOf(const json& text) {
    return text.is_string() ? ParseTime(text.get<std::string>()).value() : WallTime();
  }

  PosixFileSystem files_;
  SystemClock clock_;
  TemporaryFolder folder_;
};

TEST_F(ReplayCommandTest, TellsWhatTheDaemonDidWhileItGoesOnAndAfterItsDeath) {
  std::atomic<int> load{1};
  HttpServer web{[&](const ServedRequest&) {
    ServedAnswer answer;
    answer.body = "load " + std::to_string(load.load()) + "\n";
    return answer;
  }};
  const WallTime began = clock_.WallNow();
  auto started = DaemonProcess::Start(
      "interval: 200ms\nrules_evaluation: slots\nrules: [ " + folder_.File("rules.yaml") +
      " ]\nprometheus: [ { name: app, job: app, url: '" + web.Url("/metrics") + "' } ]\n");
  ASSERT_TRUE(started.ok()) << started.error().message;
  DaemonProcess& daemon = **started;
  const std::string storage = daemon.folder() + "/data";
  ASSERT_TRUE(daemon.WaitForValue("load", 1));
  load = 9;
  ASSERT_TRUE(daemon.WaitForAlert("Loaded", "firing")) << daemon.Output();
  const json alerts = json::parse(daemon.Get("/api/v1/alerts").body);
  const WallTime active_at = TimeOf(alerts["data"]["alerts"][0]["activeAt"]);

  const std::vector<std::string> words = {folder_.File("rules.yaml"), "--storage", storage,
                                          "--start", FormatTime(began)};
  json report = Replay(words, 1);
  ASSERT_EQ(report["alerts"].size(), 1u) << report.dump(1);
  json alert = report["alerts"][0];
  EXPECT_EQ(alert["name"], "Loaded");
  EXPECT_EQ(alert["labels"]["severity"], "critical");
  EXPECT_EQ(alert["annotations"]["summary"], "load is 9");
  // Slots are those of the daemon, to the millisecond. A sample that was being written
  // while the daemon evaluated is there for the replay: then it is one slot ahead.
  const WallTime pending_at = TimeOf(alert["pendingAt"]);
  EXPECT_TRUE(pending_at == active_at || pending_at == active_at - std::chrono::seconds(1))
      << alert["pendingAt"] << " and " << FormatTime(active_at);
  EXPECT_EQ(TimeOf(alert["firedAt"]), pending_at + std::chrono::seconds(2));
  EXPECT_EQ(alert["endedAt"], nullptr);
  EXPECT_EQ(report["rules"][2]["fired"], 0);

  load = 1;
  ASSERT_TRUE(daemon.WaitForAlert("Loaded", ""));
  EXPECT_TRUE(daemon.WaitForValue("load", 1));  // The replay has disturbed nothing.
  daemon.Kill();
  struct stat before {};
  ASSERT_EQ(stat((storage + "/history.db").c_str(), &before), 0);
  report = Replay(words, 1);
  alert = report["alerts"][0];
  EXPECT_EQ(TimeOf(alert["pendingAt"]), pending_at);
  EXPECT_GT(TimeOf(alert["endedAt"]), TimeOf(alert["firedAt"]));
  struct stat after {};
  ASSERT_EQ(stat((storage + "/history.db").c_str(), &after), 0);
  EXPECT_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
  EXPECT_EQ(after.st_size, before.st_size);

  // Another threshold, and a table for people.
  Write("other.yaml", "groups: [ { name: g, rules: [ { alert: Any, expr: 'load > 1000' } ] } ]");
  const auto quiet =
      Run({folder_.File("other.yaml"), "--storage", storage, "--start", "1m", "--step", "1s"});
  EXPECT_EQ(quiet.status, 0) << quiet.output;
  EXPECT_THAT(quiet.output, HasSubstr("1 alerting rules stayed quiet"));
  const auto table = Run(words);
  EXPECT_EQ(table.status, 1);
  EXPECT_THAT(table.output, HasSubstr("Loaded{job=\"app\", severity=\"critical\"}"));
  EXPECT_THAT(table.output, HasSubstr("Loaded (g): fired 1 times"));
  ASSERT_TRUE(daemon.StartAgain().ok()) << daemon.Output();
}

// Staleness markers come over remote read, too: the alert ends with its series.
TEST_F(ReplayCommandTest, ReadsAPrometheusOverRemoteRead) {
  auto prometheus = PrometheusServer::Start("global: {}\n", {"--web.enable-remote-write-receiver"});
  ASSERT_TRUE(prometheus.ok()) << prometheus.error().message;
  const std::int64_t start = ToUnixMillis(clock_.WallNow()) / 60'000 * 60'000 - 1'800'000;
  formats::RemoteWriteSeries series;
  series.labels = model::Labels{{"__name__", "load"}, {"job", "app"}};
  for (int i = 0; i < 60; ++i) {
    const double value = i < 20 ? 1 : i < 40 ? 9 : model::StaleMarker();
    series.samples.push_back({start + i * 15'000, value});
    if (i == 40) break;
  }
  HttpRequest request;
  request.method = "POST";
  request.url = (*prometheus)->Url("/api/v1/write");
  request.headers = formats::RemoteWriteHeaders();
  request.body = formats::EncodeRemoteWrite(std::span(&series, 1));
  CurlHttpClient client(clock_);
  const auto written = Fetch(client, request, clock_.SteadyNow() + std::chrono::seconds(10));
  ASSERT_EQ(written.response.status / 100, 2) << written.response.body;

  const json report = Replay(
      {folder_.File("rules.yaml"), "--url", (*prometheus)->Url(""), "--start",
       std::to_string(start / 1000), "--end", std::to_string(start / 1000 + 1200), "--step", "15s"},
      1);
  ASSERT_EQ(report["alerts"].size(), 1u) << report.dump(1);
  const json& alert = report["alerts"][0];
  const auto after_start = [&](const json& time) {
    return ToSeconds(TimeOf(time) - FromUnixMillis(start));
  };
  EXPECT_GE(after_start(alert["pendingAt"]), 300);
  EXPECT_LT(after_start(alert["pendingAt"]), 315);
  EXPECT_GE(after_start(alert["endedAt"]), 600);
  EXPECT_LT(after_start(alert["endedAt"]), 615);

  // What has been true for a second fires at the next evaluation.
  Write("slow.yaml",
        "groups:\n"
        "- { name: none, rules: [ { alert: Slow, expr: 'load > 5', for: 1s } ] }\n"
        "- { name: own, interval: 10s, rules: [ { alert: Quick, expr: 'load > 5', for: 1s } ] }\n");
  for (const int minutes : {1, 2}) {
    const json slow =
        Replay({folder_.File("slow.yaml"), "--url", (*prometheus)->Url(""), "--start",
                std::to_string(start / 1000), "--end", std::to_string(start / 1000 + 1200),
                "--interval", std::to_string(minutes) + "m"},
               1);
    ASSERT_EQ(slow["alerts"].size(), 2u) << slow.dump(1);
    for (const json& fired : slow["alerts"]) {
      EXPECT_EQ(TimeOf(fired["firedAt"]) - TimeOf(fired["pendingAt"]),
                fired["name"] == "Slow" ? Millis(std::chrono::minutes(minutes))
                                        : Millis(std::chrono::seconds(10)))
          << fired.dump(1);
    }
  }
}

TEST_F(ReplayCommandTest, WhatCannotBeDoneIsStatusTwoAndSaysWhy) {
  const auto no_history = Run({folder_.File("rules.yaml"), "--storage", folder_.path()});
  EXPECT_EQ(no_history.status, 2);
  EXPECT_THAT(no_history.output, HasSubstr(folder_.path() + "/history.db"));
  Write("bad.yaml", "groups: [ { name: g, rules: [ { alert: A, expr: 'rat(x[5m])' } ] } ]");
  const auto bad = Run({folder_.File("bad.yaml"), "--storage", folder_.path()});
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(bad.output, HasSubstr("bad.yaml:1"));
  EXPECT_EQ(Run({folder_.File("rules.yaml"), "--start", "yesterday"}).status, 2);
  EXPECT_EQ(Run({folder_.File("rules.yaml"), "--interval", "often"}).status, 2);
  EXPECT_EQ(Run({folder_.File("rules.yaml"), "--interval", "0s"}).status, 2);
  EXPECT_EQ(Run({folder_.File("rules.yaml"), "--start", "1h", "--end", "2h"}).status, 2);
  const auto nobody =
      Run({folder_.File("rules.yaml"), "--url", "http://127.0.0.1:" + std::to_string(FreePort())});
  EXPECT_EQ(nobody.status, 2);
  EXPECT_THAT(nobody.output, HasSubstr("cannot ask"));
}

}  // namespace
}  // namespace tocsin::testing
