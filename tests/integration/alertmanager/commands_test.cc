// `tocsin silence`, `tocsin notify test` and `tocsin explain` against the built daemon.

#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "daemon/base/text.h"
#include "tests/integration/alertmanager/ask.h"
#include "tests/support/http_server.h"

namespace tocsin::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

class CommandsTest : public ::testing::Test {
 protected:
  // With the daemon's address behind the words.
  FinishedProcess Ask(std::vector<std::string> words) {
    words.push_back("--url=" + url_);
    return RunTocsin(std::move(words));
  }
  std::string Good(std::vector<std::string> words) {
    const FinishedProcess finished = Ask(std::move(words));
    EXPECT_EQ(finished.status, 0) << finished.output;
    return std::string(TrimSpace(finished.output));
  }

  TemporaryFolder folder_;
  std::string url_;
};

class SilenceCommandTest : public CommandsTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(tocsin_.ok());
    url_ = tocsin_.Url("");
  }
  AlertmanagerInTocsin tocsin_{"route: { receiver: nobody }\nreceivers: [ { name: nobody } ]\n"};
};

TEST_F(SilenceCommandTest, AddsListsAndExpires) {
  const std::string id = Good({"silence", "add", "PoolFull", "instance=~db.+", "team!=web", "-d",
                               "30m", "-c", "resizing", "-a", "ann"});
  ASSERT_EQ(id.size(), 36u) << id;
  const json silence = Asker().Json(url_ + "/api/v2/silence/" + id);
  EXPECT_EQ(silence["createdBy"], "ann");
  EXPECT_EQ(silence["matchers"], json::parse(R"([
      {"isEqual":true,"isRegex":false,"name":"alertname","value":"PoolFull"},
      {"isEqual":true,"isRegex":true,"name":"instance","value":"db.+"},
      {"isEqual":false,"isRegex":false,"name":"team","value":"web"}])"));
  const auto left = ParseTime(silence["endsAt"].get<std::string>()).value() -
                    ParseTime(silence["startsAt"].get<std::string>()).value();
  EXPECT_NEAR(ToSeconds(left), 1800, 2);

  EXPECT_THAT(
      Good({"silence", "list"}),
      HasSubstr("alertname=\"PoolFull\", instance=~\"db.+\", team!=\"web\"  ann: resizing"));
  EXPECT_THAT(Good({"silence", "list", "PoolFull"}), HasSubstr(id));
  EXPECT_EQ(Good({"silence", "list", "Other"}), "no silences");
  EXPECT_EQ(json::parse(Good({"silence", "list", "--json"})).size(), 1u);

  EXPECT_EQ(json::parse(Good({"silence", "expire", id, "--json"})), json({{"expired", {id}}}));
  EXPECT_EQ(Good({"silence", "list"}), "no silences");
  EXPECT_THAT(Good({"silence", "list", "--expired"}), HasSubstr(id));
}

TEST_F(SilenceCommandTest, SaysWhatIsWrong) {
  const auto fails = [&](std::vector<std::string> words, int status, const std::string& why) {
    const FinishedProcess finished = Ask(std::move(words));
    EXPECT_EQ(finished.status, status) << finished.output;
    EXPECT_THAT(finished.output, HasSubstr(why));
  };
  fails({"silence", "add", "instance=~("}, 2, "error parsing regexp");
  fails({"silence", "add", "A", "-d", "soon"}, 2, "soon");
  fails({"silence", "add", "A", "--end", "soon"}, 2, "not a valid time");
  fails({"silence", "add"}, 2, "MATCHER");
  fails({"silence", "add", "job~node"}, 2, "write 'job=~node' for a regular expression");
  fails({"silence", "list", "~x"}, 2, "or 'alertname=~x' for an alert of that name");
  fails({"silence", "add", "A", "-d", "1h", "--end", "2030-01-01T00:00:00Z"}, 2, "--duration");
  fails({"silence", "add", "instance=~.*"}, 1, "must not match the empty string");
  fails({"silence", "add", "A", "--end", "2020-01-01T00:00:00Z"}, 1, "must be after the start");
  fails({"silence", "expire", "11111111-1111-1111-1111-111111111111"}, 1, "silence not found");
  fails({"silence", "expire", "nonsense"}, 1, "uuid");
  url_ = "http://127.0.0.1:1";
  fails({"silence", "list"}, 1, "cannot ask http://127.0.0.1:1");
  fails({"silence", "add", "A"}, 1, "cannot ask http://127.0.0.1:1");
}

