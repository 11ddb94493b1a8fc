// The kinds http, tcp and prometheus as an operator sees them: the daemon with a
// configuration, asked in PromQL.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "tests/support/daemon_process.h"
#include "tests/support/http_server.h"
#include "tests/support/scripted_peer.h"

namespace tocsin::testing {
namespace {

std::string InUseShare(const std::string& pool) {
  return "sum(app_pool_in_use{pool=\"" + pool + "\"}) / sum(app_pool_capacity{pool=\"" + pool +
         "\"})";
}

TEST(DaemonKindsTest, EveryPoolIsInUseOfItsCapacity) {
  std::atomic<int> turn{0};
  std::atomic<bool> hangs{false};
  HttpServer server([&](const ServedRequest& request) -> ServedAnswer {
    if (request.target == "/object") {
      return {.body = R"({"pool":{"size":20,"checked_out":3,"checked_in":2,"overflow":-15,)"
                      R"("max_overflow":40}})"};
    }
    if (request.target == "/text") {
      return {.body = R"({"pool":"Pool size: 5  Connections in pool: 1 Current Overflow: -1 )"
                      R"(Current Checked out connections: 3"})"};
    }
    if (request.target == "/hikari") {
      return {.body = R"({"active":7,"idle":3,"pending":2,"max":10})"};
    }
    if (request.target == "/go") {
      return {.body = R"({"MaxOpenConnections":50,"OpenConnections":9,"InUse":5,"Idle":4,)"
                      R"("WaitCount":3,"WaitDuration":1500000000})"};
    }
    if (request.target == "/hang" || hangs) return {.manner = ServedAnswer::Manner::kHang};
    const int pid = 100 + turn++ % 4;  // Four workers answer in turn.
    return {.body = R"({"pid":)" + std::to_string(pid) + R"(,"size":10,"checked_out":)" +
                    std::to_string(pid - 100) + R"(,"max_overflow":0})"};
  });
  std::string config = "interval: 400ms\nhttp:\n";
  const auto add = [&](const std::string& name, const std::string& extract) {
    config += "  - { name: " + name + ", timeout: 350ms, url: '" + server.Url("/" + name) +
              "', extract: [ { name: " + name + ", " + extract + " } ] }\n";
  };
  add("object", "pool: sqlalchemy, json: /pool");
  add("text", "pool: sqlalchemy, json: /pool, max_overflow: 5");
  add("hikari", "pool: hikaricp, json: ''");
  add("go", "pool: go_sql, json: ''");
  add("workers", "pool: sqlalchemy, json: ''");
  add("hang", "pool: generic, json: '', capacity: 30");
  auto daemon = DaemonProcess::Start(config);
  ASSERT_TRUE(daemon.ok()) << daemon.error().message;
  DaemonProcess& tocsin = **daemon;
  EXPECT_TRUE(tocsin.WaitForValue(InUseShare("object"), 3.0 / 60));
  EXPECT_TRUE(tocsin.WaitForValue("app_pool_overflow{pool=\"object\"}", -15));
  EXPECT_TRUE(tocsin.WaitForValue(InUseShare("text"), 3.0 / 10));
  EXPECT_TRUE(tocsin.WaitForValue(InUseShare("hikari"), 7.0 / 10));
  EXPECT_TRUE(tocsin.WaitForValue(InUseShare("go"), 5.0 / 50));
  EXPECT_TRUE(tocsin.WaitForValue("app_pool_wait_seconds_total{pool=\"go\"}", 1.5));
  EXPECT_TRUE(tocsin.WaitForValue(InUseShare("workers"), 6.0 / 40));
  EXPECT_TRUE(tocsin.WaitForValue("count(app_pool_in_use{pool=\"workers\",pid=~\"10[0-3]\"})", 4));
  EXPECT_TRUE(tocsin.WaitForValue(InUseShare("hang"), 1));
  EXPECT_TRUE(tocsin.WaitForValue("app_pool_capacity{pool=\"hang\"}", 30));
  hangs = true;
  EXPECT_TRUE(tocsin.WaitForValue(InUseShare("workers"), 1));
  EXPECT_TRUE(tocsin.WaitForValue("up{instance=~\".*/workers\"}", 1));  // An answer all the same.
  hangs = false;
  EXPECT_TRUE(tocsin.WaitForValue(InUseShare("workers"), 6.0 / 40));
}

