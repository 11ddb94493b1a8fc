// The stand-ins refuse what the vendors refuse, in the vendors' words.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/demo/standins/rate_limit.h"
#include "tests/demo/standins/vendor_rules.h"

namespace tocsin::demo {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

json GoodEvent() {
  return {{"routing_key", std::string(32, 'k')},
          {"event_action", "trigger"},
          {"dedup_key", "d"},
          {"payload",
           {{"summary", "it rings"},
            {"source", "db:5432"},
            {"severity", "critical"},
            {"custom_details", {{"firing", "one"}}}}},
          {"links", {{{"href", "http://a"}, {"text", "b"}}}}};
}

std::vector<std::string> ErrorsOf(const json& event) {
  return JudgePagerDutyEvent(event.dump()).errors;
}

TEST(PagerDutyRulesTest, WholeTriggerIsAccepted) {
  const auto verdict = JudgePagerDutyEvent(GoodEvent().dump());
  EXPECT_THAT(verdict.errors, IsEmpty());
  EXPECT_EQ(verdict.action, "trigger");
  EXPECT_EQ(verdict.summary, "it rings");
  EXPECT_EQ(verdict.severity, "critical");
}

TEST(PagerDutyRulesTest, RoutingKeyHasThirtyTwoCharacters) {
  auto event = GoodEvent();
  event["routing_key"] = "short";
  EXPECT_THAT(ErrorsOf(event), Contains(HasSubstr("should be 32 characters")));
  event.erase("routing_key");
  EXPECT_THAT(ErrorsOf(event), Contains("'routing_key' is missing or blank"));
}

TEST(PagerDutyRulesTest, SeverityIsOneOfFourWords) {
  auto event = GoodEvent();
  event["payload"]["severity"] = "fatal";
  EXPECT_THAT(ErrorsOf(event), Contains(HasSubstr("'payload.severity' is invalid")));
}

TEST(PagerDutyRulesTest, SummaryIsCountedInCharactersNotBytes) {
  auto event = GoodEvent();
  std::string summary;
  for (int i = 0; i < 1024; ++i) summary += "ü";
  event["payload"]["summary"] = summary;
  EXPECT_THAT(ErrorsOf(event), IsEmpty());
  event["payload"]["summary"] = summary + "x";
  EXPECT_THAT(ErrorsOf(event), Contains(HasSubstr("payload.summary")));
}

TEST(PagerDutyRulesTest, ResolveNeedsOnlyItsKeys) {
  json event = {
      {"routing_key", std::string(32, 'k')}, {"event_action", "resolve"}, {"dedup_key", "d"}};
  EXPECT_THAT(ErrorsOf(event), IsEmpty());
  event.erase("dedup_key");
  EXPECT_THAT(ErrorsOf(event), Contains("'dedup_key' is missing or blank"));
  event["dedup_key"] = std::string(256, 'd');
  EXPECT_THAT(ErrorsOf(event), Contains(HasSubstr("at most 255 characters")));
}

TEST(PagerDutyRulesTest, TriggerWithoutPayloadAndNonsenseAreRefused) {
  auto event = GoodEvent();
  event.erase("payload");
  EXPECT_THAT(ErrorsOf(event), Contains("'payload' is missing or blank"));
  EXPECT_THAT(JudgePagerDutyEvent("{").errors, Contains("Invalid JSON"));
  event = GoodEvent();
  event["event_action"] = "ring";
  EXPECT_THAT(ErrorsOf(event), Contains(HasSubstr("'event_action' is invalid")));
  event = GoodEvent();
  event["links"] = {{{"text", "nowhere"}}};
  EXPECT_THAT(ErrorsOf(event), Contains("'href' is missing or blank"));
}

TEST(SlackRulesTest, AttachmentAloneIsAMessage) {
  const json message = {{"channel", "#db"},
                        {"attachments",
                         {{{"title", "[FIRING:1] PgDown"},
                           {"color", "danger"},
                           {"fields", {{{"title", "a"}, {"value", "b"}, {"short", true}}}},
                           {"mrkdwn_in", {"text"}}}}}};
  const auto verdict = JudgeSlackMessage(message.dump());
  EXPECT_EQ(verdict.refusal, "") << verdict.reason;
  EXPECT_EQ(verdict.headline, "[FIRING:1] PgDown");
}

TEST(SlackRulesTest, MessageThatSaysNothingIsRefused) {
  EXPECT_EQ(JudgeSlackMessage(R"({"channel":"#db"})").refusal, "no_text");
  EXPECT_EQ(JudgeSlackMessage(R"({"text":""})").refusal, "no_text");
  EXPECT_EQ(JudgeSlackMessage("text").refusal, "invalid_payload");
  EXPECT_EQ(JudgeSlackMessage(R"({"text":7})").refusal, "invalid_payload");
}

TEST(SlackRulesTest, LimitsAndTypesOfAttachments) {
  EXPECT_EQ(JudgeSlackMessage(json({{"text", std::string(40'000, 'x')}}).dump()).refusal, "");
  EXPECT_EQ(JudgeSlackMessage(json({{"text", std::string(40'001, 'x')}}).dump()).refusal,
            "invalid_payload");
  json many = json::array();
  for (int i = 0; i < 101; ++i) many.push_back({{"text", "x"}});
  EXPECT_EQ(JudgeSlackMessage(json({{"attachments", many}}).dump()).refusal,
            "too_many_attachments");
  EXPECT_EQ(JudgeSlackMessage(R"({"attachments":[{"text":"x","color":"purple"}]})").refusal,
            "invalid_attachments");
  EXPECT_EQ(JudgeSlackMessage(R"({"attachments":[{"fields":[{"title":"a"}]}]})").refusal,
            "invalid_attachments");
}

TEST(SlackRulesTest, HeaderBlockHoldsAHundredAndFiftyCharacters) {
  const auto with = [](std::size_t length) {
    return json({{"blocks",
                  {{{"type", "header"},
                    {"text", {{"type", "plain_text"}, {"text", std::string(length, 'x')}}}}}}})
        .dump();
  };
  EXPECT_EQ(JudgeSlackMessage(with(150)).refusal, "");
  EXPECT_EQ(JudgeSlackMessage(with(151)).refusal, "invalid_blocks");
}

TEST(RateLimitTest, BurstThenOneASecond) {
  TokenBucket bucket(1, 3);
  RateTime now{std::chrono::hours(1)};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.Take(now), 0);
  EXPECT_GE(bucket.Take(now), 1);
  EXPECT_EQ(bucket.Take(now + std::chrono::seconds(1)), 0);
}

TEST(RateLimitTest, WindowSaysWhenTheOldestLeaves) {
  SlidingWindow window(2, std::chrono::seconds(60));
  const RateTime now{std::chrono::hours(1)};
  EXPECT_EQ(window.Take(now), 0);
  EXPECT_EQ(window.Take(now + std::chrono::seconds(20)), 0);
  EXPECT_EQ(window.Take(now + std::chrono::seconds(30)), 30);
  EXPECT_EQ(window.Take(now + std::chrono::seconds(60)), 0);
}

}  // namespace
}  // namespace tocsin::demo