TEST(ProtectedDaemonTest, ASilenceNeedsItsCredentials) {
  TemporaryFolder folder;
  std::ofstream(folder.File("token")) << "s3cret\n";
  auto started =
      DaemonProcess::Start("rules: []\nweb: { bearer_token_file: " + folder.File("token") + " }\n");
  ASSERT_TRUE(started.ok()) << started.error().message;
  const std::string url = "--url=" + (*started)->Url("");
  const auto refused = RunTocsin({"silence", "add", "A", url});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.output, HasSubstr("wants credentials"));
  const std::string token = "--token-file=" + folder.File("token");
  const auto added = RunTocsin({"silence", "add", "A", url, token, "-c", "x"});
  EXPECT_EQ(added.status, 0) << added.output;
  const std::string id(TrimSpace(added.output));
  EXPECT_EQ(id.size(), 36u) << id;
  EXPECT_EQ(RunTocsin({"silence", "expire", id, url, token}).status, 0);
}

// A receiver with a webhook that works and a Slack that does not.
class NotifyTestCommandTest : public ::testing::Test {
 protected:
  FinishedProcess Test(std::vector<std::string> words) {
    std::ofstream(folder_.File("alertmanager.yml"))
        << "route: { receiver: both }\n"
           "receivers:\n"
           "- name: both\n"
           "  slack_configs: [ { channel: '#db', api_url: '"
        << server_.Url("/slack/TOPSECRET")
        << "' } ]\n"
           "  webhook_configs: [ { url: '"
        << server_.Url("/hook")
        << "' } ]\n"
           "- name: hook\n"
           "  webhook_configs: [ { url: '"
        << server_.Url("/hook")
        << "' } ]\n"
           "- name: broken\n"
           "  slack_configs: [ { channel: '#db', text: '{{ index .Alerts 7 }}', api_url: '"
        << server_.Url("/fine")
        << "' } ]\n"
           "- name: nobody\n";
    words.insert(words.begin(), {"notify", "test", "-c", folder_.File("alertmanager.yml")});
    return RunTocsin(std::move(words));
  }

  HttpServer server_{[](const ServedRequest& request) {
    ServedAnswer answer;
    answer.status = request.target.starts_with("/slack") ? 403 : 200;
    answer.body = request.target.starts_with("/slack") ? "no_service" : "";
    return answer;
  }};
  TemporaryFolder folder_;
};

TEST_F(NotifyTestCommandTest, EveryIntegrationIsTriedAndSaysHowItWent) {
  const FinishedProcess finished = Test({"both"});
  EXPECT_EQ(finished.status, 1);
  EXPECT_THAT(finished.output, HasSubstr("both/webhook/0: delivered"));
  EXPECT_THAT(finished.output, HasSubstr("both/slack/0: "));
  EXPECT_THAT(finished.output, HasSubstr("403"));
  EXPECT_THAT(finished.output, Not(HasSubstr("TOPSECRET")));
}

TEST_F(NotifyTestCommandTest, TellsTheAlertAndItsEnd) {
  const FinishedProcess finished = Test({"hook", "--json"});
  EXPECT_EQ(finished.status, 0) << finished.output;
  EXPECT_EQ(json::parse(finished.output), json::parse(R"([{"receiver":"hook",
      "integration":"hook/webhook/0","delivered":true,"error":"","notes":[]}])"));
  ASSERT_EQ(server_.requests().size(), 2u);
  const json told = json::parse(server_.requests()[0].body);
  EXPECT_EQ(told["status"], "firing");
  EXPECT_EQ(told["alerts"][0]["labels"]["alertname"], "TocsinTest");
  EXPECT_EQ(json::parse(server_.requests()[1].body)["status"], "resolved");
}

TEST_F(NotifyTestCommandTest, AMessageThatIsNotAsMeantIsAFindingThoughItWasTaken) {
  const FinishedProcess finished = Test({"broken"});
  EXPECT_EQ(finished.status, 1);
  EXPECT_THAT(finished.output, HasSubstr("broken/slack/0: delivered\n  but its message: template"));
  EXPECT_THAT(finished.output, HasSubstr("index out of range: 7"));
  const json report = json::parse(Test({"broken", "--json"}).output);
  EXPECT_EQ(report[0]["delivered"], true);
  EXPECT_EQ(report[0]["notes"].size(), 1u);
}

TEST_F(NotifyTestCommandTest, AnUnknownReceiverOrNoneListsThoseThereAre) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"nonsense"}, std::vector<std::string>{}}) {
    const FinishedProcess finished = Test(words);
    EXPECT_EQ(finished.status, 2);
    EXPECT_THAT(finished.output, HasSubstr("both, hook, broken, nobody"));
  }
  EXPECT_TRUE(server_.requests().empty());
  EXPECT_EQ(Test({"--all"}).status, 1);
}

