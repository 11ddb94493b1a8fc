// Peers that are no Redis, or a Redis nobody wants.

#include <gtest/gtest.h>

#include <chrono>
#include <ostream>
#include <thread>

#include "collectors/redis/redis.h"
#include "tests/support/collector_probe.h"
#include "tests/support/scripted_peer.h"

namespace tocsin::collectors::redis {
namespace {

using namespace std::chrono_literals;
using ::tocsin::testing::CollectorProbe;
using ::tocsin::testing::PeerScript;
using ::tocsin::testing::ScriptedPeer;

struct HostileCase {
  const char* name;
  PeerScript script;
  ErrorCode expected;
};
void PrintTo(const HostileCase& hostile, std::ostream* out) { *out << hostile.name; }

class HostileRedisTest : public ::testing::TestWithParam<HostileCase> {};

// What a crowded machine may add to a deadline. A collection that nothing ends
// takes for ever, so that the test can fail all the same.
constexpr auto kSlack = 10s;

TEST_P(HostileRedisTest, EndsByTheDeadlineWithAReason) {
  const bool ends_itself = GetParam().expected != ErrorCode::kDeadlineExceeded;
  ScriptedPeer peer(GetParam().script);
  const std::string address = "://127.0.0.1:" + std::to_string(peer.port());
  CollectorProbe probe(ParseRedisTarget, "{url: 'redis" + address + "'}");
  auto timeout = ends_itself ? 30s : 400ms;
  auto collected = probe.Collect(timeout);
  ASSERT_FALSE(collected.ok());
  EXPECT_EQ(collected.error().code, GetParam().expected) << collected.error().message;
  EXPECT_FALSE(collected.error().message.empty());
  EXPECT_LT(probe.took(), timeout + kSlack);
}

TEST_P(HostileRedisTest, EndsByTheDeadlineWithTls) {
  ScriptedPeer peer(GetParam().script);
  CollectorProbe probe(ParseRedisTarget,
                       "{url: 'rediss://127.0.0.1:" + std::to_string(peer.port()) +
                           "', tls: {insecure_skip_verify: true}}");
  auto collected = probe.Collect(400ms);
  ASSERT_FALSE(collected.ok());
  EXPECT_FALSE(collected.error().message.empty());
  EXPECT_LT(probe.took(), 400ms + kSlack);
}

INSTANTIATE_TEST_SUITE_P(
    Peers, HostileRedisTest,
    ::testing::Values(
        HostileCase{"NeverAnswers", {}, ErrorCode::kDeadlineExceeded},
        HostileCase{
            "DripsBytes",
            {.answer = "+OK\r\n$100000\r\n" + std::string(1000, 'x'), .between_bytes = 20ms},
            ErrorCode::kDeadlineExceeded},
        HostileCase{"AnswersNonsense",
                    {.answer = "HTTP/1.1 400 Bad Request\r\n\r\n"},
                    ErrorCode::kCorruption},
        HostileCase{"ClosesAtOnce", {.close_after = true}, ErrorCode::kUnavailable},
        HostileCase{"ClosesInMidAnswer",
                    {.answer = "+OK\r\n$500\r\nredis_version:7", .close_after = true},
                    ErrorCode::kUnavailable},
        HostileCase{
            "FloodsWithoutEnd",
            {.answer = "+OK\r\n$2000000000\r\n" + std::string(1 << 20, 'x'), .repeat = true},
            ErrorCode::kResourceExhausted},
        HostileCase{"ClaimsAHugeArray",
                    {.answer = "+OK\r\n*2147483647\r\n"},
                    ErrorCode::kResourceExhausted},
        HostileCase{"RefusesInProtectedMode",
                    {.answer = "-DENIED Redis is running in protected mode\r\n"
                               "-DENIED Redis is running in protected mode\r\n"
                               "-DENIED\r\n-DENIED\r\n-DENIED\r\n-DENIED\r\n-DENIED\r\n-DENIED\r\n"
                               "-DENIED\r\n-DENIED\r\n-DENIED\r\n-DENIED\r\n"},
                    ErrorCode::kPermissionDenied},
        HostileCase{"InfoIsEmpty",
                    {.answer = "+OK\r\n$0\r\n\r\n-E\r\n-E\r\n-E\r\n-E\r\n-E\r\n-E\r\n-E\r\n-E\r\n"
                               "-E\r\n-E\r\n-E\r\n"},
                    ErrorCode::kCorruption}),
    [](const auto& info) { return info.param.name; });

TEST(HungRedisTest, RequestToStopEndsACollection) {
  ScriptedPeer peer({});
  CollectorProbe probe(ParseRedisTarget,
                       "{url: 'redis://127.0.0.1:" + std::to_string(peer.port()) + "'}");
  std::stop_source stop;
  std::jthread stopper([&stop, &peer] {
    while (peer.connections() == 0) std::this_thread::yield();
    stop.request_stop();
  });
  auto collected = probe.Collect(1min, stop.get_token());
  ASSERT_FALSE(collected.ok());
  EXPECT_EQ(collected.error().code, ErrorCode::kCancelled);
  EXPECT_LT(probe.took(), 30s);
}

}  // namespace
}  // namespace tocsin::collectors::redis
