// Alerts on their way to other Alertmanagers.

#include "daemon/push/alertmanager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "daemon/base/text.h"
#include "daemon/push/push.h"
#include "tests/support/scripted_http_client.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_executor.h"

namespace tocsin::push {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ScriptedAnswer;
using testing::ScriptedHttpClient;
using testing::ScriptedRequest;
using testing::SimClock;
using testing::SimExecutors;
using ::testing::SizeIs;
using namespace std::chrono_literals;

constexpr char kUrl[] = "http://far:9093/api/v2/alerts";

PushConfig Parse(const std::string& yaml, ConfigErrors& errors) {
  PosixFileSystem files;
  const ConfigNode node = ConfigNode::Parse(yaml, "t.yaml", ConfigNode::Expand::kNothing, errors);
  return ParsePushConfig(ConfigReader(node, errors), files);
}

class AlertmanagerDestinationTest : public ::testing::Test {
 protected:
  void Make(const std::string& yaml = "alertmanagers: [ 'http://far:9093/' ]") {
    ConfigErrors errors;
    const PushConfig config = Parse(yaml, errors);
    ASSERT_TRUE(errors.empty()) << errors.Text();
    pusher_ = std::make_unique<Pusher>(
        config, model::Labels(), [] { return std::vector<PushPage>(); }, clock_, world_, client_,
        files_, registry_);
  }

  model::Alert Firing(const std::string& name) {
    model::Alert alert;
    alert.labels = model::Labels{{"alertname", name}, {"severity", "critical"}};
    alert.annotations = model::Labels{{"summary", name + " rings"}};
    alert.starts_at = clock_.WallNow();
    alert.ends_at = clock_.WallNow() + 4min;
    alert.generator_url = "http://tocsin/graph?g0.expr=x";
    return alert;
  }
  model::Alert Resolved(const std::string& name) {
    model::Alert alert = Firing(name);
    alert.ends_at = clock_.WallNow();
    return alert;
  }

  void Tell(const std::vector<model::Alert>& alerts) {
    pusher_->OnAlerts(alerts);
    world_.RunFor(100ms);
  }

  // "Pool firing" or "Pool resolved" of all that a request carries.
  static std::vector<std::string> Carried(const ScriptedRequest& sent) {
    std::vector<std::string> lines;
    for (const auto& alert : nlohmann::json::parse(sent.request.body)) {
      const auto ends = ParseTime(alert.at("endsAt").get<std::string>());
      lines.push_back(alert.at("labels").at("alertname").get<std::string>() +
                      (*ends <= sent.at ? " resolved" : " firing"));
    }
    return lines;
  }

  double Metric(const std::string& line) {
    const std::string text = registry_.Text();
    const auto at = text.find(line + " ");
    if (at == std::string::npos) return -1;
    const auto begin = at + line.size() + 1;
    return ParseDouble(text.substr(begin, text.find('\n', begin) - begin)).value_or(-2);
  }

  SimClock clock_;
  SimExecutors world_{clock_};
  ScriptedHttpClient client_{clock_, world_};
  PosixFileSystem files_;
  MetricRegistry registry_;
  std::unique_ptr<Pusher> pusher_;
};

TEST_F(AlertmanagerDestinationTest, SendsATransitionAtOnceInTheFieldsOfPrometheus) {
  Make();
  client_.Answer(kUrl, {ScriptedAnswer::Status(200)});
  const model::Alert alert = Firing("Pool");
  Tell({alert});
  ASSERT_THAT(client_.requests(kUrl), SizeIs(1));
  const HttpRequest request = client_.requests(kUrl)[0].request;
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, kUrl);
  EXPECT_EQ(nlohmann::json::parse(request.body),
            nlohmann::json::array({{{"labels", {{"alertname", "Pool"}, {"severity", "critical"}}},
                                    {"annotations", {{"summary", "Pool rings"}}},
                                    {"startsAt", FormatTime(alert.starts_at)},
                                    {"endsAt", FormatTime(alert.ends_at)},
                                    {"generatorURL", "http://tocsin/graph?g0.expr=x"}}}));
  EXPECT_TRUE(pusher_->Idle());
}

TEST_F(AlertmanagerDestinationTest, WhatItDidNotTakeWaitsInItsNewestStateAndInOrder) {
  Make();
  client_.Answer(
      kUrl, {ScriptedAnswer::Refused(), ScriptedAnswer::Status(503), ScriptedAnswer::Status(200)});
  Tell({Firing("a"), Firing("b")});
  Tell({Firing("c")});
  EXPECT_THAT(client_.requests(kUrl), SizeIs(1));  // The backoff holds newcomers too.
  world_.RunFor(1s);
  EXPECT_THAT(client_.requests(kUrl), SizeIs(2));
  Tell({Resolved("a")});
  EXPECT_FALSE(pusher_->Idle());
  EXPECT_EQ(Metric("tocsin_alertmanager_alerts_pending{destination=\"far:9093\"}"), 3);
  world_.RunFor(5s);
  ASSERT_THAT(client_.requests(kUrl), SizeIs(3));
  EXPECT_THAT(Carried(client_.requests(kUrl)[2]),
              ElementsAre("a resolved", "b firing", "c firing"));
  EXPECT_TRUE(pusher_->Idle());
  EXPECT_EQ(Metric("tocsin_alertmanager_alerts_sent_total{destination=\"far:9093\"}"), 3);
  EXPECT_EQ(Metric("tocsin_alertmanager_retries_total{destination=\"far:9093\"}"), 2);
}