// A probe that fails, a rule over it, a pager that refuses at first.
class ExplainCommandTest : public CommandsTest {
 protected:
  void Start() {
    std::ofstream(folder_.File("rules.yaml"))
        << "groups: [ { name: probes, rules: [\n"
           "  { alert: Down, expr: probe_success == 0, labels: { severity: critical } },\n"
           "  { alert: Fine, expr: probe_success == 7 } ] } ]\n";
    std::ofstream(folder_.File("alertmanager.yml"))
        << "route: { receiver: pager, group_wait: 0s, group_interval: 1s, routes: [ { matchers: "
           "['alertname=Quiet'], receiver: pager } ] }\n"
           "receivers: [ { name: pager, webhook_configs: [ { url: '"
        << pager_.Url("/hook") << "' } ] } ]\n";
    auto started = DaemonProcess::Start(
        "interval: 1s\nlabels: { cluster: c1 }\nhttp: [ { name: probe, url: \"" +
        watched_.Url("/health") + "\", timeout: 1s } ]\nrules: [ " + folder_.File("rules.yaml") +
        " ]\nalerting: " + folder_.File("alertmanager.yml") + "\n");
    ASSERT_TRUE(started.ok()) << started.error().message;
    daemon_ = *std::move(started);
    url_ = daemon_->Url("");
  }
  json Explained(const std::string& alert) {
    return json::parse(Good({"explain", alert, "--json"}), nullptr, false);
  }

  std::atomic<bool> healthy_ = false;
  std::atomic<bool> refuses_ = true;
  HttpServer watched_{[this](const ServedRequest&) {
    ServedAnswer answer;
    answer.status = healthy_ ? 200 : 500;
    return answer;
  }};
  HttpServer pager_{[this](const ServedRequest&) {
    ServedAnswer answer;
    answer.status = refuses_ ? 503 : 200;
    return answer;
  }};
  std::unique_ptr<DaemonProcess> daemon_;
};

