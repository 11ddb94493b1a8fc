// Firing alerts that Prometheus speaks of no more, side by side: there they run out in
// Alertmanager, here they stay or end at once. Rows of README's table of differences.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/text.h"
#include "tests/integration/alertmanager/ask.h"
#include "tests/integration/rules/hook.h"
#include "tests/support/alertmanager_server.h"
#include "tests/support/prometheus_server.h"

namespace tocsin::testing {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;

constexpr const char* kRemoved = "  - { alert: Removed, expr: vector(1) }\n";

class LapseSideBySideTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fails_from_ = SystemClock().WallNow() + seconds(10);
    WriteRules(kRemoved);
    auto alertmanager = AlertmanagerServer::Start(Alerting(theirs_));
    ASSERT_TRUE(alertmanager.ok()) << alertmanager.error().message;
    alertmanager_ = *std::move(alertmanager);
    // What nobody speaks of runs out after four of the delays.
    auto prometheus = PrometheusServer::Start(
        "global: { evaluation_interval: 1s }\nrule_files: [ '" + folder_.File("rules.yml") +
            "' ]\nalerting: { alertmanagers: [ { static_configs: [ "
            "{ targets: [ '" +
            alertmanager_->Url("").substr(7) + "' ] } ] } ] }\n",
        {"--rules.alert.resend-delay=2s", "--web.enable-lifecycle"});
    ASSERT_TRUE(prometheus.ok()) << prometheus.error().message;
    prometheus_ = *std::move(prometheus);
    theirs_.rules_url = prometheus_->Url("");
    std::ofstream(folder_.File("alertmanager.yml")) << Alerting(ours_);
    auto daemon = DaemonProcess::Start("interval: 1s\nrules_evaluation: slots\nrules: [ '" +
                                       folder_.File("rules.yml") + "' ]\nalerting: '" +
                                       folder_.File("alertmanager.yml") + "'\n");
    ASSERT_TRUE(daemon.ok()) << daemon.error().message;
    daemon_ = *std::move(daemon);
    ours_.rules_url = daemon_->Url("");
  }

  // The query of "Fails" has two series to choose from, and fails, from a moment on.
  void WriteRules(const std::string& more) {
    const std::string from = std::to_string(ToUnixMillis(fails_from_) / 1000);
    std::ofstream(folder_.File("rules.yml"))
        << "groups:\n- name: g\n  interval: 1s\n  rules:\n  - alert: Fails\n    expr: >-\n"
           "      vector(1) * on () group_left ()\n"
           "      (label_replace(vector(1), \"n\", \"1\", \"\", \"\")\n"
           "       or label_replace(vector(time()) > "
        << from << ", \"n\", \"2\", \"\", \"\"))\n"
        << more;
  }

  std::string Alerting(const Side& side) const {
    return "route: { receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s }\n"
           "receivers: [ { name: hook, webhook_configs: [ { url: '" +
           hook_.Url(side) + "/hook' } ] } ]\n";
  }

  std::vector<std::string> Told(const Side& side, const std::string& alert) const {
    return hook_.Told(side, "hook", alert);
  }
  bool WaitForEnd(const Side& side, const std::string& alert) const {
    return WaitUntil([&] {
      return Told(side, alert) == std::vector<std::string>{"firing", "resolved"};
    });
  }

  WallTime fails_from_;
  Side theirs_{"theirs", "", ""};
  Side ours_{"ours", "", ""};
  Hook hook_;
  Asker asker_;
  TemporaryFolder folder_;
  std::unique_ptr<AlertmanagerServer> alertmanager_;
  std::unique_ptr<PrometheusServer> prometheus_;
  std::unique_ptr<DaemonProcess> daemon_;
};

TEST_F(LapseSideBySideTest, AFailingQueryEndsNothingAndARemovedRuleEndsItsAlertAtOnce) {
  for (const Side* side : {&theirs_, &ours_}) {
    for (const char* alert : {"Fails", "Removed"}) {
      ASSERT_TRUE(WaitUntil([&] { return !Told(*side, alert).empty(); })) << side->name << alert;
    }
  }
  ASSERT_LT(SystemClock().WallNow(), fails_from_) << "the machine is too slow";
  ASSERT_TRUE(WaitForEnd(theirs_, "Fails")) << "the failing rule's alert has not run out";
  EXPECT_THAT(Told(ours_, "Fails"), ElementsAre("firing"));
  EXPECT_THAT(daemon_->Get("/api/v1/rules").body, ::testing::HasSubstr("\"health\":\"err\""));

  WriteRules("");
  for (const Side* side : {&theirs_, &ours_}) {
    EXPECT_EQ(asker_.Ask("POST", side->rules_url + "/-/reload").status, 200) << side->name;
  }
  ASSERT_TRUE(WaitForEnd(ours_, "Removed"));
  ASSERT_TRUE(WaitForEnd(theirs_, "Removed"));
  EXPECT_LT(hook_.Accepted(ours_, "hook").back().at, hook_.Accepted(theirs_, "hook").back().at);
  EXPECT_THAT(Told(ours_, "Fails"), ElementsAre("firing"));
}

}  // namespace
}  // namespace tocsin::testing
