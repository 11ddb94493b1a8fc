#include "daemon/push/push.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "daemon/base/text.h"
#include "daemon/formats/remote_write.h"
#include "daemon/push/retry_after.h"
#include "tests/support/scripted_http_client.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_executor.h"

namespace tocsin::push {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ScriptedAnswer;
using testing::ScriptedHttpClient;
using testing::ScriptedRequest;
using testing::SimClock;
using testing::SimExecutors;
using namespace std::chrono_literals;

constexpr char kUrl[] = "http://far:9090/api/v1/write";
constexpr char kGateway[] = "http://gate:9091";

PushConfig Parse(const std::string& yaml, ConfigErrors& errors) {
  PosixFileSystem files;
  const ConfigNode node = ConfigNode::Parse(yaml, "t.yaml", ConfigNode::Expand::kNothing, errors);
  return ParsePushConfig(ConfigReader(node, errors), files);
}

// `name{…} value@time` of all that a request carries.
std::vector<std::string> Carried(const ScriptedRequest& sent) {
  std::vector<std::string> lines;
  const auto decoded = formats::DecodeRemoteWrite(sent.request.body, 1 << 24);
  EXPECT_TRUE(decoded.ok());
  for (const auto& series : decoded->series) {
    for (const auto& sample : series.samples) {
      lines.push_back(series.labels.Text() + " " +
                      (model::IsStaleMarker(sample.value) ? "stale" : FormatDouble(sample.value)) +
                      "@" + std::to_string(sample.time_ms));
    }
  }
  return lines;
}

class PusherTest : public ::testing::Test {
 protected:
  void Make(const std::string& yaml, const model::Labels& external = {}) {
    ConfigErrors errors;
    const PushConfig config = Parse(yaml, errors);
    ASSERT_TRUE(errors.empty()) << errors.Text();
    pusher_ = std::make_unique<Pusher>(
        config, external, [this] { return pages_; }, clock_, world_, client_, files_, registry_);
  }

