// Which alertmanager.yml is taken: amtool 0.25's verdict beside `tocsin check alerting`,
// where they differ on purpose or are to agree about something newer. Rows of README's table.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/support/daemon_process.h"

namespace tocsin::testing {
namespace {

struct Case {
  std::string name;
  std::string theirs;  // A part of amtool's complaint; empty: taken.
  std::string ours;    // A part of ours.
  std::string config;
};

void PrintTo(const Case& of, std::ostream* out) { *out << of.name; }

std::string Receiver(const std::string& settings) {
  return "route: { receiver: r }\nreceivers:\n- { name: r, " + settings + " }\n";
}
std::string Slack(const std::string& settings) {
  return Receiver("slack_configs: [ { api_url: 'http://127.0.0.1:1/', " + settings + " } ]");
}
const std::string kHook = "webhook_configs: [ { url: 'http://127.0.0.1:1/' } ]";

const Case kCases[] = {
    {"ATextThatIsNoTemplate", "", "function \"nothing\" not defined",
     Slack("text: '{{ nothing }}'")},
    {"EqualEveryLabel", "is not a valid label name", "",
     Receiver(kHook) + "inhibit_rules: [ { source_matchers: [a=b], target_matchers: [a=c], "
                       "equal: ['...'] } ]\n"},
    {"ARoutesLabels", "field labels not found", "",
     "route: { receiver: r, labels: { team: db } }\nreceivers: [ { name: r, " + kHook + " } ]\n"},
    {"SlacksUpdateMessage", "field update_message not found", "update_message",
     Slack("update_message: true")},
    {"PagerDutysNestedDetails", "cannot unmarshal", "details",
     Receiver("pagerduty_configs: [ { routing_key: k, details: { a: { b: c } } } ]")},
    {"AWebhooksPayload", "field payload not found", "payload",
     Receiver("webhook_configs: [ { url: 'http://127.0.0.1:1/', payload: { a: b } } ]")},
    {"AReceiverOfAnotherKind", "", "opsgenie_configs",
     Receiver("opsgenie_configs: [ { api_key: k } ]")},
    {"OAuth2", "", "oauth2",
     Receiver(
         "webhook_configs: [ { url: 'http://127.0.0.1:1/', http_config: { oauth2: { client_id: "
         "a, client_secret: b, token_url: 'http://127.0.0.1:1/' } } } ]")},
    {"PagerDutysServiceKey", "", "service_key",
     Receiver("pagerduty_configs: [ { service_key: k } ]")},
};

class ConfigVerdictTest : public ::testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(Rows, ConfigVerdictTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

void ExpectVerdict(const FinishedProcess& finished, const std::string& complaint) {
  EXPECT_EQ(finished.status == 0, complaint.empty()) << finished.output;
  EXPECT_THAT(finished.output, ::testing::HasSubstr(complaint));
}

TEST_P(ConfigVerdictTest, IsAsTheTableSays) {
  TemporaryFolder folder;
  const std::string file = folder.File("alertmanager.yml");
  std::ofstream(file) << GetParam().config;
  const auto amtool = RunProcess({.argv = {"amtool", "check-config", file}});
  ASSERT_TRUE(amtool.ok()) << amtool.error().message;
  ExpectVerdict(*amtool, GetParam().theirs);
  ExpectVerdict(RunTocsin({"check", "alerting", file}), GetParam().ours);
}

}  // namespace
}  // namespace tocsin::testing
