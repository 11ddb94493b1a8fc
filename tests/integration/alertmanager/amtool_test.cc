// Debian's amtool against the built program: what an operator types today works.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>

#include "daemon/base/text.h"
#include "tests/integration/alertmanager/ask.h"
#include "tests/support/http_server.h"

namespace tocsin::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kConfig = R"(
route:
  receiver: nobody
  group_by: [alertname]
  group_wait: 1m
  routes:
  - { matchers: ['team="db"'], receiver: pager }
receivers:
- name: nobody
- name: pager
  pagerduty_configs: [ { routing_key: 0123456789abcdef0123456789abcdef, url: 'http://127.0.0.1:1/' } ]
  slack_configs: [ { api_url: 'http://127.0.0.1:1/slack', channel: '#db' } ]
inhibit_rules:
- { source_matchers: ['severity="critical"'], target_matchers: ['severity="warning"'], equal: [team] }
time_intervals:
- { name: nights, time_intervals: [ { times: [ { start_time: '22:00', end_time: '24:00' } ] } ] }
)";

class AmtoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(tocsin_.ok());
    url_ = tocsin_.Url("");
  }

  FinishedProcess Run(std::vector<std::string> words) {
    ProcessOptions options;
    options.argv = {"amtool", "--alertmanager.url=" + url_};
    options.argv.insert(options.argv.end(), words.begin(), words.end());
    options.environment = {{"HOME", folder_.path()}};  // No configuration of its own.
    options.output = folder_.File(fmt::format("amtool.{}.out", ++runs_));
    auto finished = RunProcess(options);
    EXPECT_TRUE(finished.ok()) << "install prometheus-alertmanager: " << finished.error().message;
    return finished.ok() ? *finished : FinishedProcess{};
  }
  // The output of a run that must end well.
  std::string Amtool(std::vector<std::string> words) {
    const FinishedProcess finished = Run(std::move(words));
    EXPECT_EQ(finished.status, 0) << finished.output;
    // It compares versions, too.
    EXPECT_THAT(finished.output, Not(HasSubstr("Warning")));
    return finished.output;
  }
  std::string AmtoolLine(std::vector<std::string> words) {
    return std::string(TrimSpace(Amtool(std::move(words))));
  }

  AlertmanagerInTocsin tocsin_{kConfig};
  TemporaryFolder folder_;
  std::string url_;
  int runs_ = 0;
};

TEST_F(AmtoolTest, AlertsAreAddedAndFound) {
  Amtool({"alert", "add", "Full", "team=db", "severity=critical", "--annotation=summary=disk full",
          "--generator-url=http://p/graph"});
  Amtool({"alert", "add", "Slow", "team=db", "severity=warning"});
  Amtool({"alert", "add", "Slow", "team=web", "severity=warning"});

  EXPECT_THAT(Amtool({"alert", "query", "Full"}), HasSubstr("disk full"));
  const std::string active = Amtool({"alert", "query", "-o", "extended"});
  EXPECT_THAT(active, HasSubstr("team=\"web\""));
  EXPECT_THAT(active, Not(HasSubstr("alertname=\"Slow\" severity=\"warning\" team=\"db\"")));
  const json inhibited = json::parse(Amtool({"alert", "query", "-i", "-o", "json"}));
  ASSERT_EQ(inhibited.size(), 1u);
  EXPECT_EQ(inhibited[0]["status"]["state"], "suppressed");
  EXPECT_EQ(inhibited[0]["status"]["inhibitedBy"].size(), 1u);
  EXPECT_EQ(json::parse(Amtool({"alert", "query", "-r", "pag.r", "-o", "json"})).size(), 1u);
  EXPECT_EQ(
      json::parse(Amtool({"alert", "query", "alertname=~S.*", "team!=db", "-o", "json"})).size(),
      1u);

  const std::string past = FormatTime(SystemClock().WallNow() - std::chrono::seconds(1));
  Amtool({"alert", "add", "Full", "team=db", "severity=critical", "--end=" + past});
  EXPECT_THAT(Amtool({"alert", "query", "Full"}), Not(HasSubstr("Full")));
}

