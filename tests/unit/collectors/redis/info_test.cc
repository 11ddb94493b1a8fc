#include "collectors/redis/info.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/support/batch_reader.h"

namespace tocsin::collectors::redis {
namespace {

using ::tocsin::testing::Duplicates;
using ::tocsin::testing::FamilyTypes;
using ::tocsin::testing::Value;

const std::string kFolder = std::string(TOCSIN_SOURCE_DIR) + "/tests/unit/collectors/redis/";

std::string ReadFile(const std::string& name) {
  std::ifstream file(kFolder + name);
  EXPECT_TRUE(file.good()) << name;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

model::MetricBatch Write(std::string_view text, int databases = 16) {
  model::MetricBatch batch;
  WriteInfo(Info(text), databases, FromUnixMillis(1'800'000'000'000), batch);
  return batch;
}

TEST(InfoTest, RecordedAnswerOfRedis70BecomesTheExportersNumbers) {
  auto batch = Write(ReadFile("info_7.0.txt"));
  const std::pair<std::string, double> expected[] = {
      {"redis_uptime_in_seconds", 2888},
      {"redis_start_time_seconds", 1795415778 - 2888},
      {"redis_max_clients", 10000},
      {"redis_memory_used_bytes", 1695496},
      {"redis_total_system_memory_bytes", 25276514304},
      {"redis_mem_fragmentation_ratio", 7.98},
      {"redis_rdb_last_bgsave_status", 1},
      {"redis_aof_last_rewrite_duration_sec", -1},
      {"redis_latest_fork_seconds", 0},
      {"redis_commands_processed_total", 14688},
      {"redis_cpu_sys_seconds_total", 2.175415},
      {"redis_total_error_replies", 0},
      {R"(redis_commands_total{cmd="set"})", 10000},
      {R"(redis_commands_duration_seconds_total{cmd="config|get"})", 0.157937},
      {R"(redis_commands_failed_calls_total{cmd="info"})", 0},
      {R"(redis_latency_percentiles_usec{cmd="set",quantile="99.9"})", 6.015},
      {R"(redis_latency_percentiles_usec_sum{cmd="set"})", 3102},
      {R"(redis_latency_percentiles_usec_count{cmd="set"})", 10000},
      {R"(redis_db_keys{db="db0"})", 10000},
      {R"(redis_db_avg_ttl_seconds{db="db0"})", 0},
      {R"(redis_db_keys{db="db15"})", 0},
      {R"(redis_db_keys_expiring{db="db1"})", 0},
      {R"(redis_instance_info{master_replid="4b6ec9cb88b1c0cb3f8348791840d2c9f7f796fd",)"
       R"(maxmemory_policy="noeviction",os="Linux 6.18.44-fc-v595 x86_64",process_id="11322",)"
       R"(redis_build_id="ae4d7c971a948f0",redis_mode="standalone",redis_version="7.0.15",)"
       R"(role="master",run_id="fd8906e563f33bc40e208449066d17830f27d4f0",tcp_port="27379"})",
       1},
  };
  for (const auto& [series, value] : expected) {
    auto found = Value(batch, series);
    ASSERT_TRUE(found.has_value()) << series;
    EXPECT_DOUBLE_EQ(*found, value) << series;
  }
  EXPECT_FALSE(Value(batch, R"(redis_db_keys{db="db16"})"));
  EXPECT_EQ(Duplicates(batch), std::set<std::string>());
}

// The page of the packaged redis_exporter 1.45 on the same server.
TEST(InfoTest, NoFamilyOfTheExportersPageIsMissingOrOfAnotherType) {
  auto types = FamilyTypes(Write(ReadFile("info_7.0.txt")));
  // Written by other commands, by poll, or about the exporter itself.
  const std::set<std::string> elsewhere = {"redis_up",
                                           "redis_config_io_threads",
                                           "redis_config_maxclients",
                                           "redis_config_maxmemory",
                                           "redis_slowlog_last_id",
                                           "redis_slowlog_length",
                                           "redis_last_slow_execution_duration_seconds",
                                           "redis_last_key_groups_scrape_duration_milliseconds",
                                           "redis_target_scrape_request_errors_total"};
  std::istringstream page(ReadFile("redis_types.txt"));
  for (std::string name, type; page >> name >> type;) {
    if (elsewhere.contains(name) || name.starts_with("redis_exporter_")) continue;
    ASSERT_TRUE(types.contains(name)) << name;
    // A gauge in 1.45, a counter in 1.88, whose types are ours.
    if (name == "redis_expired_time_cap_reached_total") type = "counter";
    EXPECT_EQ(types[name], type) << name;
  }
}

TEST(InfoTest, KeyspaceIsReadByNameAndNotByPosition) {
  auto batch = Write(
      "# Keyspace\r\n"
      "db0:keys=10,expires=4,avg_ttl=1500,subexpiry=2\r\n"
      "db3:avg_ttl=0,cached_keys=7,expires=0,keys=1\r\n"
      "db4:keys_with_volatile_items=5,keys=9,expires=1\r\n",
      1);
  EXPECT_EQ(Value(batch, R"(redis_db_keys_with_expiring_items{db="db0"})"), 2);
  EXPECT_FALSE(Value(batch, R"(redis_db_keys_cached{db="db0"})"));
  EXPECT_EQ(Value(batch, R"(redis_db_avg_ttl_seconds{db="db0"})"), 1.5);
  EXPECT_EQ(Value(batch, R"(redis_db_keys_cached{db="db3"})"), 7);
  EXPECT_EQ(Value(batch, R"(redis_db_keys{db="db3"})"), 1);
  EXPECT_EQ(Value(batch, R"(redis_db_keys_with_expiring_items{db="db4"})"), 5);
  EXPECT_FALSE(Value(batch, R"(redis_db_keys{db="db1"})"));
}

TEST(InfoTest, MasterTellsOfItsReplicas) {
  auto batch = Write(
      "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n"
      "slave0:ip=10.254.11.1,port=6379,state=online,offset=1751844676,lag=1\r\n"
      "slave1:ip=10.254.11.2,port=6379,state=wait_bgsave,offset=0,lag=-1\r\n");
  EXPECT_EQ(
      Value(
          batch,
          R"(redis_connected_slave_lag_seconds{slave_ip="10.254.11.1",slave_port="6379",slave_state="online"})"),
      1);
  EXPECT_EQ(
      Value(
          batch,
          R"(redis_connected_slave_offset_bytes{slave_ip="10.254.11.2",slave_port="6379",slave_state="wait_bgsave"})"),
      0);
  EXPECT_EQ(Value(batch, "redis_connected_slaves"), 2);
}

TEST(InfoTest, ReplicaTellsOfItsMaster) {
  auto batch = Write(
      "# Replication\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\n"
      "master_link_status:down\r\nmaster_last_io_seconds_ago:-1\r\nmaster_sync_in_progress:0\r\n"
      "slave_read_repl_offset:1\r\nslave_repl_offset:77\r\nslave_priority:100\r\n"
      "slave_read_only:1\r\nreplica_announced:1\r\nmaster_failover_state:no-failover\r\n");
  EXPECT_EQ(Value(batch, R"(redis_master_link_up{master_host="10.0.0.1",master_port="6379"})"), 0);
  EXPECT_EQ(Value(batch, R"(redis_slave_repl_offset{master_host="10.0.0.1",master_port="6379"})"),
            77);
  EXPECT_EQ(
      Value(batch, R"(redis_slave_info{master_host="10.0.0.1",master_port="6379",read_only="1"})"),
      1);
  EXPECT_EQ(Value(batch, "redis_slave_priority"), 100);
}

TEST(InfoTest, ValkeyNamesItselfAndItsClusterSectionIsNotMixedIn) {
  auto batch = Write(
      "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.0\r\n"
      "valkey_release_stage:ga\r\nserver_mode:standalone\r\n"
      "# Cluster Info\r\nconnected_clients:99\r\n# Clients\r\nconnected_clients:3\r\n");
  EXPECT_EQ(
      Value(
          batch,
          R"(redis_instance_info{redis_mode="standalone",redis_version="7.2.4",valkey_release_stage="ga",valkey_version="9.1.0"})"),
      1);
  EXPECT_EQ(Value(batch, "redis_connected_clients"), 3);
}

TEST(InfoTest, OldCommandStatisticsLackRefusalsAndStrangeLinesCostOnlyThemselves) {
  auto batch = Write(
      "cmdstat_get:calls=21,usec=175,usec_per_call=8.33\r\ncmdstat_set:nonsense\r\n"
      "errorstat_ERR:count=4\r\nuptime_in_seconds:many\r\nno colon here\r\n:\r\ndbx:keys=1\r\n"
      "used_memory:5\r\nused_memory:6\r\n");
  EXPECT_EQ(Value(batch, R"(redis_commands_total{cmd="get"})"), 21);
  EXPECT_FALSE(Value(batch, R"(redis_commands_rejected_calls_total{cmd="get"})"));
  EXPECT_FALSE(Value(batch, R"(redis_commands_total{cmd="set"})"));
  EXPECT_EQ(Value(batch, R"(redis_errors_total{err="ERR"})"), 4);
  EXPECT_FALSE(Value(batch, "redis_uptime_in_seconds"));
  EXPECT_EQ(Value(batch, "redis_memory_used_bytes"), 5);
  EXPECT_EQ(Duplicates(batch), std::set<std::string>());
}

TEST(InfoTest, CommandsBeyondTheLimitAreCounted) {
  std::string text;
  for (std::size_t i = 0; i < kMaxNamesPerFamily + 3; ++i) {
    text += "cmdstat_c" + std::to_string(i) + ":calls=1,usec=1,usec_per_call=1\r\n";
  }
  model::MetricBatch batch;
  EXPECT_EQ(WriteInfo(Info(text), 0, {}, batch), 3);
}

}  // namespace
}  // namespace tocsin::collectors::redis