  void Commit(const model::Labels& labels, std::int64_t time_ms, double value) {
    const model::SeriesRef series{1, labels};
    const model::SeriesSample sample{&series, time_ms, value};
    pusher_->OnCommit({}, {&sample, 1});
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
  std::vector<PushPage> pages_;
  std::unique_ptr<Pusher> pusher_;
};

const std::string kRemoteWrite = std::string("remote_write: [ { url: '") + kUrl + "', ";

TEST_F(PusherTest, SendsABatchWhenItIsFullOrOldEnough) {
  Make(kRemoteWrite + "queue: { max_samples_per_send: 2, batch_deadline: 5s } } ]");
  client_.Answer(kUrl, {ScriptedAnswer::Status(204)});
  Commit({{"__name__", "a"}}, 1, 1);
  world_.RunFor(4s);
  EXPECT_THAT(client_.requests(), IsEmpty());
  Commit({{"__name__", "b"}}, 2, model::StaleMarker());
  world_.RunFor(100ms);
  ASSERT_EQ(client_.requests().size(), 1u);
  EXPECT_THAT(Carried(client_.requests()[0]), ElementsAre("a 1@1", "b stale@2"));
  Commit({{"__name__", "c"}}, 3, 3);
  EXPECT_FALSE(pusher_->Idle());
  world_.RunFor(6s);
  ASSERT_EQ(client_.requests().size(), 2u);
  EXPECT_THAT(Carried(client_.requests()[1]), ElementsAre("c 3@3"));
  EXPECT_TRUE(pusher_->Idle());
  EXPECT_EQ(Metric("tocsin_remote_write_samples_sent_total{destination=\"far:9090\"}"), 3);
  EXPECT_EQ(Metric("tocsin_remote_write_samples_pending{destination=\"far:9090\"}"), 0);
}

TEST_F(PusherTest, AddsExternalLabelsAndRelabels) {
  Make(kRemoteWrite +
           "write_relabel: [ { source_labels: [__name__], regex: go_.*, action: drop },"
           " { regex: secret, action: labeldrop } ] } ]",
       {{"env", "prod"}, {"cluster", "x"}});
  client_.Answer(kUrl, {ScriptedAnswer::Status(204)});
  Commit({{"__name__", "go_x"}}, 1, 1);
  Commit({{"__name__", "a"}, {"env", "own"}, {"secret", "s"}}, 1, 1);
  pusher_->Flush();
  world_.RunFor(100ms);
  ASSERT_EQ(client_.requests().size(), 1u);
  EXPECT_THAT(Carried(client_.requests()[0]), ElementsAre("a{cluster=\"x\", env=\"own\"} 1@1"));
  EXPECT_TRUE(pusher_->Idle());
}

TEST_F(PusherTest, WhatIsRelabelledAwayNeedsNoRequest) {
  Make(kRemoteWrite + "write_relabel: [ { regex: '.*', source_labels: [x], action: drop } ] } ]");
  Commit({{"__name__", "a"}}, 1, 1);
  world_.RunFor(10s);
  EXPECT_THAT(client_.requests(), IsEmpty());
  EXPECT_TRUE(pusher_->Idle());
}

TEST_F(PusherTest, RepeatsTheSameBatchUntilItIsAccepted) {
  Make(kRemoteWrite + "timeout: 2s, queue: { min_backoff: 1s, max_backoff: 4s } } ]");
  client_.Answer(kUrl, {ScriptedAnswer::Refused(), ScriptedAnswer::Status(503),
                        ScriptedAnswer::Hang(), ScriptedAnswer::RetryAfter(429, 60s),
                        ScriptedAnswer::AnswerLost(), ScriptedAnswer::Status(200)});
  Commit({{"__name__", "a"}}, 1, 1);
  pusher_->Flush();
  world_.RunFor(30s);
  EXPECT_EQ(client_.requests().size(), 4u);  // Backoff 1, 2, 4 s and the hang of 2 s.
  world_.RunFor(40s);
  EXPECT_EQ(client_.requests().size(), 5u);  // Not before the minute it was asked for.
  world_.RunFor(10s);
  ASSERT_EQ(client_.requests().size(), 6u);
  for (const auto& sent : client_.requests()) EXPECT_THAT(Carried(sent), ElementsAre("a 1@1"));
  EXPECT_EQ(Metric("tocsin_remote_write_retries_total{destination=\"far:9090\"}"), 5);
  EXPECT_EQ(Metric("tocsin_remote_write_samples_sent_total{destination=\"far:9090\"}"), 1);
}

TEST_F(PusherTest, ACredentialThatIsRotatedInItsFileGoesOutWithTheNextRequest) {
  std::string path = "/tmp/tocsin_push_XXXXXX";
  close(mkstemp(path.data()));
  const auto write = [&](const std::string& content) { std::ofstream(path) << content << "\n"; };
  write("before");
  const std::string credential = "bearer_token_file: '" + path + "' } ]\n";
  Make(kRemoteWrite + "queue: { min_backoff: 1s }, " + credential + "pushgateway: [ { url: '" +
       kGateway + "', every: 10s, " + credential + "alertmanagers: [ { url: 'http://am:9093', " +
       credential);
  pages_ = {PushPage{model::Labels{{"job", "j"}}, "a 1\n"}};
  model::Alert alert;
  alert.labels = model::Labels{{"alertname", "A"}};
  const std::vector<std::string> peers = {kUrl, kGateway, "http://am:9093"};
  for (const std::string& peer : peers) client_.Answer(peer, {ScriptedAnswer::Refused()});
  Commit({{"__name__", "a"}}, 1, 1);
  pusher_->OnAlerts({&alert, 1});
  world_.RunFor(15s);
  write("after");
  world_.RunFor(60s);
  unlink(path.c_str());
  for (const std::string& peer : peers) {
    const auto sent = client_.requests(peer);
    ASSERT_GE(sent.size(), 2u) << peer;
    EXPECT_EQ(sent.front().request.authorization.Reveal(), "before") << peer;
    EXPECT_EQ(sent.back().request.authorization.Reveal(), "after") << peer;
  }
}

TEST_F(PusherTest, DropsWhatIsRefusedForGoodAndGoesOn) {
  Make(kRemoteWrite + "queue: { max_samples_per_send: 1 } } ]");
  client_.Answer(kUrl, {ScriptedAnswer::Status(400, "out of order"), ScriptedAnswer::Status(204)});
  Commit({{"__name__", "a"}}, 1, 1);
  Commit({{"__name__", "b"}}, 1, 1);
  world_.RunFor(1s);
  EXPECT_EQ(client_.requests().size(), 2u);
  EXPECT_EQ(
      Metric(
          "tocsin_remote_write_samples_dropped_total{destination=\"far:9090\",reason=\"refused\"}"),
      1);
  EXPECT_EQ(Metric("tocsin_remote_write_samples_sent_total{destination=\"far:9090\"}"), 1);
}

TEST_F(PusherTest, TheOldestSamplesGoWhenTheQueueIsFull) {
  Make(kRemoteWrite + "queue: { capacity: 3, max_samples_per_send: 3, min_backoff: 10s } } ]");
  client_.Answer(kUrl, {ScriptedAnswer::Refused(), ScriptedAnswer::Status(204)});
  for (int i = 0; i < 3; ++i) Commit({{"__name__", "a"}}, i, i);
  world_.RunFor(1s);  // These three are under way and kept.
  for (int i = 3; i < 10; ++i) Commit({{"__name__", "a"}}, i, i);
  EXPECT_EQ(Metric("tocsin_remote_write_samples_dropped_total{destination=\"far:9090\",reason="
                   "\"queue_full\"}"),
            4);
  EXPECT_EQ(Metric("tocsin_remote_write_samples_pending{destination=\"far:9090\"}"), 6);
  world_.RunFor(20s);
  ASSERT_EQ(client_.requests().size(), 3u);
  EXPECT_THAT(Carried(client_.requests()[1]), ElementsAre("a 0@0", "a 1@1", "a 2@2"));
  EXPECT_THAT(Carried(client_.requests()[2]), ElementsAre("a 7@7", "a 8@8", "a 9@9"));
}

TEST_F(PusherTest, OneDestinationThatHangsDelaysNoOther) {
  Make("remote_write: [ { url: 'http://hung/w' }, { url: 'http://well/w' } ]");
  client_.Answer("http://hung", {ScriptedAnswer::Hang()});
  client_.Answer("http://well", {ScriptedAnswer::Status(204)});
  for (int i = 0; i < 5; ++i) {
    Commit({{"__name__", "a"}}, i, i);
    world_.RunFor(5s);
  }
  EXPECT_EQ(client_.requests("http://hung").size(), 1u);
  EXPECT_GE(client_.requests("http://well").size(), 4u);
}

TEST_F(PusherTest, DestroyingItWithARequestUnderWayIsSafe) {
  Make(kRemoteWrite + "} ]");
  client_.Answer(kUrl, {ScriptedAnswer::Hang()});
  Commit({{"__name__", "a"}}, 1, 1);
  pusher_->Flush();
  world_.RunFor(1s);
  pusher_.reset();
  world_.RunFor(60s);
  EXPECT_EQ(client_.under_way(), 0u);
}

const std::string kPushgateway = std::string("pushgateway: [ { url: '") + kGateway + "/', ";

TEST_F(PusherTest, PutsEachGroupAtEveryIntervalAndDeletesTheVanished) {
  Make(kPushgateway + "every: 10s } ]");
  client_.Answer(kGateway, {ScriptedAnswer::Status(200)});
  pages_ = {{{{"job", "redis"}, {"instance", "a:6379"}}, "x 1\n"},
            {{{"job", "http"}, {"instance", "http://h/"}}, "y 2\n"}};
  world_.RunFor(11s);
  auto sent = client_.requests();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].request.method, "PUT");
  EXPECT_EQ(sent[0].request.url, "http://gate:9091/metrics/job/redis/instance/a%3A6379");
  EXPECT_EQ(sent[0].request.body, "x 1\n");
  EXPECT_EQ(sent[1].request.url, "http://gate:9091/metrics/job/http/instance@base64/aHR0cDovL2gv");
  pages_.pop_back();
  world_.RunFor(10s);
  sent = client_.requests();
  ASSERT_EQ(sent.size(), 4u);
  EXPECT_EQ(sent[3].request.method, "DELETE");
  EXPECT_EQ(sent[3].request.url, sent[1].request.url);
  world_.RunFor(10s);
  EXPECT_EQ(client_.requests().size(), 5u);
}

