// Beside Debian's own redis_exporter on the same servers, a master and its replica:
// nothing that it shows is missing, types and labels are equal, gauges and settings
// equal, and each counter lies between what it shows before and after.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "collectors/redis/redis.h"
#include "tests/support/collector_probe.h"
#include "tests/support/exporter_comparison.h"
#include "tests/support/redis_server.h"

namespace tocsin::collectors::redis {
namespace {

using ::tocsin::testing::CollectorProbe;
using ::tocsin::testing::CompareWithExporter;
using ::tocsin::testing::Difference;
using ::tocsin::testing::ExporterPage;
using ::tocsin::testing::Lines;
using ::tocsin::testing::PackagedExporter;
using ::tocsin::testing::PageOf;
using ::tocsin::testing::RedisServer;
using ::tocsin::testing::WaitUntil;

constexpr Difference kDifferences[] = {
    {"redis_up", "poll writes it, for a server that is down too", Difference::In::kFamily},
    {"redis_exporter_build_info", "likewise, with Tocsin's version", Difference::In::kFamily},
    {"redis_target_scrape_request_errors_total",
     "wrong questions at the exporter's own port, which are of no target", Difference::In::kFamily},
    {"redis_last_key_groups_scrape_duration_milliseconds",
     "0 without the exporter's option for groups of keys", Difference::In::kFamily},
    {"redis_exporter_*", "each counts and times its own scrapes"},
    // Off by one when the second turns between the answer and its reading; ours is the server's.
    {"redis_start_time_seconds", "its own clock less the server's uptime", Difference::In::kValues,
     1e-9},
    {"redis_client_recent_max_*", "peaks of the last seconds, of those who ask"},
    {"redis_connected_clients", "the exporter's connection is there only when it asks"},
    {"redis_mem*", "likewise its buffers", Difference::In::kValues, 0.3},
    {"redis_allocator_*", "likewise", Difference::In::kValues, 0.5},
    {"redis_connected_slave_lag_seconds", "0 or 1, as the replica's last word was this second"},
    {"redis_expired_time_cap_reached_total", "a counter in 1.88, whose types are ours",
     Difference::In::kType},
    {"redis_instance_info", "1.88 says master_replid too", Difference::In::kLabels},
};
static_assert(std::size(kDifferences) <= 20);

// Percentiles of what the two of them run themselves go up and down.
bool IsPercentileOfTheAsking(const ExporterPage::Series& series) {
  constexpr std::array<std::string_view, 8> kAsking = {
      "info",        "config|get",     "client|setname",    "slowlog|get",
      "slowlog|len", "latency|latest", "latency|histogram", "replconf"};
  const auto command = series.labels.find("cmd");
  return series.labels.contains("quantile") && command != series.labels.end() &&
         std::find(kAsking.begin(), kAsking.end(), command->second) != kAsking.end();
}

class DropInTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Start({"--databases", "20", "--latency-monitor-threshold", "1", "--enable-debug-command", "yes",
           "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "3600"},
          master_);
    Start({"--replicaof", "127.0.0.1 " + std::to_string(master_->port())}, replica_);
    auto exporter = PackagedExporter::Start("prometheus-redis-exporter", {});
    ASSERT_TRUE(exporter.ok()) << exporter.error().message;
    exporter_ = *std::move(exporter);
    for (const char* command :
         {"DEBUG POPULATE 1000 sess", "SET a 1", "SET b 2 EX 1000", "GET a", "GET missing",
          "-n 3 SET c 3", "-n 19 RPUSH list 1 2 3", "LPUSH a 1", "NOSUCHCOMMAND",
          "DEBUG SLEEP 0.05", "BGSAVE", "EVAL return{1} 0"}) {
      ASSERT_TRUE(master_->Command(command).ok()) << command;
    }
    ASSERT_TRUE(WaitUntil([this] {
      const auto state = replica_->Command("INFO replication");
      return state.ok() && state->find("master_link_status:up") != std::string::npos;
    }));
  }

