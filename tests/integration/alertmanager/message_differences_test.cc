// What differs on purpose in what a message says: rows of README's table.

#include "tests/integration/alertmanager/delivery_side_by_side.h"

namespace tocsin::testing {
namespace {

TEST_F(DeliverySideBySideTest, ATextThatFailsDoesNotLoseTheMessage) {
  Start(R"(
route: { receiver: slack, group_wait: 0s }
receivers:
- name: slack
  slack_configs:
  - { api_url: '{url}/slack', channel: '#db', text: 'seventh: {{ (index .Alerts 7).Status }}' }
)");
  if (HasFatalFailure()) return;
  Post(json::array({Alert("Down")}));
  ASSERT_TRUE(WaitForRequests(ours_, "slack", 1));
  const std::string text = Requests(ours_, "slack")[0].body["attachments"][0]["text"];
  EXPECT_NE(text.find("out of range"), text.npos) << text;
  EXPECT_TRUE(WaitUntil([&] { return TheirFailures("slack") == 1; }));
  EXPECT_THAT(Requests(theirs_, "slack"), IsEmpty());
}

TEST_F(DeliverySideBySideTest, OfACutMessageTheStatusIsThatOfAllAlerts) {
  Start(R"(
route: { receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s }
receivers: [ { name: hook, webhook_configs: [ { url: '{url}/hook', max_alerts: 1 } ] } ]
)");
  if (HasFatalFailure()) return;
  const json a = Alert("Down", {{"instance", "a"}});
  Post(json::array({a, Alert("Down", {{"instance", "b"}})}));
  ASSERT_TRUE(WaitForBoth("hook", 1));
  Post(json::array({Ended(a)}));
  ASSERT_TRUE(WaitForBoth("hook", 2));
  const json theirs = Requests(theirs_, "hook")[1].body;
  const json ours = Requests(ours_, "hook")[1].body;
  EXPECT_EQ(theirs["alerts"], ours["alerts"]);
  EXPECT_EQ(theirs["status"], "resolved");
  EXPECT_EQ(ours["status"], "firing");
  EXPECT_EQ(theirs["commonLabels"], json({{"alertname", "Down"}, {"instance", "a"}}));
  EXPECT_EQ(ours["commonLabels"], json({{"alertname", "Down"}}));
}

TEST_F(DeliverySideBySideTest, PagerDutyIsSentNothingThatItRefuses) {
  Start(R"(
route: { receiver: pagerduty, group_wait: 0s }
receivers:
- name: pagerduty
  pagerduty_configs:
  - { url: '{url}/pagerduty', routing_key: 0123456789abcdef0123456789abcdef,
      source: '{{ .CommonLabels.nothing }}', description: '{{ .CommonLabels.nothing }}',
      severity: page }
)");
  if (HasFatalFailure()) return;
  Post(json::array({Alert("Down")}));
  ASSERT_TRUE(WaitForBoth("pagerduty", 1));
  const json theirs = Requests(theirs_, "pagerduty")[0].body["payload"];
  const json ours = Requests(ours_, "pagerduty")[0].body["payload"];
  EXPECT_EQ(theirs["source"], "");
  EXPECT_EQ(ours["source"], "tocsin");
  EXPECT_EQ(theirs["summary"], "");
  EXPECT_EQ(ours["summary"], "alert");
  EXPECT_EQ(theirs["severity"], "page");
  EXPECT_EQ(ours["severity"], "critical");
}

TEST_F(DeliverySideBySideTest, SlacksLimitsAreKept) {
  Start(R"(
route: { receiver: slack, group_wait: 0s }
receivers:
- name: slack
  slack_configs:
  - { api_url: '{url}/slack', channel: '#db', text: '{{ .CommonAnnotations.long }}',
      fields: [ { title: long, value: '{{ .CommonAnnotations.long }}' } ] }
)");
  if (HasFatalFailure()) return;
  json alert = Alert("Down");
  alert["annotations"] = {{"long", std::string(9'000, 'x')}};
  Post(json::array({alert}));
  ASSERT_TRUE(WaitForBoth("slack", 1));
  const json theirs = Requests(theirs_, "slack")[0].body["attachments"][0];
  const json ours = Requests(ours_, "slack")[0].body["attachments"][0];
  const std::string cut = "…";
  EXPECT_EQ(theirs["text"], std::string(9'000, 'x'));
  EXPECT_EQ(ours["text"], std::string(7'999, 'x') + cut);
  EXPECT_EQ(theirs["fields"][0]["value"], std::string(9'000, 'x'));
  EXPECT_EQ(ours["fields"][0]["value"], std::string(1'999, 'x') + cut);
}

TEST_F(DeliverySideBySideTest, TimesHaveMilliseconds) {
  Start(R"(
route: { receiver: hook, group_wait: 0s }
receivers: [ { name: hook, webhook_configs: [ { url: '{url}/hook' } ] } ]
)");
  if (HasFatalFailure()) return;
  json alert = Alert("Down");
  alert["startsAt"] = "2026-01-02T03:04:05.123456789Z";
  Post(json::array({alert}));
  ASSERT_TRUE(WaitForBoth("hook", 1));
  const auto starts = [&](const Side& side) {
    return Requests(side, "hook")[0].body["alerts"][0]["startsAt"];
  };
  EXPECT_EQ(starts(theirs_), "2026-01-02T03:04:05.123456789Z");
  EXPECT_EQ(starts(ours_), "2026-01-02T03:04:05.123Z");
}

}  // namespace
}  // namespace tocsin::testing