TEST(DaemonKindsTest, ATcpTargetIsWatchedFromTheConfiguration) {
  ScriptedPeer peer({.answer = "220 mx7 ready\r\n", .answer_at_once = true});
  auto daemon = DaemonProcess::Start(
      "interval: 200ms\ntcp:\n  - { name: mail, url: 'tcp://127.0.0.1:" +
      std::to_string(peer.port()) +
      "', query_response: [ { expect: '^220 (.*) ready', labels: { node: '${1}' } } ] }\n"
      "  - { name: nobody, url: 'tcp://127.0.0.1:" +
      std::to_string(FreePort()) + "' }\n");
  ASSERT_TRUE(daemon.ok()) << daemon.error().message;
  DaemonProcess& tocsin = **daemon;
  const std::string mail = "instance=\"127.0.0.1:" + std::to_string(peer.port()) + "\"";
  EXPECT_TRUE(tocsin.WaitForValue("probe_success{job=\"tcp\"," + mail + "}", 1));
  EXPECT_TRUE(tocsin.WaitForValue("probe_expect_info{node=\"mx7\"," + mail + "}", 1));
  EXPECT_TRUE(tocsin.WaitForValue("count(tocsin_probe_failure_info{reason=\"connect\"})", 1));
  EXPECT_TRUE(tocsin.WaitForValue("sum(up{job=\"tcp\"})", 2));
  // What is shown of a target follows its samples.
  EXPECT_TRUE(WaitUntil([&] {
    const auto target = tocsin.FindTarget("nobody");
    return target && target->notes.find("the probe failed") != std::string::npos;
  }));
}

// Staleness, the counts of samples and the target's labels, as Prometheus has them.
TEST(DaemonKindsTest, AScrapedPageIsRelabelledWithItsTargetsLabels) {
  std::atomic<bool> has_b{true};
  HttpServer server([&](const ServedRequest&) -> ServedAnswer {
    return {.body = "a{instance=\"own\"} 1\ngo_x 1\n" + std::string(has_b ? "b 2\n" : ""),
            .headers = {{"Content-Type", "text/plain; version=0.0.4"}}};
  });
  auto daemon = DaemonProcess::Start(
      "interval: 200ms\nprometheus:\n  - name: app\n    url: " + server.Url("/metrics") +
      "\n    labels: { env: prod }\n    sample_limit: 2\n    metric_relabel_configs:\n"
      "      - { source_labels: [__name__], regex: go_.*, action: drop }\n"
      "      - { source_labels: [exported_instance], regex: (.+), target_label: instance, "
      "replacement: '${1}' }\n"
      "      - { regex: exported_instance|env, action: labeldrop }\n");
  ASSERT_TRUE(daemon.ok()) << daemon.error().message;
  DaemonProcess& tocsin = **daemon;
  EXPECT_TRUE(tocsin.WaitForValue("a{instance=\"own\",job=\"prometheus\",env=\"\"}", 1));
  EXPECT_TRUE(tocsin.WaitForValue("b{instance=~\"127.*\",env=\"\"}", 2));
  EXPECT_TRUE(tocsin.WaitForValue("up{env=\"prod\"}", 1));
  EXPECT_TRUE(tocsin.WaitForValue("scrape_samples_scraped{job=\"prometheus\"}", 3));
  EXPECT_TRUE(tocsin.WaitForValue("scrape_samples_post_metric_relabeling{job=\"prometheus\"}", 2));
  has_b = false;
  EXPECT_TRUE(tocsin.WaitForValue("absent(b)", 1));
  EXPECT_EQ(tocsin.Query("a"), 1);
}

}  // namespace
}  // namespace tocsin::testing
