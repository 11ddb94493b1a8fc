// When the heartbeat stays out because of deliveries.

#include <gmock/gmock.h>

#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

const model::Labels kDown = {{"alertname", "Down"}, {"instance", "a"}, {"severity", "warning"}};

constexpr const char* kBeatUrl = "http://webhook.test/beat";

// What beats every 10 s beside one webhook.
class HeartbeatTest : public ::testing::Test {
 protected:
  HeartbeatTest()
      : world(ShortForm(std::string("heartbeat: {url: '") + kBeatUrl +
                        "', every: 10s}\nwebhook: {url: 'http://hook.test/'}\n")) {
    world.http->Answer("http://hook.test", {ScriptedAnswer::Status(200)});
  }
  std::size_t beats() const { return world.http->requests(kBeatUrl).size(); }
  double withheld() {
    return world.metrics
        ->Counter("tocsin_heartbeats_withheld_total",
                  "Heartbeats kept back because something is wrong.")
        .Value();
  }

  World world;
};

TEST_F(HeartbeatTest, GoesOutOnlyWhileAllIsWell) {
  world.Run(seconds(35));
  EXPECT_EQ(beats(), 4u);
  EXPECT_EQ(withheld(), 0);
}

TEST_F(HeartbeatTest, IsWithheldFromTheFirstRefusalUntilSomethingIsTaken) {
  world.http->Answer("http://hook.test", {ScriptedAnswer::Status(400)});
  world.Fire(kDown);
  world.Run(minutes(30));
  EXPECT_EQ(beats(), 2u);  // At the start and as it was sent, at 10 s.
  EXPECT_EQ(withheld(), 179);
  world.http->Answer("http://hook.test", {ScriptedAnswer::Status(200)});
  world.Run(minutes(2));
  EXPECT_GE(beats(), 6u);
}

TEST_F(HeartbeatTest, IsWithheldWhenNothingWasTakenForFiveMinutes) {
  world.http->Answer("http://hook.test", {ScriptedAnswer::RetryAfter(429, minutes(20))});
  world.Fire(kDown);
  world.Run(minutes(5));
  EXPECT_EQ(withheld(), 0);
  world.Run(minutes(5));
  EXPECT_GE(withheld(), 28);
}

}  // namespace
}  // namespace tocsin::notify