TEST_F(PusherTest, AGatewayThatHangsCostsOneTimeoutARound) {
  Make(kPushgateway + "every: 10s, timeout: 15s, job: fixed } ]");
  client_.Answer(kGateway, {ScriptedAnswer::Hang(), ScriptedAnswer::Status(200)});
  pages_ = {{{{"job", "a"}}, ""}, {{{"job", "b"}, {"instance", "i"}}, ""}};
  world_.RunFor(26s);
  EXPECT_EQ(client_.requests().size(), 1u);
  EXPECT_EQ(Metric("tocsin_pushgateway_failures_total{destination=\"gate:9091\"}"), 1);
  EXPECT_EQ(Metric("tocsin_pushgateway_rounds_skipped_total{destination=\"gate:9091\"}"), 1);
  world_.RunFor(5s);
  ASSERT_EQ(client_.requests().size(), 3u);
  EXPECT_THAT(client_.requests()[2].request.url, HasSubstr("/job/fixed/instance/i"));
}

TEST(PushConfigTest, SaysAllThatIsWrong) {
  ConfigErrors errors;
  Parse(R"(
remote_write:
  - { url: ftp://h/, queue: { capacity: 10, max_samples_per_send: 20, min_backoff: 5s, max_backoff: 1s } }
  - { url: http://h:1/, qeue: {} }
  - { url: http://h:1/other, write_relabel: [ { action: x } ] }
pushgateway: [ { evry: 5s } ]
alertmanager: []
)",
        errors);
  for (const char* message :
       {"not a URL", "more than the queue's capacity", "less than min_backoff",
        "unknown key \"qeue\" (did you mean \"queue\"?)", "another destination is called \"h:1\"",
        "unknown key \"evry\"", "unknown key \"alertmanager\"", "url"}) {
    EXPECT_THAT(errors.Text(), HasSubstr(message));
  }
}

TEST(RetryAfterTest, ReadsSecondsAndDatesWithinReason) {
  const WallTime now = FromUnixMillis(1'445'412'480'000);  // Wed, 21 Oct 2015 07:28:00 GMT
  EXPECT_EQ(RetryAfter("7", now), Millis(7000));
  EXPECT_EQ(RetryAfter("999999999999", now), kMaxRetryAfter);
  EXPECT_EQ(RetryAfter("Wed, 21 Oct 2015 07:28:30 GMT", now), Millis(30'000));
  EXPECT_EQ(RetryAfter("Wed, 21 Oct 2015 07:00:00 GMT", now), Millis(0));
  EXPECT_EQ(RetryAfter("soon", now), std::nullopt);
  EXPECT_EQ(RetryAfter("", now), std::nullopt);
  EXPECT_EQ(RetryAfter("-1", now), std::nullopt);
}

}  // namespace
}  // namespace tocsin::push
