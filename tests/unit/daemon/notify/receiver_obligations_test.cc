// What every receiver must keep: the retry table over every status, the attempt's
// deadline, and no credential in errors, the log of attempts or the database.

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "daemon/notify/receivers/receiver.h"
#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

const std::vector<std::string> kSecrets = {"SECRETWEBHOOK", kRoutingKey, "hooksecret"};

// The expected outcome of a status, the same for every kind.
Outcome Expected(int status) {
  if (status >= 200 && status <= 299) return Outcome::kDelivered;
  if (status >= 400 && status <= 499) {
    switch (status) {
      case 401:
      case 403:
      case 404:
      case 407:
      case 408:
      case 410:
      case 425:
      case 429: return Outcome::kRetryLater;
      default: return Outcome::kGiveUp;
    }
  }
  return Outcome::kRetryLater;
}

class ObligationTest : public ::testing::TestWithParam<const char*> {
 protected:
  ObligationTest() : config_(Config(AllReceivers(""))) {
    for (const IntegrationConfig& integration : config_->FindReceiver("all")->integrations) {
      if (integration.Kind() != GetParam()) continue;
      const auto templates = Templates::Make(*config_, "http://tocsin.test").value();
      receiver_ = MakeReceiver(integration, templates).value();
    }
    NotifiedAlert alert;
    alert.labels = {{"alertname", "Down"}, {"severity", "critical"}};
    notification_.receiver = "all";
    notification_.group_key = "{}:{alertname=\"Down\"}";
    notification_.group_labels = {{"alertname", "Down"}};
    notification_.alerts = {alert};
  }

  std::shared_ptr<const NotifyConfig> config_;
  std::shared_ptr<const Receiver> receiver_;
  Notification notification_;
};

TEST_P(ObligationTest, EveryStatusHasItsOutcome) {
  for (int status = 100; status <= 599; ++status) {
    HttpExchange exchange;
    exchange.response.status = status;
    exchange.response.body = "ok";
    const Verdict verdict = JudgeExchange(exchange, receiver_->answer_rules(), FromUnixMillis(0));
    EXPECT_EQ(verdict.outcome, Expected(status)) << status;
    EXPECT_EQ(verdict.error.empty(), verdict.outcome == Outcome::kDelivered) << status;
    EXPECT_EQ(verdict.holds_channel, status == 429) << status;
    // What a person may mend is tried every five minutes.
    const bool refused = status == 401 || status == 403 || status == 404 || status == 407 ||
                         status == 410 || (status >= 300 && status <= 399);
    EXPECT_EQ(verdict.retry_after, refused ? minutes(5) : minutes(0)) << status;
  }
}

TEST_P(ObligationTest, EveryWayOfNotAnsweringIsTriedAgain) {
  for (const ErrorCode code : {ErrorCode::kUnavailable, ErrorCode::kDeadlineExceeded,
                               ErrorCode::kCancelled, ErrorCode::kResourceExhausted}) {
    HttpExchange exchange;
    exchange.error = Error{code, "host: trouble"};
    EXPECT_EQ(JudgeExchange(exchange, receiver_->answer_rules(), {}).outcome, Outcome::kRetryLater);
  }
}

TEST_P(ObligationTest, TheBodyIsJsonAndFiringAndResolvedDiffer) {
  const auto firing = receiver_->Encode(notification_, {});
  notification_.alerts[0].resolved = true;
  const auto resolved = receiver_->Encode(notification_, {});
  EXPECT_TRUE(nlohmann::json::accept(firing.request.body));
  EXPECT_NE(firing.request.body, resolved.request.body);
  EXPECT_EQ(firing.request.method, "POST");
  EXPECT_TRUE(firing.notes.empty()) << ::testing::PrintToString(firing.notes);
}

