// The same Notifier on real threads, over real sockets.

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "tests/support/http_server.h"
#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {
namespace {

using std::chrono::seconds;

TEST(ThreadsTest, ManySendersReloadsAndReadersAtOnceAndStopDrains) {
  Mutex mutex;
  std::set<std::string> told;
  testing::HttpServer server([&](const testing::ServedRequest& request) {
    MutexLock lock(mutex);
    const auto body = nlohmann::json::parse(request.body);
    for (const auto& alert : body["alerts"]) {
      if (alert["status"] == "firing") told.insert(alert["labels"]["instance"]);
    }
    return testing::ServedAnswer{};
  });
  const auto config = Config(
      "route: {receiver: r, group_by: ['...'], group_wait: 0s, group_interval: 1s}\n"
      "receivers: [{name: r, webhook_configs: [{url: '" +
      server.Url("/hook") + "'}]}]\n");
  SystemClock clock;
  ThreadExecutors executors(clock);
  CurlHttpClient http(clock);
  MetricRegistry metrics;
  TempFolder folder;
  Notifier::Options options;
  options.database.path = (folder.path() / "state.db").string();
  PosixFileSystem files;
  auto notifier = Notifier::Open(config, options, clock, executors, http, files, metrics).value();
  notifier->Start();
  constexpr int kSenders = 4;
  constexpr int kAlerts = 25;
  std::vector<std::thread> threads;
  for (int sender = 0; sender < kSenders; ++sender) {
    threads.emplace_back([&, sender] {
      for (int i = 0; i < kAlerts; ++i) {
        model::Alert alert;
        alert.labels = {{"alertname", "A"},
                        {"instance", std::to_string(sender * kAlerts + i)},
                        {"severity", "critical"}};
        alert.starts_at = clock.WallNow();
        alert.ends_at = alert.starts_at + std::chrono::hours(1);
        EXPECT_TRUE(notifier->Accept({alert}).ok());
        std::ignore = notifier->Alerts();
        std::ignore = notifier->Groups();
        std::ignore = notifier->Explain(alert.labels.Fingerprint());
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(notifier->Reload(config).ok());
  });
  for (std::thread& thread : threads) thread.join();
  const SteadyTime deadline = clock.SteadyNow() + seconds(20);
  const auto count = [&] {
    MutexLock lock(mutex);
    return told.size();
  };
  while (count() < kSenders * kAlerts && clock.SteadyNow() < deadline) std::this_thread::yield();
  notifier->Stop(clock.SteadyNow() + seconds(5));
  EXPECT_EQ(count(), static_cast<std::size_t>(kSenders * kAlerts));
  EXPECT_EQ(notifier->Accept({}).error().code, ErrorCode::kUnavailable);
}

TEST(ThreadsTest, StopWaitsForWhatIsUnderWayButNotForAReceiverThatHangs) {
  testing::HttpServer server([&](const testing::ServedRequest& /*request*/) {
    testing::ServedAnswer answer;
    answer.manner = testing::ServedAnswer::Manner::kHang;
    return answer;
  });
  const auto config = Config(
      "route: {receiver: r, group_wait: 0s}\n"
      "receivers: [{name: r, webhook_configs: [{url: '" +
      server.Url("/hook") + "'}]}]\n");
  SystemClock clock;
  ThreadExecutors executors(clock);
  CurlHttpClient http(clock);
  MetricRegistry metrics;
  TempFolder folder;
  Notifier::Options options;
  options.database.path = (folder.path() / "state.db").string();
  PosixFileSystem files;
  auto notifier = Notifier::Open(config, options, clock, executors, http, files, metrics).value();
  notifier->Start();
  model::Alert alert;
  alert.labels = {{"alertname", "A"}};
  ASSERT_TRUE(notifier->Accept({alert}).ok());
  const SteadyTime limit = clock.SteadyNow() + seconds(10);
  const auto in_flight = [&] {
    const auto outbox = notifier->Outbox();
    return !outbox.empty() && outbox[0].in_flight;
  };
  while (!in_flight() && clock.SteadyNow() < limit) std::this_thread::yield();
  ASSERT_TRUE(in_flight());
  const SteadyTime before = clock.SteadyNow();
  notifier->Stop(before + std::chrono::milliseconds(300));
  EXPECT_LT(clock.SteadyNow() - before, seconds(4));
  EXPECT_EQ(notifier->Outbox().size(), 1u);  // It goes out at the next start.
}

}  // namespace
}  // namespace tocsin::notify
