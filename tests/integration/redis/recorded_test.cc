// Servers that are not at hand, by what they answer: Redis 6.0, Valkey 8.1 and a node
// of a Valkey cluster.

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "collectors/redis/redis.h"
#include "tests/support/batch_reader.h"
#include "tests/support/collector_probe.h"
#include "tests/support/scripted_peer.h"

namespace tocsin::collectors::redis {
namespace {

using ::tocsin::testing::CollectorProbe;
using ::tocsin::testing::ScriptedPeer;
using ::tocsin::testing::Value;

std::string Bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

std::string Pairs(const std::vector<std::string>& words) {
  std::string reply = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) reply += Bulk(word);
  return reply;
}

std::string RecordedInfo(const std::string& version) {
  std::ifstream file(std::string(TOCSIN_SOURCE_DIR) + "/tests/unit/collectors/redis/info_" +
                     version + ".txt");
  EXPECT_TRUE(file.good()) << version;
  std::ostringstream text;
  text << file.rdbuf();
  return Bulk(text.str());
}

// What all of them answer to CLIENT SETNAME, INFO, CONFIG GET, SLOWLOG and LATENCY LATEST.
std::string CommonAnswers(const std::string& version) {
  return "+OK\r\n" + RecordedInfo(version) + Pairs({"databases", "16"}) +
         Pairs({"maxclients", "10000"}) + Pairs({"maxmemory", "0"}) + Pairs({"io-threads", "4"}) +
         Pairs({"repl-backlog-size", "1048576"}) +
         Pairs({"client-output-buffer-limit", "normal 0 0 0 slave 256 64 60 pubsub 32 8 60"}) +
         ":2\r\n*1\r\n*3\r\n:41\r\n:1795415778\r\n:12500\r\n" + "*1\r\n*4\r\n" +
         Bulk("command\"\xff") + ":1795415000\r\n:250\r\n:1000\r\n";
}

CollectorProbe Probe(const ScriptedPeer& peer) {
  return CollectorProbe(ParseRedisTarget,
                        "{url: 'redis://127.0.0.1:" + std::to_string(peer.port()) + "'}");
}

TEST(RecordedRedisTest, Redis60HasNoHistogramsAndIsNoWorseForIt) {
  ScriptedPeer peer({.answer = CommonAnswers("redis_6.0") +
                               "-ERR Unknown subcommand or wrong number of arguments for "
                               "'HISTOGRAM'. Try LATENCY HELP.\r\n"});
  auto probe = Probe(peer);
  auto collected = probe.Collect();
  ASSERT_TRUE(collected.ok()) << collected.error().message;
  const auto& batch = probe.batch();
  EXPECT_EQ(Value(batch, "redis_config_io_threads"), 4);
  EXPECT_EQ(Value(batch, "redis_slowlog_last_id"), 41);
  EXPECT_EQ(Value(batch, "redis_last_slow_execution_duration_seconds"), 0.0125);
  EXPECT_EQ(
      Value(batch, "redis_latency_spike_duration_seconds{event_name=\"command\\\"\xEF\xBF\xBD\"}"),
      0.25);
  EXPECT_EQ(
      Value(batch, R"(redis_config_client_output_buffer_limit_bytes{class="slave",limit="soft"})"),
      64);
  EXPECT_FALSE(Value(batch, R"(tocsin_redis_collector_success{collector="latency_histogram"})"));
  for (const auto& part : batch.parts()) EXPECT_EQ(part.error, "") << part.name;
}

TEST(RecordedRedisTest, ValkeysCommandLogIsAskedForAfterItsInfo) {
  ScriptedPeer peer(
      {.answer =
           CommonAnswers("valkey_8.1") + "*2\r\n" + Bulk("get") + "*4\r\n" + Bulk("calls") +
           ":40\r\n" + Bulk("histogram_usec") + "*4\r\n:1\r\n:30\r\n:64\r\n:40\r\n" +
           ":3\r\n:4\r\n:5\r\n" +
           Pairs({"commandlog-execution-slower-than", "10000", "commandlog-slow-execution-max-len",
                  "128", "commandlog-request-larger-than", "1048576",
                  "commandlog-large-request-max-len", "129", "commandlog-reply-larger-than",
                  "1048577", "commandlog-large-reply-max-len", "130"})});
  auto probe = Probe(peer);
  auto collected = probe.Collect();
  ASSERT_TRUE(collected.ok()) << collected.error().message;
  const std::pair<std::string, double> expected[] = {
      {"redis_commandlog_slow_length", 3},
      {"redis_commandlog_large_request_length", 4},
      {"redis_commandlog_large_reply_length", 5},
      {"redis_commandlog_execution_slower_than", 10000},
      {"redis_commandlog_slow_execution_max_len", 128},
      {"redis_commandlog_request_larger_than", 1048576},
      {"redis_commandlog_large_request_max_len", 129},
      {"redis_commandlog_reply_larger_than", 1048577},
      {"redis_commandlog_large_reply_max_len", 130},
      {R"(redis_commands_latencies_usec_bucket{cmd="get",le="64"})", 40},
      {R"(redis_commands_latencies_usec_sum{cmd="get"})", 2500},
      {R"(tocsin_redis_collector_success{collector="commandlog"})", 1},
      {R"(tocsin_redis_collector_success{collector="commandlog_config"})", 1},
  };
  for (const auto& [series, value] : expected) {
    EXPECT_EQ(Value(probe.batch(), series), value) << series;
  }
  EXPECT_TRUE(probe.batch().notes().empty()) << probe.batch().notes()[0];
}

TEST(RecordedRedisTest, NodeOfAClusterIsAskedForIt) {
  ScriptedPeer peer({.answer = CommonAnswers("valkey_9.0") + "*0\r\n" +
                               Bulk("cluster_state:ok\r\ncluster_slots_ok:16384\r\n"
                                    "cluster_stats_messages_ping_sent:7\r\n"
                                    "total_cluster_links_buffer_limit_exceeded:0\r\n") +
                               "-NOPERM User u has no permissions\r\n:4\r\n:5\r\n*0\r\n"});
  auto probe = Probe(peer);
  auto collected = probe.Collect();
  ASSERT_TRUE(collected.ok()) << collected.error().message;
  const auto& batch = probe.batch();
  EXPECT_EQ(Value(batch, "redis_cluster_state"), 1);
  EXPECT_EQ(Value(batch, "redis_cluster_slots_ok"), 16384);
  EXPECT_EQ(Value(batch, "redis_cluster_stats_messages_ping_sent"), 7);
  EXPECT_EQ(Value(batch, R"(tocsin_redis_collector_success{collector="commandlog"})"), 0);
  ASSERT_EQ(batch.notes().size(), 1U);
  EXPECT_NE(batch.notes()[0].find("+commandlog|len"), std::string::npos) << batch.notes()[0];
  EXPECT_FALSE(Value(batch, R"(redis_db_keys{db="db1"})")) << "a cluster has one database";
}

}  // namespace
}  // namespace tocsin::collectors::redis
