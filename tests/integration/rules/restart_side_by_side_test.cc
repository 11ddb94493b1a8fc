// A restart, side by side: what Debian's Prometheus 2.42 forgets of pending, firing and
// kept alerts, and Tocsin does not. Rows of README's table of differences.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "daemon/base/text.h"
#include "tests/integration/alertmanager/ask.h"
#include "tests/support/prometheus_server.h"

namespace tocsin::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;

class RestartSideBySideTest : public ::testing::Test {
 protected:
  void SetUp() override {
    kept_until_ = SystemClock().WallNow() + seconds(5);
    const auto end = std::to_string(ToUnixMillis(kept_until_) / 1000);
    std::ofstream(folder_.File("rules.yml")) << "groups:\n- name: g\n  interval: 1s\n  rules:\n"
                                                "  - { alert: Slow, expr: vector(1), for: 5m }\n"
                                                "  - { alert: Told, expr: vector(1), for: 2s }\n"
                                                "  - { alert: Kept, expr: 'vector(time()) < "
                                             << end << "', keep_firing_for: 1h }\n";
    auto prometheus = PrometheusServer::Start(
        "global: { evaluation_interval: 1s }\n"
        "rule_files: [ '" +
        folder_.File("rules.yml") + "' ]\n");
    ASSERT_TRUE(prometheus.ok()) << prometheus.error().message;
    prometheus_ = *std::move(prometheus);
    auto daemon = DaemonProcess::Start("interval: 1s\nrules_evaluation: slots\nrules: [ '" +
                                       folder_.File("rules.yml") + "' ]\n");
    ASSERT_TRUE(daemon.ok()) << daemon.error().message;
    daemon_ = *std::move(daemon);
  }

  using Alerts = std::map<std::string, json>;  // By alertname.
  Alerts Of(const std::string& url) {
    Alerts alerts;
    const json answer = asker_.Json(url);
    if (!answer.is_object()) return alerts;
    for (const json& alert : answer["data"]["alerts"]) {
      alerts[alert["labels"]["alertname"]] = alert;
    }
    return alerts;
  }
  Alerts Theirs() { return Of(prometheus_->Url("/api/v1/alerts")); }
  Alerts Ours() { return Of(daemon_->Url("/api/v1/alerts")); }

  WallTime kept_until_;
  TemporaryFolder folder_;
  Asker asker_;
  std::unique_ptr<PrometheusServer> prometheus_;
  std::unique_ptr<DaemonProcess> daemon_;
};

TEST_F(RestartSideBySideTest, WhatIsPendingFiringOrKeptGoesOn) {
  const auto settled = [](const Alerts& alerts) {
    const std::map<std::string, std::string> states = {
        {"Slow", "pending"}, {"Told", "firing"}, {"Kept", "firing"}};
    return std::all_of(states.begin(), states.end(), [&](const auto& state) {
      const auto alert = alerts.find(state.first);
      return alert != alerts.end() && alert->second["state"] == state.second;
    });
  };
  ASSERT_TRUE(WaitUntil([&] {
    return SystemClock().WallNow() > kept_until_ + seconds(2) && settled(Theirs()) &&
           settled(Ours());
  }));
  Alerts theirs = Theirs();
  Alerts ours = Ours();
  ASSERT_TRUE(prometheus_->KillAndStart().ok());
  ASSERT_TRUE(daemon_->KillAndStart().ok());
  const WallTime restarted = SystemClock().WallNow();

  EXPECT_EQ(Ours()["Slow"]["activeAt"], ours["Slow"]["activeAt"]);
  EXPECT_EQ(Ours()["Told"]["activeAt"], ours["Told"]["activeAt"]);
  EXPECT_TRUE(settled(Ours()));
  ASSERT_TRUE(WaitUntil([&] { return Theirs().size() >= 2; }));
  EXPECT_GT(Theirs()["Slow"]["activeAt"].dump(), theirs["Slow"]["activeAt"].dump());
  EXPECT_GT(Theirs()["Told"]["activeAt"].dump(), theirs["Told"]["activeAt"].dump());
  EXPECT_EQ(Theirs().count("Kept"), 0u);
  // And so it stays once the first evaluations are over.
  EXPECT_TRUE(WaitUntil([&] {
    const json groups = asker_.Json(daemon_->Url("/api/v1/rules"))["data"]["groups"];
    const auto evaluated = ParseTime(groups[0]["lastEvaluation"].get<std::string>());
    return evaluated.ok() && *evaluated > restarted + seconds(2);
  }));
  EXPECT_TRUE(settled(Ours()));
  EXPECT_EQ(Ours()["Slow"]["activeAt"], ours["Slow"]["activeAt"]);
}

}  // namespace
}  // namespace tocsin::testing
