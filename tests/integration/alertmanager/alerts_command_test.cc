// `tocsin alerts` against the built daemon: the rules' alerts and those of others in one
// list, with what keeps them quiet.

#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <sstream>

#include "tests/integration/alertmanager/ask.h"
#include "tests/support/http_server.h"

namespace tocsin::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class AlertsCommandTest : public ::testing::Test {
 protected:
  void Start() {
    std::ofstream(folder_.File("rules.yaml"))
        << "groups: [ { name: queues, rules: [\n"
           "  { alert: Long, expr: queue > 5, annotations: { summary: a queue is long } },\n"
           "  { alert: Longer, expr: queue > 6, for: 1h } ] } ]\n";
    std::ofstream(folder_.File("alertmanager.yml"))
        << "route: { receiver: nobody, group_wait: 0s }\nreceivers: [ { name: nobody } ]\n"
           "inhibit_rules: [ { source_matchers: [ alertname=Loud ], "
           "target_matchers: [ alertname=Faint ] } ]\n";
    auto started = DaemonProcess::Start(
        "interval: 1s\nlabels: { cluster: c1 }\nprometheus: [ { name: app, url: \"" +
        app_.Url("/metrics") + "\", timeout: 1s } ]\nrules: [ " + folder_.File("rules.yaml") +
        " ]\nalerting: " + folder_.File("alertmanager.yml") + "\n");
    ASSERT_TRUE(started.ok()) << started.error().message;
    daemon_ = *std::move(started);
  }

  FinishedProcess Run(std::vector<std::string> words) {
    words.push_back("--url=" + daemon_->Url(""));
    return RunTocsin(std::move(words));
  }

  // Each line up to its labels' end and its summary, without the time.
  std::vector<std::string> Table() {
    std::vector<std::string> lines;
    std::istringstream output(Run({"alerts"}).output);
    for (std::string line; std::getline(output, line);) {
      EXPECT_THAT(line, HasSubstr("  since 20"));
      lines.push_back(line.substr(0, line.find("  since ")));
    }
    return lines;
  }

  std::atomic<bool> answers_ = true;
  HttpServer app_{[this](const ServedRequest&) {
    ServedAnswer answer;
    answer.status = answers_ ? 200 : 500;
    answer.body = "queue 9\n";
    return answer;
  }};
  TemporaryFolder folder_;
  std::unique_ptr<DaemonProcess> daemon_;
};

TEST_F(AlertsCommandTest, OnesOwnAndOthersWithWhatKeepsThemQuiet) {
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_TRUE(daemon_->WaitForAlert("Long", "firing"));
  const json posted = json::parse(R"([{"labels":{"alertname":"Loud"}},
      {"labels":{"alertname":"Faint"},"annotations":{"summary":"hardly heard"}}])");
  ASSERT_EQ(Asker().Ask("POST", daemon_->Url("/api/v2/alerts"), posted.dump()).status, 200);
  ASSERT_EQ(Run({"silence", "add", "Long", "-c", "x"}).status, 0);
  const std::string target =
      R"(, instance="127.0.0.1:)" + std::to_string(app_.port()) + R"(", job="prometheus"})";
  const std::vector<std::string> wanted = {
      R"(firing, silenced   {alertname="Long")" + target + "  a queue is long",
      R"(pending            {alertname="Longer")" + target,
      R"(firing, inhibited  {alertname="Faint"}  hardly heard)",
      R"(firing             {alertname="Loud"})"};
  ASSERT_TRUE(WaitUntil([&] { return Table() == wanted; }))
      << ::testing::PrintToString(Table()) << "\nwanted " << ::testing::PrintToString(wanted);

  const json alerts = json::parse(Run({"alerts", "--json"}).output)["alerts"];
  ASSERT_EQ(alerts.size(), 4u);
  EXPECT_EQ(alerts[0]["silencedBy"].size(), 1u);
  EXPECT_EQ(alerts[2]["state"], "firing");

  answers_ = false;
  EXPECT_TRUE(WaitUntil([&] {
    const std::vector<std::string> table = Table();
    return table.size() == 4 && table[0].starts_with("firing, held, silenced  {alertname=\"Long") &&
           table[1].starts_with("pending, held           {alertname=\"Longer");
  })) << ::testing::PrintToString(Table());
}

TEST_F(AlertsCommandTest, SaysThatThereAreNone) {
  auto started = DaemonProcess::Start("rules: []\n");
  ASSERT_TRUE(started.ok()) << started.error().message;
  daemon_ = *std::move(started);
  EXPECT_EQ(Run({"alerts"}).output, "no alerts\n");
  EXPECT_EQ(json::parse(Run({"alerts", "--json"}).output)["alerts"], json::array());
}

}  // namespace
}  // namespace tocsin::testing
