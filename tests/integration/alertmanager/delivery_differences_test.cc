// What differs on purpose in when receivers are told, and of what: rows of README's table.

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "tests/integration/alertmanager/delivery_side_by_side.h"

namespace tocsin::testing {
namespace {

ServedAnswer Status(int status) {
  ServedAnswer answer;
  answer.status = status;
  return answer;
}

// That nothing comes needs time to be seen: two flushes of a group, each after 2 s.
void WaitForFlushes() {
  WaitUntil([] { return false; }, seconds(5));
}

double SecondsBetween(WallTime from, WallTime to) { return ToSeconds(to - from); }

TEST_F(DeliverySideBySideTest, AnEndUnderAnInhibitionIsTold) {
  Start(R"(
route: { receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 2s }
receivers: [ { name: hook, webhook_configs: [ { url: '{url}/hook' } ] } ]
inhibit_rules:
- { source_matchers: ['alertname="Cause"'], target_matchers: ['instance="a"'] }
)");
  if (HasFatalFailure()) return;
  const json effect = Alert("Effect", {{"instance", "a"}});
  Post(json::array({effect}));
  ASSERT_TRUE(WaitForBoth("hook", 1));
  Post(json::array({Alert("Cause")}));
  ASSERT_TRUE(WaitForBoth("hook", 2));
  Post(json::array({Ended(effect)}));
  // Another of the group, which shows that both have flushed it since.
  Post(json::array({Alert("Effect", {{"instance", "b"}})}));
  for (const Side* side : {&theirs_, &ours_}) {
    ASSERT_TRUE(WaitUntil([&] { return AcceptedOf(*side, "hook", "Effect", "b").size() == 1; }));
  }
  Post(json::array({Ended(Alert("Cause"))}));
  for (const Side* side : {&theirs_, &ours_}) {
    ASSERT_TRUE(WaitUntil([&] { return AcceptedOf(*side, "hook", "Cause").size() == 2; }));
  }
  EXPECT_THAT(AcceptedOf(ours_, "hook", "Effect", "a"), ElementsAre("firing", "resolved"));
  EXPECT_THAT(AcceptedOf(theirs_, "hook", "Effect", "a"), ElementsAre("firing"));
}

// The interval of the next whole minute but one second, or of the one after it.
struct MutedMinute {
  WallTime begin{};
  std::string config;
};
MutedMinute NextMutedMinute() {
  using std::chrono::minutes;
  const WallTime soon = SystemClock().WallNow() + seconds(25);
  MutedMinute minute;
  minute.begin = std::chrono::ceil<minutes>(soon);
  const auto day = minute.begin.time_since_epoch() % std::chrono::hours(24);
  const auto at = [](Millis time) {
    return fmt::format("{:02}:{:02}", time / std::chrono::hours(1),
                       time % std::chrono::hours(1) / minutes(1));
  };
  minute.config = "time_intervals: [ { name: quiet, time_intervals: [ { times: [ { start_time: '" +
                  at(day) + "', end_time: '" + at(day + minutes(1)) + "' } ] } ] } ]\n";
  return minute;
}

TEST_F(DeliverySideBySideTest, AMuteIntervalHidesNoEndAndItsOwnEndIsTold) {
  const MutedMinute quiet = NextMutedMinute();
  Start(R"(
route:
  receiver: hook
  routes:
  - { matchers: ['alertname=~".+"'], receiver: hook, group_by: [alertname], group_wait: 0s,
      group_interval: 2s, mute_time_intervals: [quiet] }
receivers:
- name: hook
  webhook_configs: [ { url: '{url}/hook' } ]
  slack_configs: [ { api_url: '{url}/slack', channel: '#db', send_resolved: true } ]
)" + quiet.config);
  if (HasFatalFailure()) return;
  Post(json::array({Alert("Ends"), Alert("Stays")}));
  for (const char* receiver : {"hook", "slack"}) ASSERT_TRUE(WaitForBoth(receiver, 2));
  ASSERT_LT(SystemClock().WallNow(), quiet.begin) << "the machine was too slow";
  const auto wait_for = [&](WallTime time) {
    ASSERT_TRUE(
        WaitUntil([&] { return SystemClock().WallNow() >= time; }, std::chrono::minutes(3)));
  };
  wait_for(quiet.begin + seconds(3));
  Post(json::array({Ended(Alert("Ends"))}));
  ASSERT_TRUE(WaitForRequests(ours_, "hook", 3));
  const WallTime quiet_end = quiet.begin + std::chrono::minutes(1);
  EXPECT_LT(Requests(ours_, "hook")[2].at, quiet_end);
  EXPECT_THAT(AcceptedOf(ours_, "hook", "Ends"), ElementsAre("firing", "resolved"));
  // People are told of both when the quiet is over.
  wait_for(quiet_end);
  ASSERT_TRUE(WaitForRequests(ours_, "slack", 4));
  EXPECT_GE(Requests(ours_, "slack")[2].at, quiet_end);
  ASSERT_TRUE(WaitForRequests(ours_, "hook", 4));
  EXPECT_THAT(AcceptedOf(ours_, "hook", "Stays"), ElementsAre("firing", "firing"));
  EXPECT_THAT(Accepted(ours_, "slack"),
              ::testing::UnorderedElementsAre("firing", "firing", "firing", "resolved"));
  // Several flushes of theirs later still nothing.
  wait_for(quiet_end + seconds(7));
  EXPECT_THAT(AcceptedOf(theirs_, "hook", "Ends"), ElementsAre("firing"));
  EXPECT_THAT(AcceptedOf(theirs_, "hook", "Stays"), ElementsAre("firing"));
  EXPECT_THAT(Accepted(theirs_, "slack"), ElementsAre("firing", "firing"));
}

TEST_F(DeliverySideBySideTest, LimitedReceiversAreAskedAgainWhenTheySaidAndToldBoth) {
  const auto limited = [](int number) {
    ServedAnswer answer = Status(number == 1 ? 429 : 200);
    if (number == 1) answer.headers.emplace_back("Retry-After", "4");
    return answer;
  };
  for (const char* receiver : {"slack", "pagerduty", "hook"}) Answers(receiver, limited);
  Start(R"(
route:
  receiver: slack
  group_wait: 0s
  group_interval: 6s
  routes:
  - { receiver: slack, continue: true }
  - { receiver: hook, continue: true }
  - { receiver: pagerduty }
receivers:
- { name: slack, slack_configs: [ { api_url: '{url}/slack', channel: '#db', send_resolved: true } ] }
- { name: hook, webhook_configs: [ { url: '{url}/hook' } ] }
- name: pagerduty
  pagerduty_configs: [ { url: '{url}/pagerduty', routing_key: 0123456789abcdef0123456789abcdef } ]
)");
  if (HasFatalFailure()) return;
  Post(json::array({Alert("Brief")}));
  for (const char* receiver : {"slack", "pagerduty", "hook"}) {
    ASSERT_TRUE(WaitForBoth(receiver, 1)) << receiver;
  }
  Post(json::array({Ended(Alert("Brief"))}));
  for (const char* receiver : {"slack", "pagerduty", "hook"}) {
    SCOPED_TRACE(receiver);
    ASSERT_TRUE(WaitForRequests(ours_, receiver, 3));
    EXPECT_THAT(Accepted(ours_, receiver), ElementsAre("firing", "resolved"));
    const auto requests = Requests(ours_, receiver);
    EXPECT_GE(SecondsBetween(requests[0].at, requests[1].at), 4);
  }
  // Slack and webhooks: once. PagerDuty: again and again, whatever it said.
  ASSERT_TRUE(WaitForRequests(theirs_, "pagerduty", 3));
  const auto requests = Requests(theirs_, "pagerduty");
  EXPECT_LT(SecondsBetween(requests[0].at, requests[1].at), 4);
  for (const char* receiver : {"slack", "hook"}) {
    EXPECT_EQ(Requests(theirs_, receiver).size(), 1u) << receiver;
    EXPECT_THAT(Accepted(theirs_, receiver), IsEmpty()) << receiver;
  }
}

TEST_F(DeliverySideBySideTest, AReceiverThatHangsDelaysNoOther) {
  Answers("hang", [](int) {
    ServedAnswer answer;
    answer.manner = ServedAnswer::Manner::kHang;
    return answer;
  });
  Start(R"(
route: { receiver: both, group_by: [alertname], group_wait: 0s, group_interval: 2s }
receivers:
- { name: both, webhook_configs: [ { url: '{url}/hang' }, { url: '{url}/good' } ] }
)");
  if (HasFatalFailure()) return;
  Post(json::array({Alert("Down", {{"instance", "a"}})}));
  ASSERT_TRUE(WaitForBoth("good", 1));
  ASSERT_TRUE(WaitForBoth("hang", 1));
  Post(json::array({Alert("Down", {{"instance", "b"}})}));
  ASSERT_TRUE(WaitForBoth("good", 2));
  const auto wait = [&](const Side& side) {
    const auto requests = Requests(side, "good");
    return SecondsBetween(requests[0].at, requests[1].at);
  };
  EXPECT_LT(wait(ours_), 7);
  EXPECT_GT(wait(theirs_), 9);
}

TEST_F(DeliverySideBySideTest, WhatNobodyTakesIsKept) {
  const auto sick = std::make_shared<std::atomic<bool>>(true);
  Answers("hook", [sick](int) { return Status(*sick ? 503 : 200); });
  Start(R"(
route: { receiver: hook, group_wait: 0s, group_interval: 2s }
receivers: [ { name: hook, webhook_configs: [ { url: '{url}/hook' } ] } ]
)");
  if (HasFatalFailure()) return;
  Post(json::array({Alert("Brief")}));
  ASSERT_TRUE(WaitForBoth("hook", 1));
  Post(json::array({Ended(Alert("Brief"))}));
  // Theirs gives up, finds the alert ended and has nothing to tell.
  ASSERT_TRUE(WaitUntil([&] { return TheirFailures("webhook") == 1; }));
  WaitForFlushes();
  *sick = false;
  ASSERT_TRUE(WaitUntil([&] { return Accepted(ours_, "hook").size() == 2; }, seconds(90)));
  EXPECT_THAT(Accepted(ours_, "hook"), ElementsAre("firing", "resolved"));
  EXPECT_THAT(Accepted(theirs_, "hook"), IsEmpty());
}

TEST_F(DeliverySideBySideTest, ARefusalThatSomebodyMayMendGivesNothingUp) {
  const std::vector<int> kStatuses = {401, 403, 404, 407, 410, 302};
  std::string routes, receivers;
  for (const int status : kStatuses) {
    Answers(std::to_string(status), [status](int) { return Status(status); });
    routes += fmt::format("  - {{ receiver: '{}', continue: true }}\n", status);
    receivers += fmt::format(
        "- {{ name: '{0}', webhook_configs: [ {{ url: '{{url}}/{0}', http_config: "
        "{{ follow_redirects: false }} }} ] }}\n",
        status);
  }
  Start("route:\n  receiver: '404'\n  group_wait: 0s\n  group_interval: 2s\n  routes:\n" + routes +
        "receivers:\n" + receivers);
  if (HasFatalFailure()) return;
  Post(json::array({Alert("Brief")}));
  for (const int status : kStatuses) {
    ASSERT_TRUE(WaitForBoth(std::to_string(status), 1)) << status;
  }
  Post(json::array({Ended(Alert("Brief"))}));
  WaitForFlushes();
  for (const int status : kStatuses) {
    EXPECT_EQ(Requests(theirs_, std::to_string(status)).size(), 1u) << status;
  }
  // Firing and resolved wait for each.
  const double waiting = static_cast<double>(2 * kStatuses.size());
  EXPECT_TRUE(WaitUntil([&] { return Metric(ours_, "tocsin_outbox_length") == waiting; }));
  EXPECT_EQ(Metric(ours_, "tocsin_deliveries_given_up_total"), 0);
}

TEST_F(DeliverySideBySideTest, SlacksErrorIsARefusalHoweverItsStatus) {
  Answers("slack", [](int) {
    ServedAnswer answer;
    answer.headers.emplace_back("Content-Type", "application/json");
    answer.body = R"({"ok":false,"error":"channel_not_found"})";
    return answer;
  });
  Start(R"(
route: { receiver: slack, group_wait: 0s }
receivers:
- { name: slack, slack_configs: [ { api_url: '{url}/slack', channel: '#none' } ] }
)");
  if (HasFatalFailure()) return;
  Post(json::array({Alert("Down")}));
  ASSERT_TRUE(WaitForBoth("slack", 1));
  EXPECT_TRUE(WaitUntil([&] {
    return Metric(theirs_, "alertmanager_notifications_total", "integration=\"slack\"") == 1;
  }));
  EXPECT_EQ(TheirFailures("slack"), 0);
  EXPECT_TRUE(WaitUntil([&] {
    return Metric(ours_, "tocsin_notifications_failed_total", "reason=\"clientError\"") == 1;
  }));
}

TEST_F(DeliverySideBySideTest, AnEndWithoutAToldBeginningIsNotTold) {
  Start(R"(
route: { receiver: hook, group_by: [alertname], group_wait: 3s, group_interval: 2s }
receivers: [ { name: hook, webhook_configs: [ { url: '{url}/hook' } ] } ]
)");
  if (HasFatalFailure()) return;
  const json brief = Alert("Down", {{"instance", "brief"}});
  const json alone = Alert("Alone");
  Post(json::array({brief, Alert("Down", {{"instance", "long"}}), alone}));
  Post(json::array({Ended(brief), Ended(alone)}));
  ASSERT_TRUE(WaitForBoth("hook", 1));
  WaitForFlushes();
  const auto told = [&](const Side& side) {
    std::vector<std::string> lines;
    for (const Told& request : Requests(side, "hook")) {
      for (const json& alert : request.body["alerts"]) {
        lines.push_back(alert["status"].get<std::string>() + " " +
                        alert["labels"].value("instance", "alone"));
      }
    }
    return lines;
  };
  EXPECT_THAT(told(theirs_), ElementsAre("resolved brief", "firing long"));
  EXPECT_THAT(told(ours_), ElementsAre("firing long"));
}

TEST_F(DeliverySideBySideTest, KillNineTakesNeitherAWaitingAlertNorANewSilence) {
  Start(R"(
route: { receiver: hook, group_wait: 15s }
receivers: [ { name: hook, webhook_configs: [ { url: '{url}/hook' } ] } ]
)");
  if (HasFatalFailure()) return;
  Post(json::array({Alert("Down")}));
  const WallTime posted = SystemClock().WallNow();
  const json silence{
      {"matchers", json::array({{{"name", "alertname"}, {"value", "Other"}, {"isRegex", false}}})},
      {"startsAt", FormatTime(began_)},
      {"endsAt", FormatTime(began_ + std::chrono::hours(1))},
      {"createdBy", "test"},
      {"comment", "quiet"}};
  for (const Side* side : {&theirs_, &ours_}) {
    EXPECT_EQ(asker_.Ask("POST", side->url + "/api/v2/silences", silence.dump()).status, 200);
  }
  ASSERT_TRUE(real_->KillAndStart().ok());
  ASSERT_TRUE(tocsin_->daemon().KillAndStart().ok());
  EXPECT_EQ(asker_.Json(ours_.url + "/api/v2/silences").size(), 1u);
  EXPECT_EQ(asker_.Json(theirs_.url + "/api/v2/silences"), json::array());
  ASSERT_TRUE(WaitForRequests(ours_, "hook", 1));
  EXPECT_NEAR(SecondsBetween(posted, Requests(ours_, "hook")[0].at), 15, 10);
  EXPECT_EQ(asker_.Json(theirs_.url + "/api/v2/alerts"), json::array());
  EXPECT_THAT(Requests(theirs_, "hook"), IsEmpty());
}

}  // namespace
}  // namespace tocsin::testing