TEST_F(AlertmanagerDestinationTest, NewsDuringARequestAreNotReplacedByWhatThatRequestCarried) {
  Make();
  client_.Answer(kUrl, {ScriptedAnswer::Status(503).After(2s), ScriptedAnswer::Status(200)});
  Tell({Firing("a")});
  Tell({Resolved("a")});
  world_.RunFor(10s);
  ASSERT_THAT(client_.requests(kUrl), SizeIs(2));
  EXPECT_THAT(Carried(client_.requests(kUrl)[1]), ElementsAre("a resolved"));
}

TEST_F(AlertmanagerDestinationTest, RetryAfterIsObeyedAndARefusalForGoodIsCounted) {
  Make();
  client_.Answer(kUrl, {ScriptedAnswer::RetryAfter(429, 60s), ScriptedAnswer::Status(400, "no")});
  Tell({Firing("a")});
  world_.RunFor(59s);
  EXPECT_THAT(client_.requests(kUrl), SizeIs(1));
  world_.RunFor(2s);
  EXPECT_THAT(client_.requests(kUrl), SizeIs(2));
  EXPECT_TRUE(pusher_->Idle());
  EXPECT_EQ(Metric("tocsin_alertmanager_alerts_dropped_total"
                   "{destination=\"far:9093\",reason=\"refused\"}"),
            1);
}

TEST_F(AlertmanagerDestinationTest, KeepsAtMostItsCapacityAndSendsInBatches) {
  Make();
  std::vector<model::Alert> alerts;
  for (std::size_t i = 0; i < AlertmanagerDestination::kCapacity + 3; ++i) {
    alerts.push_back(Firing("n" + std::to_string(i)));
  }
  client_.Answer(kUrl, {ScriptedAnswer::Status(200)});
  Tell(alerts);
  world_.RunFor(1s);
  EXPECT_EQ(Metric("tocsin_alertmanager_alerts_dropped_total"
                   "{destination=\"far:9093\",reason=\"queue_full\"}"),
            3);
  EXPECT_EQ(Metric("tocsin_alertmanager_alerts_sent_total{destination=\"far:9093\"}"), 10'000);
  for (const ScriptedRequest& sent : client_.requests(kUrl)) {
    EXPECT_LE(nlohmann::json::parse(sent.request.body).size(),
              AlertmanagerDestination::kMaxAlertsPerSend);
  }
  EXPECT_EQ(Carried(client_.requests(kUrl)[0])[0], "n3 firing");
}

TEST_F(AlertmanagerDestinationTest, ASickOneDelaysNoOtherAndRelabelingIsEachOnesOwn) {
  Make(
      "alertmanagers: [ 'http://far:9093', { url: 'http://near:9093', alert_relabel: ["
      " { source_labels: [alertname], regex: Noise, action: drop },"
      " { target_label: via, replacement: tocsin } ] } ]");
  client_.Answer(kUrl, {ScriptedAnswer::Hang()});
  client_.Answer("http://near:9093", {ScriptedAnswer::Status(200)});
  Tell({Firing("Noise"), Firing("a")});
  ASSERT_THAT(client_.requests("http://near:9093"), SizeIs(1));
  EXPECT_THAT(client_.requests("http://near:9093")[0].request.body,
              HasSubstr(R"("labels":{"alertname":"a","severity":"critical","via":"tocsin"})"));
  EXPECT_THAT(client_.requests("http://near:9093")[0].request.body,
              ::testing::Not(HasSubstr("Noise")));
}

TEST(AlertmanagerConfigTest, WrongOnesAreNamedWithTheirPlace) {
  ConfigErrors errors;
  Parse(
      "alertmanagers:\n"
      "  - nonsense\n"
      "  - http://user:secret@far:9093\n"
      "  - http://far:9093\n"
      "  - { url: 'http://far:9093', alert_relable: [] }\n",
      errors);
  EXPECT_EQ(errors.Text(),
            "t.yaml:2:5: alertmanagers[0]: not a URL: write http://host:port/path or "
            "https://host:port/path\n"
            "t.yaml:3:5: alertmanagers[1]: credentials do not belong in the URL: use basic_auth\n"
            "t.yaml:4:5: alertmanagers[2]: another destination is called \"far:9093\": write a map "
            "with url and name\n"
            "t.yaml:5:5: alertmanagers[3]: another destination is called \"far:9093\": give this "
            "one a name\n"
            "t.yaml:5:31: alertmanagers[3].alert_relable: unknown key \"alert_relable\" (did you "
            "mean \"alert_relabel\"?)\n");
  ConfigErrors not_a_list;
  Parse("alertmanagers: http://far:9093\n", not_a_list);
  EXPECT_THAT(not_a_list.Text(), HasSubstr("expected a list"));
  EXPECT_THAT(errors.Text(), ::testing::Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace tocsin::push
