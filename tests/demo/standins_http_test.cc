// The stand-ins over HTTP: status codes, words and headers as the vendors'.

#include <gtest/gtest.h>
#include <httplib.h>

#include <nlohmann/json.hpp>

#include "tests/demo/standins/standins.h"

namespace tocsin::demo {
namespace {

using nlohmann::json;

class StandInsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = StandIns::Start({});
    ASSERT_TRUE(started.ok()) << started.error().message;
    standins_ = std::move(started).value();
  }

  static httplib::Result Post(const std::string& url, const std::string& body,
                              const std::string& type = "application/json") {
    const auto path = url.find('/', sizeof("http://"));
    return httplib::Client(url.substr(0, path)).Post(url.substr(path), body, type);
  }

  std::string Event(const std::string& severity = "critical") const {
    return json({{"routing_key", standins_->routing_key()},
                 {"event_action", "trigger"},
                 {"dedup_key", "k1"},
                 {"payload", {{"summary", "it rings"}, {"source", "db"}, {"severity", severity}}}})
        .dump();
  }

  std::unique_ptr<StandIns> standins_;
};

TEST_F(StandInsTest, PagerDutyAcceptsWithTwoHundredAndTwo) {
  const auto answer = Post(standins_->pagerduty_url(), Event());
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 202);
  EXPECT_EQ(json::parse(answer->body).at("status"), "success");
  EXPECT_EQ(json::parse(answer->body).at("dedup_key"), "k1");
  const auto messages = standins_->Messages();
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_TRUE(messages[0].accepted());
  EXPECT_EQ(messages[0].body.find(standins_->routing_key()), std::string::npos);
}

TEST_F(StandInsTest, PagerDutyRefusesAWrongWordWithItsErrors) {
  const auto answer = Post(standins_->pagerduty_url(), Event("fatal"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 400);
  EXPECT_EQ(json::parse(answer->body).at("status"), "invalid event");
  EXPECT_EQ(standins_->Refusals(), 1);
}

TEST_F(StandInsTest, PagerDutyHoldsBackAfterAHundredAndTwentyInAMinute) {
  for (int i = 0; i < 120; ++i) {
    ASSERT_EQ(Post(standins_->pagerduty_url(), Event())->status, 202) << i;
  }
  const auto answer = Post(standins_->pagerduty_url(), Event());
  EXPECT_EQ(answer->status, 429);
  EXPECT_GT(std::stoi(answer->get_header_value("Retry-After")), 0);
  EXPECT_EQ(standins_->Refusals(), 0);
}

TEST_F(StandInsTest, SlackAnswersOkOrOneWord) {
  const auto good = Post(standins_->slack_url(), R"({"text":"it rings"})");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->status, 200);
  EXPECT_EQ(good->body, "ok");
  EXPECT_EQ(Post(standins_->slack_url(), "{}")->body, "no_text");
  EXPECT_EQ(Post(standins_->slack_url(), "{}")->status, 400);
  EXPECT_EQ(Post(standins_->slack_url(), "{")->body, "invalid_payload");
  EXPECT_EQ(Post(standins_->slack_url(), R"({"text":"x"})", "text/plain")->body, "invalid_payload");
  EXPECT_EQ(Post(standins_->slack_url() + "/gone", R"({"text":"x"})")->body, "no_service");
}

TEST_F(StandInsTest, SlackHoldsBackAfterABurst) {
  int status = 200;
  for (int i = 0; i < 30 && status == 200; ++i) {
    const auto answer = Post(standins_->slack_url(), R"({"text":"it rings"})");
    status = answer->status;
    if (status == 429) {
      EXPECT_EQ(json::parse(answer->body).at("error"), "rate_limited");
      EXPECT_GE(std::stoi(answer->get_header_value("Retry-After")), 1);
    }
  }
  EXPECT_EQ(status, 429);
}

}  // namespace
}  // namespace tocsin::demo
