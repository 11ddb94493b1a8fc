// A receiver that is down: what it should have been told waits in the outbox and
// goes out when it is back, also across a kill -9 of the daemon.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "daemon/base/file_system.h"
#include "tests/support/daemon_process.h"
#include "tests/support/http_server.h"

namespace tocsin::testing {
namespace {

using std::chrono::seconds;

// The stand-in for a vendor: refuses while `down`, else accepts.
class Receiver {
 public:
  Receiver()
      : server_([this](const ServedRequest& request) {
          ServedAnswer answer;
          answer.status = down ? 503 : 202;
          answer.body = down ? "" : "{\"status\":\"success\"}";
          if (!down && request.body.find("\"resolve\"") != request.body.npos) ++resolves;
          if (!down && request.body.find("\"trigger\"") != request.body.npos) ++triggers;
          return answer;
        }) {}

  std::string url() const { return server_.Url("/v2/enqueue"); }
  const HttpServer& server() const { return server_; }

  std::atomic<bool> down = false;
  std::atomic<int> triggers = 0;
  std::atomic<int> resolves = 0;

 private:
  HttpServer server_;
};

std::string Config(const std::string& folder, const std::string& probe_url) {
  return "interval: 1s\n"
         "http: [ { name: probe, url: \"" +
         probe_url +
         "\", timeout: 1s } ]\n"
         "rules: [ " +
         folder + "/rules.yaml ]\nalerting: " + folder + "/alertmanager.yml\n";
}

std::string Alerting(const Receiver& receiver) {
  return "route: { receiver: pager, group_wait: 0s, group_interval: 2s }\n"
         "receivers: [ { name: pager, pagerduty_configs: [ { routing_key: "
         "0123456789abcdef0123456789abcdef, url: \"" +
         receiver.url() + "\" } ] } ]\n";
}

constexpr const char* kRules =
    "groups: [ { name: g, rules: [ { alert: ProbeDown, expr: probe_success == 0, labels: "
    "{ severity: critical }, annotations: { summary: down } } ] } ]\n";

class ReceiverDownTest : public ::testing::Test {
 protected:
  void Start() {
    PosixFileSystem files;
    ASSERT_TRUE(files.WriteAtomically(folder_.File("rules.yaml"), kRules).ok());
    ASSERT_TRUE(files.WriteAtomically(folder_.File("alertmanager.yml"), Alerting(receiver_)).ok());
    auto started = DaemonProcess::Start(Config(folder_.path(), watched_.Url("/health")));
    ASSERT_TRUE(started.ok()) << started.error().message;
    daemon_ = *std::move(started);
  }

  std::atomic<bool> healthy_ = true;
  HttpServer watched_{[this](const ServedRequest&) {
    ServedAnswer answer;
    answer.status = healthy_ ? 200 : 500;
    return answer;
  }};
  Receiver receiver_;
  TemporaryFolder folder_;
  std::unique_ptr<DaemonProcess> daemon_;
};

TEST_F(ReceiverDownTest, ThePageGoesOutWhenTheReceiverIsBack) {
  receiver_.down = true;
  Start();
  healthy_ = false;
  ASSERT_TRUE(daemon_->WaitForAlert("ProbeDown", "firing"));
  ASSERT_TRUE(receiver_.server().WaitForRequests(1, seconds(20)));
  EXPECT_EQ(receiver_.triggers, 0);
  receiver_.down = false;
  EXPECT_TRUE(WaitUntil([&] { return receiver_.triggers >= 1; }, seconds(60)));
}

TEST_F(ReceiverDownTest, ThePageSurvivesKillNineAndItsResolveFollows) {
  receiver_.down = true;
  Start();
  healthy_ = false;
  ASSERT_TRUE(daemon_->WaitForAlert("ProbeDown", "firing"));
  ASSERT_TRUE(receiver_.server().WaitForRequests(1, seconds(20)));
  ASSERT_TRUE(daemon_->KillAndStart().ok());
  receiver_.down = false;
  EXPECT_TRUE(WaitUntil([&] { return receiver_.triggers >= 1; }, seconds(60)));
  EXPECT_EQ(receiver_.resolves, 0);
  healthy_ = true;
  EXPECT_TRUE(WaitUntil([&] { return receiver_.resolves >= 1; }, seconds(90)));
}

TEST_F(ReceiverDownTest, AnAlertThatFiresAcrossARestartIsNotToldAgain) {
  Start();
  healthy_ = false;
  ASSERT_TRUE(WaitUntil([&] { return receiver_.triggers == 1; }, seconds(30)));
  // Before the acceptance is settled a death may repeat the page, with the same key.
  ASSERT_TRUE(WaitUntil([&] {
    return daemon_->Query("sum(tocsin_notifications_total)") >= 1.0 &&
           daemon_->Query("sum(tocsin_outbox_length)") == 0.0;
  }));
  ASSERT_TRUE(daemon_->KillAndStart().ok());
  ASSERT_TRUE(daemon_->WaitForAlert("ProbeDown", "firing"));
  // Two further collections pass and nothing new is told.
  const auto rounds = [&] {
    return daemon_->Query("count_over_time(probe_success[1m])").value_or(0);
  };
  const double seen = rounds();
  ASSERT_TRUE(WaitUntil([&] { return rounds() >= seen + 2; }, seconds(20)));
  EXPECT_EQ(receiver_.triggers, 1);
  EXPECT_EQ(receiver_.resolves, 0);
}

}  // namespace
}  // namespace tocsin::testing
