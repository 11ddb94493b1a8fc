// A receiver that takes a message and never answers delays no other.

#include <gtest/gtest.h>

#include <atomic>

#include "daemon/base/file_system.h"
#include "tests/support/daemon_process.h"
#include "tests/support/http_server.h"

namespace tocsin::testing {
namespace {

// A poll, an evaluation on arrival and a request; Slack's own time-out is longer.
constexpr std::chrono::seconds kPromptly{5};

constexpr const char* kRules =
    "groups: [ { name: g, rules: [ { alert: ProbeDown, expr: probe_success == 0, labels: "
    "{ severity: critical }, annotations: { summary: down } } ] } ]\n";

TEST(SlowReceiverTest, ASlackThatHangsDelaysNoPage) {
  std::atomic<bool> first_fails = false;
  std::atomic<bool> second_fails = false;
  HttpServer watched([&](const ServedRequest& request) {
    ServedAnswer answer;
    answer.status = (request.target == "/first" ? first_fails : second_fails) ? 500 : 200;
    return answer;
  });
  HttpServer slack(Always({.manner = ServedAnswer::Manner::kHang}));
  std::atomic<int> triggers = 0;
  std::atomic<int> resolves = 0;
  HttpServer pagerduty([&](const ServedRequest& request) {
    if (request.body.find("\"trigger\"") != request.body.npos) ++triggers;
    if (request.body.find("\"resolve\"") != request.body.npos) ++resolves;
    ServedAnswer answer;
    answer.status = 202;
    answer.body = R"({"status":"success"})";
    return answer;
  });
  TemporaryFolder folder;
  PosixFileSystem files;
  ASSERT_TRUE(files.WriteAtomically(folder.File("rules.yaml"), kRules).ok());
  auto started = DaemonProcess::Start(
      "interval: 1s\n"
      "http: [ { name: first, timeout: 1s, url: '" +
      watched.Url("/first") + "' }, { name: second, timeout: 1s, url: '" + watched.Url("/second") +
      "' } ]\nrules: [ '" + folder.File("rules.yaml") + "' ]\nnotify: { slack: { webhook_url: '" +
      slack.Url("/services/T/B/X") +
      "' }, pagerduty: { routing_key: 0123456789abcdef0123456789abcdef, url: '" +
      pagerduty.Url("/v2/enqueue") + "' } }\n");
  ASSERT_TRUE(started.ok()) << started.error().message;
  DaemonProcess& daemon = **started;
  ASSERT_TRUE(daemon.WaitForValue("sum(probe_success)", 2));

  first_fails = true;
  EXPECT_TRUE(WaitUntil([&] { return triggers >= 1; }, kPromptly)) << daemon.Output();
  ASSERT_TRUE(slack.WaitForRequests(1, kPromptly)) << "Slack is not told at all";
  // Slack's worker waits now; a page that would need it comes late.
  second_fails = true;
  EXPECT_TRUE(WaitUntil([&] { return triggers >= 2; }, kPromptly)) << daemon.Output();

  first_fails = second_fails = false;
  EXPECT_TRUE(WaitUntil([&] { return resolves >= 2; }, std::chrono::seconds(90)))
      << daemon.Output();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(daemon.process().Stop(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

}  // namespace
}  // namespace tocsin::testing