TEST_P(ObligationTest, BytesThatAreNotUtf8AndHugeTextsAreSentAllTheSame) {
  NotifiedAlert huge = notification_.alerts[0];
  huge.annotations = {{"summary", std::string(600'000, 'x')}, {"bad", "\xff\xfe"}};
  notification_.alerts = {huge};
  const auto message = receiver_->Encode(notification_, {});
  EXPECT_TRUE(nlohmann::json::accept(message.request.body));
  if (std::string(GetParam()) == "pagerduty") {
    EXPECT_LE(message.request.body.size(), 512'000u);
    const auto body = nlohmann::json::parse(message.request.body);
    EXPECT_TRUE(body["payload"]["custom_details"].contains("error"));
  }
}

INSTANTIATE_TEST_SUITE_P(Receivers, ObligationTest,
                         ::testing::Values("slack", "pagerduty", "webhook"));

TEST(SecretTest, NoCredentialInErrorsAttemptsOrTheDatabase) {
  std::string yaml = AllReceivers("");
  yaml.replace(yaml.find(kWebhookUrl), std::string(kWebhookUrl).size(),
               "http://webhook.test/hooksecret");
  World world(Config(yaml));
  // Peers that throw everything back at us.
  const auto echo = [](const HttpRequest& request) {
    return ScriptedAnswer::Status(500, request.url + " " + request.body);
  };
  for (const char* peer : {"http://slack.test", "http://pagerduty.test", "http://webhook.test"}) {
    world.http->Answer(peer, echo);
  }
  const model::Labels down = {{"alertname", "Down"}};
  world.Fire(down);
  world.Run(minutes(2));
  std::string seen;
  for (const DeliveryStatus& status : world.notifier->Explain(down.Fingerprint())) {
    for (const auto& attempt : status.attempts) seen += attempt.error;
    for (const auto& pending : status.pending) seen += pending.last_error;
  }
  EXPECT_NE(seen.find("failed with status 500"), std::string::npos);
  for (const char* suffix : {"", "-wal"}) {
    std::ifstream file(world.database() + suffix, std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    seen += bytes.str();
  }
  seen += world.metrics->Text() + PrintAlertmanager(*world.notifier->config());
  for (const std::string& secret : kSecrets) {
    EXPECT_EQ(seen.find(secret), std::string::npos) << secret;
  }
}

TEST(RetryAfterTest, SecondsDatesAndNonsense) {
  const WallTime now = FromUnixMillis(784111777000);  // Sun, 06 Nov 1994 08:49:37 GMT
  EXPECT_EQ(ParseRetryAfter("30", now), seconds(30));
  EXPECT_EQ(ParseRetryAfter("1.5", now), Millis(1500));
  EXPECT_EQ(ParseRetryAfter("900", now), minutes(15));
  EXPECT_EQ(ParseRetryAfter("99999", now), std::chrono::hours(1));
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:50:37 GMT", now), seconds(60));
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:00:00 GMT", now), Millis(0));
  for (const char* nonsense : {"", "soon", "-5", "NaN", "1e999"}) {
    EXPECT_EQ(ParseRetryAfter(nonsense, now), Millis(0)) << nonsense;
  }
}

TEST(SlackAnswerTest, WordsDecide) {
  const auto judge = [](const std::string& body, bool json) {
    HttpExchange exchange;
    exchange.response.status = 200;
    exchange.response.body = body;
    return JudgeExchange(exchange, json ? AnswerRules{{}, true} : AnswerRules{{"ok", ""}, false},
                         {});
  };
  EXPECT_EQ(judge("ok", false).outcome, Outcome::kDelivered);
  EXPECT_EQ(judge(R"({"ok":true})", true).outcome, Outcome::kDelivered);
  EXPECT_EQ(judge("invalid_payload", false).outcome, Outcome::kGiveUp);
  EXPECT_EQ(judge(R"({"ok":false,"error":"channel_not_found"})", true).outcome,
            Outcome::kRetryLater);
  EXPECT_TRUE(judge(R"({"ok":false,"error":"ratelimited"})", true).holds_channel);
  EXPECT_EQ(judge("<html>", true).outcome, Outcome::kRetryLater);
}

}  // namespace
}  // namespace tocsin::notify