  void Start(std::vector<std::string> arguments, std::unique_ptr<RedisServer>& server,
             std::string sentinel = {}) {
    auto started =
        RedisServer::Start({.arguments = std::move(arguments), .sentinel = std::move(sentinel)});
    ASSERT_TRUE(started.ok()) << started.error().message;
    server = *std::move(started);
  }

  // Those that the page bears: a replica or a Sentinel shows less than `whole`, a master.
  static std::vector<Difference> DifferencesOn(const ExporterPage& page, bool whole) {
    std::vector<Difference> differences;
    for (const Difference& one : kDifferences) {
      const std::string_view begin = one.family.substr(0, one.family.find('*'));
      const auto found = page.types.lower_bound(std::string(begin));
      if (whole || (found != page.types.end() && found->first.starts_with(begin))) {
        differences.push_back(one);
      }
    }
    return differences;
  }

  // The exporter's page before and after ours, of one of its targets.
  void Compare(const RedisServer& server, std::size_t least_series = 200) {
    const std::string path = "/scrape?target=" + server.Url();
    CollectorProbe probe(ParseRedisTarget, "{url: '" + server.Url() + "'}");
    // The first words of each, so that all commands they run have been run.
    ASSERT_TRUE(probe.Collect().ok());
    exporter_->Scrape(path);
    ExporterPage before = exporter_->Scrape(path);
    const auto collected = probe.Collect();
    ASSERT_TRUE(collected.ok()) << collected.error().message;
    const ExporterPage ours = PageOf(probe.batch());
    const ExporterPage after = exporter_->Scrape(path);
    ASSERT_GT(before.series.size(), least_series);
    const auto differences = DifferencesOn(before, &server == master_.get());
    std::erase_if(before.series,
                  [](const auto& one) { return IsPercentileOfTheAsking(one.second); });
    EXPECT_EQ(Lines(CompareWithExporter({before, ours, after}, "redis_", differences)), "");
    seen_.insert(before.types.begin(), before.types.end());
  }

  std::unique_ptr<RedisServer> master_;
  std::unique_ptr<RedisServer> replica_;
  std::unique_ptr<PackagedExporter> exporter_;
  std::map<std::string, model::MetricType> seen_;
};

TEST_F(DropInTest, FamilyByFamilyWeShowWhatTheExporterShows) {
  Compare(*master_);
  for (const char* family : {"redis_connected_slave_offset_bytes", "redis_latency_spike_last",
                             "redis_errors_total", "redis_latency_percentiles_usec"}) {
    EXPECT_TRUE(seen_.contains(family)) << family;
  }
}

TEST_F(DropInTest, SoWithAReplica) {
  Compare(*replica_);
  for (const char* family : {"redis_slave_info", "redis_master_link_up", "redis_slave_repl_offset",
                             "redis_master_last_io_seconds_ago"}) {
    EXPECT_TRUE(seen_.contains(family)) << family;
  }
}

TEST_F(DropInTest, SoWithASentinel) {
  std::unique_ptr<RedisServer> sentinel;
  Start({}, sentinel,
        "sentinel monitor main 127.0.0.1 " + std::to_string(master_->port()) +
            " 1\nsentinel monitor lost 127.0.0.1 " + std::to_string(master_->port()) + " 2\n");
  // A Sentinel hears of replicas and looks at them within the first seconds.
  ASSERT_TRUE(WaitUntil([&] {
    const auto replicas = sentinel->Command("SENTINEL REPLICAS main");
    return replicas.ok() && replicas->find("master-link-status\nok") != std::string::npos;
  }));
  Compare(*sentinel, 50);
  for (const char* family :
       {"redis_sentinel_masters", "redis_sentinel_tilt", "redis_sentinel_running_scripts",
        "redis_sentinel_scripts_queue_length", "redis_sentinel_simulate_failure_flags",
        "redis_sentinel_master_status", "redis_sentinel_master_slaves",
        "redis_sentinel_master_sentinels", "redis_sentinel_master_ok_slaves",
        "redis_sentinel_master_ok_sentinels", "redis_sentinel_master_ckquorum_status"}) {
    EXPECT_TRUE(seen_.contains(family)) << family;
  }
}

}  // namespace
}  // namespace tocsin::collectors::redis