TEST_F(ExplainCommandTest, FromTheRuleToEachAttempt) {
  Start();
  if (HasFatalFailure()) return;
  ASSERT_TRUE(daemon_->WaitForAlert("Down", "firing"));
  ASSERT_TRUE(WaitUntil([&] {
    const json data = Explained("Down");
    return data["alerts"].size() == 1 && data["alerts"][0]["deliveries"].size() == 1 &&
           !data["alerts"][0]["deliveries"][0]["attempts"].empty();
  }));
  const json refused = Explained("Down")["alerts"][0];
  EXPECT_EQ(refused["labels"]["cluster"], "c1");
  EXPECT_EQ(refused["rule"]["group"], "probes");
  EXPECT_EQ(refused["rule"]["state"], "firing");
  EXPECT_EQ(refused["notify"]["state"], "active");
  EXPECT_EQ(refused["deliveries"][0]["attempts"][0]["outcome"], "to be tried again");
  EXPECT_EQ(refused["deliveries"][0]["waiting"].size(), 1u);
  EXPECT_EQ(refused["deliveries"][0]["groupInterval"], "1s");
  EXPECT_EQ(refused["deliveries"][0]["told"], false);
  EXPECT_EQ(refused["deliveries"][0]["queued"], true);
  EXPECT_THAT(Good({"explain", "Down"}), HasSubstr("told       not yet, it waits"));

  refuses_ = false;
  ASSERT_TRUE(WaitUntil(
      [&] { return Explained("Down")["alerts"][0]["deliveries"][0]["waiting"].empty(); }));
  Good({"silence", "add", "Down", "-c", "mending", "-a", "ann"});
  const std::string text = Good({"explain", "alertname=Down,severity=critical"});
  for (const char* part :
       {"{alertname=\"Down\", cluster=\"c1\", ", "\"Down\" of group \"probes\"",
        "probe_success == 0", "firing, value 0, since ", "suppressed, firing since ",
        "silenced   by {alertname=\"Down\"} until ", "ann: mending", "-> pager/webhook/0",
        "waits 0s, then every 1s, repeats after 4h", "yes, it is open there", "first notification",
        "would not tell: ", "firing: to be tried again, ", "firing: delivered"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  // A new process knows what was told, and that it has not attempted anything itself.
  ASSERT_TRUE(daemon_->KillAndStart().ok());
  const std::string afterwards = Good({"explain", "Down"});
  EXPECT_THAT(afterwards, HasSubstr("yes, it is open there"));
  EXPECT_THAT(afterwards, HasSubstr("none since the daemon's start, "));
  // By its fingerprint too.
  EXPECT_THAT(Good({"explain", refused["fingerprint"].get<std::string>()}), HasSubstr("Down"));

  // It ends, somebody is told, and what was told is still known.
  healthy_ = true;
  json past;
  ASSERT_TRUE(WaitUntil([&] {
    past = Explained("Down");
    return past["alerts"].empty() && !past["past"].empty() &&
           past["past"].back()["tells"] == "resolved";
  })) << past.dump(1);
  EXPECT_EQ(past["idleRules"][0]["name"], "Down");
}

TEST_F(ExplainCommandTest, ARuleWithoutAlertsAndWhatIsNotThere) {
  Start();
  if (HasFatalFailure()) return;
  EXPECT_THAT(Good({"explain", "Fine"}), HasSubstr("no such alert"));
  const FinishedProcess unknown = Ask({"explain", "Nonsense"});
  EXPECT_EQ(unknown.status, 1);
  EXPECT_THAT(unknown.output, HasSubstr("no alert and no rule is \"Nonsense\""));
  EXPECT_EQ(Ask({"explain", "a=~("}).status, 1);
  EXPECT_EQ(Ask({"explain"}).status, 2);
}

TEST_F(ExplainCommandTest, AnAlertWhoseSourceDoesNotAnswerIsHeldAndSaysWhy) {
  std::atomic<bool> answers = true;
  HttpServer app([&](const ServedRequest&) {
    ServedAnswer answer;
    answer.status = answers ? 200 : 500;
    answer.body = "queue 9\n";
    return answer;
  });
  std::ofstream(folder_.File("rules.yaml")) << "groups: [ { name: g, rules: [ { alert: Long, expr: "
                                               "queue > 5 }, { alert: Soon, expr: queue > 6, for: "
                                               "1h } ] } ]\n";
  std::ofstream(folder_.File("alertmanager.yml"))
      << "route: { receiver: nobody }\nreceivers: [ { name: nobody } ]\n";
  auto started = DaemonProcess::Start("interval: 1s\nprometheus: [ { name: app, url: \"" +
                                      app.Url("/metrics") + "\", timeout: 1s } ]\nrules: [ " +
                                      folder_.File("rules.yaml") +
                                      " ]\nalerting: " + folder_.File("alertmanager.yml") + "\n");
  ASSERT_TRUE(started.ok()) << started.error().message;
  daemon_ = *std::move(started);
  url_ = daemon_->Url("");
  ASSERT_TRUE(daemon_->WaitForAlert("Long", "firing"));
  const std::string pending = Good({"explain", "Soon"});
  EXPECT_THAT(pending, HasSubstr("pending, value 9, since "));
  EXPECT_THAT(pending, HasSubstr("fires after 1h"));
  EXPECT_THAT(pending, HasSubstr("does not know it: nobody is told"));
  answers = false;
  EXPECT_TRUE(WaitUntil([&] {
    const json rule = Explained("Long")["alerts"][0]["rule"];
    return rule["state"] == "firing" && !rule["holdReason"].get<std::string>().empty();
  }));
  EXPECT_THAT(Good({"explain", "Long"}), HasSubstr("  held       "));
}

TEST_F(ExplainCommandTest, OfManyAlertsAHundredAreExplainedAndTheOthersCounted) {
  Start();
  if (HasFatalFailure()) return;
  json alerts = json::array();
  for (int i = 0; i < 103; ++i) {
    alerts.push_back({{"labels", {{"alertname", "Many"}, {"number", std::to_string(i)}}}});
  }
  ASSERT_EQ(Asker().Ask("POST", url_ + "/api/v2/alerts", alerts.dump()).status, 200);
  const json data = Explained("Many");
  EXPECT_EQ(data["alerts"].size(), 100u);
  EXPECT_EQ(data["leftOut"], 3);
  EXPECT_THAT(Good({"explain", "Many"}), HasSubstr("3 more alerts match: ask for fewer"));
  const json fewer = Explained("alertname=Many,number=~1..");
  EXPECT_EQ(fewer["alerts"].size(), 3u);
  EXPECT_FALSE(fewer.contains("leftOut"));
}

TEST_F(ExplainCommandTest, AnAlertFromElsewhere) {
  Start();
  if (HasFatalFailure()) return;
  Asker().Ask("POST", url_ + "/api/v2/alerts", R"([{"labels":{"alertname":"Foreign"}}])");
  EXPECT_THAT(Good({"explain", "Foreign"}), HasSubstr("somebody else sends it"));
}

}  // namespace
}  // namespace tocsin::testing