TEST_F(AmtoolTest, ASilenceIsAddedChangedExpiredAndImported) {
  Amtool({"alert", "add", "Full", "team=db"});
  const std::string id = AmtoolLine({"silence", "add", "Full", "team=~d.", "instance!=x", "-c",
                                     "mending it", "-a", "ann", "-d", "2h"});
  ASSERT_EQ(id.size(), 36u) << id;
  EXPECT_EQ(AmtoolLine({"silence", "query", "-q", "Full"}), id);
  EXPECT_THAT(Amtool({"silence", "query", "--created-by=ann"}), HasSubstr("mending it"));
  EXPECT_EQ(AmtoolLine({"silence", "query", "-q", "--within=1h"}), "");
  EXPECT_THAT(Amtool({"alert", "query", "Full"}), Not(HasSubstr("Full")));
  EXPECT_THAT(Amtool({"alert", "query", "-s"}), HasSubstr("Full"));

  Amtool({"silence", "update", "-d", "3h", "-c", "longer", id});
  EXPECT_EQ(AmtoolLine({"silence", "query", "-q"}), id);
  const std::string exported = Amtool({"silence", "query", "-o", "json"});
  ASSERT_EQ(json::parse(exported).size(), 1u);
  EXPECT_EQ(json::parse(exported)[0]["comment"], "longer");

  Amtool({"silence", "expire", id});
  EXPECT_EQ(AmtoolLine({"silence", "query", "-q"}), "");
  EXPECT_EQ(AmtoolLine({"silence", "query", "-q", "--expired"}), id);
  EXPECT_THAT(Amtool({"alert", "query", "Full"}), HasSubstr("Full"));

  // What has expired comes back under a new id, and so does what another server had.
  json silences = json::parse(exported);
  silences[0]["id"] = "11111111-1111-1111-1111-111111111111";
  for (const std::string& text : {exported, silences.dump()}) {
    std::ofstream(folder_.File("silences.json")) << text;
    EXPECT_EQ(AmtoolLine({"silence", "import", folder_.File("silences.json")}).size(), 36u);
  }
  EXPECT_EQ(json::parse(Amtool({"silence", "query", "-o", "json"})).size(), 2u);
  EXPECT_EQ(Run({"silence", "expire", "22222222-2222-2222-2222-222222222222"}).status, 1);
  EXPECT_EQ(Run({"silence", "add", "a=~.*", "-c", "everything"}).status, 1);
}

TEST_F(AmtoolTest, TheConfigurationIsShownWithoutItsSecrets) {
  const std::string shown = Amtool({"config", "show"});
  EXPECT_THAT(shown, HasSubstr("pager"));
  EXPECT_THAT(shown, HasSubstr("<secret>"));
  EXPECT_THAT(shown, Not(HasSubstr("0123456789abcdef")));
  EXPECT_THAT(Amtool({"cluster", "show"}), HasSubstr("disabled"));

  // amtool reads it back: the routes of the running daemon, and as a file.
  EXPECT_THAT(Amtool({"config", "routes"}), HasSubstr("{team=\"db\"}  receiver: pager"));
  EXPECT_EQ(AmtoolLine({"config", "routes", "test", "team=db"}), "pager");
  EXPECT_EQ(AmtoolLine({"config", "routes", "test", "team=web"}), "nobody");
  std::ofstream(folder_.File("shown.yml")) << shown;
  EXPECT_THAT(Amtool({"check-config", folder_.File("shown.yml")}), HasSubstr("2 receivers"));
}

// The short form, which names no label that its inhibition must be equal in.
TEST_F(AmtoolTest, WhatTheShortFormStandsForIsAnAlertmanagersFile) {
  auto started = DaemonProcess::Start(
      "rules: []\nnotify: { slack: { webhook_url: 'http://127.0.0.1:1/' }, pagerduty: { "
      "routing_key: "
      "k } }\n");
  ASSERT_TRUE(started.ok()) << started.error().message;
  url_ = (*started)->Url("");
  EXPECT_THAT(Amtool({"config", "routes"}), HasSubstr("receiver: on-call"));
  EXPECT_EQ(AmtoolLine({"config", "routes", "test", "severity=critical"}), "on-call");
  EXPECT_EQ(AmtoolLine({"config", "routes", "test", "severity=warning"}), "chat");

  std::ofstream(folder_.File("tocsin.yaml"))
      << "notify: { slack: { webhook_url: 'http://127.0.0.1:1/' }, webhook: { url: "
         "'http://127.0.0.1:1/' } }\n";
  const auto printed = RunTocsin({"check", "alerting", "--print", folder_.File("tocsin.yaml")});
  ASSERT_EQ(printed.status, 0) << printed.output;
  std::ofstream(folder_.File("printed.yml")) << printed.output;
  const std::string checked = Amtool({"check-config", folder_.File("printed.yml")});
  EXPECT_THAT(checked, HasSubstr("1 inhibit rules"));
  EXPECT_THAT(checked, HasSubstr("2 receivers"));
}

TEST_F(AmtoolTest, ASilenceOutlivesKillNineTheMomentAmtoolHasItsId) {
  const std::string id = AmtoolLine({"silence", "add", "Full", "-c", "mending"});
  ASSERT_TRUE(tocsin_.daemon().KillAndStart().ok());
  EXPECT_EQ(AmtoolLine({"silence", "query", "-q"}), id);
}

}  // namespace
}  // namespace tocsin::testing
