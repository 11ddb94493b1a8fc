// A real Redis, healthy and sick.

#include "collectors/redis/redis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "tests/support/batch_reader.h"
#include "tests/support/collector_probe.h"
#include "tests/support/redis_server.h"

namespace tocsin::collectors::redis {
namespace {

using namespace std::chrono_literals;
using ::tocsin::testing::CollectorProbe;
using ::tocsin::testing::Duplicates;
using ::tocsin::testing::FamilyTypes;
using ::tocsin::testing::RedisServer;
using ::tocsin::testing::RedisServerOptions;
using ::tocsin::testing::Series;
using ::tocsin::testing::Value;

class RedisTest : public ::testing::Test {
 protected:
  void StartServer(RedisServerOptions options = {}) {
    auto started = RedisServer::Start(std::move(options));
    ASSERT_TRUE(started.ok()) << started.error().message
                              << " (install redis-server to run this test)";
    server_ = std::move(*started);
  }
  std::string Run(std::string_view command) {
    auto output = server_->Command(command);
    EXPECT_TRUE(output.ok()) << output.error().message;
    return output.ok() ? *output : "";
  }
  CollectorProbe Probe(const std::string& more = "") {
    return CollectorProbe(ParseRedisTarget, "{url: '" + server_->Url() + "'" + more + "}");
  }
  std::string Notes(const CollectorProbe& probe) {
    std::string text;
    for (const std::string& note : probe.batch().notes()) text += note + "\n";
    return text;
  }

  std::unique_ptr<RedisServer> server_;
};

#define ASSERT_COLLECTED(probe)                               \
  do {                                                        \
    auto collected = (probe).Collect();                       \
    ASSERT_TRUE(collected.ok()) << collected.error().message; \
  } while (false)

TEST_F(RedisTest, HitsAndMissesAndKeysAreCounted) {
  StartServer();
  Run("SET a 1");
  Run("SET b 2 EX 100");
  Run("GET a");
  Run("GET a");
  Run("GET missing");
  auto probe = Probe();
  ASSERT_COLLECTED(probe);
  EXPECT_EQ(Value(probe.batch(), "redis_keyspace_hits_total"), 2);
  EXPECT_EQ(Value(probe.batch(), "redis_keyspace_misses_total"), 1);
  EXPECT_EQ(Value(probe.batch(), R"(redis_db_keys{db="db0"})"), 2);
  EXPECT_EQ(Value(probe.batch(), R"(redis_db_keys_expiring{db="db0"})"), 1);
  EXPECT_EQ(Value(probe.batch(), R"(redis_db_keys{db="db15"})"), 0);
  EXPECT_EQ(Value(probe.batch(), "redis_config_maxclients"),
            Value(probe.batch(), "redis_max_clients"));
  EXPECT_EQ(Value(probe.batch(), "redis_process_id"), server_->pid());
  EXPECT_EQ(Value(probe.batch(), R"(redis_commands_latencies_usec_count{cmd="get"})"), 3);
  EXPECT_EQ(Value(probe.batch(), R"(redis_commands_latencies_usec_bucket{cmd="get",le="+Inf"})"),
            3);
  EXPECT_EQ(FamilyTypes(probe.batch())["redis_commands_latencies_usec"], "histogram");
  for (const char* part : {"info", "config", "slowlog", "latency", "latency_histogram"}) {
    EXPECT_EQ(Value(probe.batch(),
                    "tocsin_redis_collector_success{collector=\"" + std::string(part) + "\"}"),
              1)
        << part;
  }
  EXPECT_EQ(Duplicates(probe.batch()), std::set<std::string>());
  EXPECT_EQ(Notes(probe), "");
}

// Two names of one master, of which the second would need another Sentinel's word.
TEST_F(RedisTest, ASentinelSaysWhatItThinksOfItsMasters) {
  StartServer();
  const std::string master = "127.0.0.1 " + std::to_string(server_->port());
  auto started = RedisServer::Start({.sentinel = "sentinel monitor main " + master +
                                                 " 1\nsentinel monitor far " + master + " 2\n"});
  ASSERT_TRUE(started.ok()) << started.error().message;
  RedisServer& sentinel = **started;
  auto probe = CollectorProbe(ParseRedisTarget, "{url: '" + sentinel.Url() + "'}");
  const std::string address =
      "master_address=\"127.0.0.1:" + std::to_string(server_->port()) + "\"";
  ASSERT_TRUE(testing::WaitUntil([&] {
    return probe.Collect().ok() && Value(probe.batch(), "redis_sentinel_master_status{" + address +
                                                            ",master_name=\"main\","
                                                            "master_status=\"ok\"}") == 1;
  }));
  const std::string far = "{" + address + ",master_name=\"far\"}";
  EXPECT_EQ(Value(probe.batch(), "redis_sentinel_masters"), 2);
  EXPECT_EQ(Value(probe.batch(), "redis_sentinel_tilt"), 0);
  EXPECT_EQ(Value(probe.batch(), "redis_sentinel_master_slaves" + far), 0);
  EXPECT_EQ(Value(probe.batch(), "redis_sentinel_master_ok_sentinels" + far), 1);
  EXPECT_EQ(Value(probe.batch(), "redis_sentinel_master_ok_slaves" + far), 0);
  EXPECT_EQ(Value(probe.batch(), "redis_sentinel_master_setting_ckquorum" + far), 2);
  EXPECT_EQ(Value(probe.batch(), "redis_sentinel_master_setting_down_after_milliseconds" + far),
            30000);
  EXPECT_EQ(Value(probe.batch(), R"(redis_sentinel_master_ckquorum_status{master_name="main",)"
                                 R"(message="OK 1 usable Sentinels. Quorum and failover )"
                                 R"(authorization can be reached"})"),
            1);
  EXPECT_EQ(Value(probe.batch(),
                  R"(redis_sentinel_master_ckquorum_status{master_name="far",message="NOQUORUM 1 )"
                  R"(usable Sentinels. Not enough available Sentinels to reach the specified )"
                  R"(quorum for this master"})"),
            0);
  EXPECT_EQ(Value(probe.batch(), R"(tocsin_redis_collector_success{collector="sentinel"})"), 1);
  EXPECT_EQ(Duplicates(probe.batch()), std::set<std::string>());
  EXPECT_EQ(Notes(probe), "");
}

TEST_F(RedisTest, ASentinelThatRefusesItsCommandsStillHasItsInfo) {
  StartServer();
  auto started = RedisServer::Start(
      {.sentinel = "sentinel monitor main 127.0.0.1 " + std::to_string(server_->port()) + " 1\n"});
  ASSERT_TRUE(started.ok()) << started.error().message;
  const auto made = (*started)->Command("ACL SETUSER tocsin on >secret +info +client|setname");
  ASSERT_TRUE(made.ok() && made->starts_with("OK")) << *made;
  CollectorProbe probe(ParseRedisTarget,
                       "{user: tocsin, password: secret, url: '" + (*started)->Url() + "'}");
  ASSERT_COLLECTED(probe);
  EXPECT_EQ(Value(probe.batch(), "redis_sentinel_masters"), 1);
  EXPECT_EQ(Value(probe.batch(), R"(tocsin_redis_collector_success{collector="sentinel"})"), 0);
  EXPECT_NE(Notes(probe).find("+sentinel|masters"), std::string::npos) << Notes(probe);
  EXPECT_NE(Notes(probe).find("+sentinel|ckquorum"), std::string::npos) << Notes(probe);
}

TEST_F(RedisTest, ConnectionIsKept) {
  StartServer();
  auto probe = Probe();
  ASSERT_COLLECTED(probe);
  auto connections = Value(probe.batch(), "redis_connections_received_total");
  ASSERT_COLLECTED(probe);
  ASSERT_COLLECTED(probe);
  EXPECT_EQ(Value(probe.batch(), "redis_connections_received_total"), connections);
}

TEST_F(RedisTest, UnixSocketAndTlsWorkToo) {
  StartServer({.tls = true});
  CollectorProbe local(ParseRedisTarget, "{url: 'unix://" + server_->socket_path() + "'}");
  ASSERT_COLLECTED(local);
  EXPECT_EQ(local.target().instance, server_->socket_path());

  std::string url = "rediss://127.0.0.1:" + std::to_string(server_->tls_port());
  CollectorProbe trusted(ParseRedisTarget, "{url: '" + url + "', tls: {ca_file: " +
                                               server_->certificate_file() + "}}");
  ASSERT_COLLECTED(trusted);
  EXPECT_EQ(Value(trusted.batch(), "redis_process_id"), server_->pid());
  ASSERT_COLLECTED(trusted);

  CollectorProbe unknown(ParseRedisTarget, "{url: '" + url + "'}");
  auto refused = unknown.Collect();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().message.find("certificate not accepted"), std::string::npos)
      << refused.error().message;

  CollectorProbe other_name(ParseRedisTarget, "{url: '" + url +
                                                  "', tls: {server_name: other.test, ca_file: " +
                                                  server_->certificate_file() + "}}");
  EXPECT_FALSE(other_name.Collect().ok());

  CollectorProbe plain_port(ParseRedisTarget,
                            "{url: 'rediss://127.0.0.1:" + std::to_string(server_->port()) + "'}");
  EXPECT_FALSE(plain_port.Collect(300ms).ok());
}

TEST_F(RedisTest, ClientCertificateIsShownToAServerThatAsksForOne) {
  StartServer({.tls = true, .client_certificates = true});
  const std::string url = "rediss://127.0.0.1:" + std::to_string(server_->tls_port());
  const std::string ca = "ca_file: " + server_->certificate_file();
  CollectorProbe known(ParseRedisTarget, "{url: '" + url + "', tls: {" + ca +
                                             ", cert_file: " + server_->certificate_file() +
                                             ", key_file: " + server_->key_file() + "}}");
  ASSERT_COLLECTED(known);
  CollectorProbe unknown(ParseRedisTarget, "{url: '" + url + "', tls: {" + ca + "}}");
  EXPECT_FALSE(unknown.Collect().ok());
}

TEST_F(RedisTest, UserOfTheAccessListLogsInOverEveryTransport) {
  StartServer({.tls = true});
  Run("ACL SETUSER monitor on >p%40ss ~* +info +select +client|setname +config|get +slowlog "
      "+latency");
  Run("-n 2 SET a 1");
  const std::string user = ", user: monitor, password: 'p%40ss'}";
  const std::string plain = "127.0.0.1:" + std::to_string(server_->port());
  for (const std::string& target :
       {"{url: 'unix://" + server_->socket_path() + "?db=2'" + user,
        "{url: 'redis://" + plain + "/2'" + user, "{url: 'redis://monitor:p%2540ss@" + plain + "'}",
        "{url: 'rediss://127.0.0.1:" + std::to_string(server_->tls_port()) +
            "', tls: {insecure_skip_verify: true}" + user}) {
    CollectorProbe probe(ParseRedisTarget, target);
    ASSERT_COLLECTED(probe);
    EXPECT_EQ(Value(probe.batch(), R"(redis_db_keys{db="db2"})"), 1) << target;
    EXPECT_EQ(Value(probe.batch(), R"(tocsin_redis_collector_success{collector="slowlog"})"), 1);
    EXPECT_EQ(Notes(probe), "");
  }
}

TEST_F(RedisTest, WrongPasswordIsPermissionDeniedAndNotRepeated) {
  StartServer({.arguments = {"--requirepass", "right"}});
  auto probe = Probe(", password: hunter2");
  auto collected = probe.Collect();
  ASSERT_FALSE(collected.ok());
  EXPECT_EQ(collected.error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(collected.error().message, "login refused: WRONGPASS");

  auto none = Probe();
  auto denied = none.Collect();
  ASSERT_FALSE(denied.ok());
  EXPECT_EQ(denied.error().code, ErrorCode::kPermissionDenied) << denied.error().message;

  auto right = Probe(", password: right");
  ASSERT_COLLECTED(right);
}

TEST_F(RedisTest, RenamedAuthDoesNotEchoThePassword) {
  StartServer({.arguments = {"--rename-command", "AUTH", ""}});
  auto probe = Probe(", password: hunter2");
  auto collected = probe.Collect();
  ASSERT_FALSE(collected.ok());
  EXPECT_EQ(collected.error().message.find("hunter2"), std::string::npos)
      << collected.error().message;
}

TEST_F(RedisTest, UserWhoMayOnlyAskInfoStillGetsIt) {
  StartServer();
  Run("ACL SETUSER monitor on >pass +info +client|setname");
  auto probe = Probe(", user: monitor, password: pass");
  ASSERT_COLLECTED(probe);
  EXPECT_TRUE(Value(probe.batch(), "redis_keyspace_hits_total"));
  EXPECT_TRUE(Value(probe.batch(), R"(redis_db_keys{db="db15"})"));
  EXPECT_EQ(Value(probe.batch(), R"(tocsin_redis_collector_success{collector="info"})"), 1);
  EXPECT_EQ(Value(probe.batch(), R"(tocsin_redis_collector_success{collector="slowlog"})"), 0);
  EXPECT_FALSE(Value(probe.batch(), "redis_slowlog_length"));
  EXPECT_NE(Notes(probe).find("allow it with ACL SETUSER … +slowlog|len"), std::string::npos)
      << Notes(probe);
}

TEST_F(RedisTest, RenamedConfigCostsOnlyItself) {
  StartServer({.arguments = {"--rename-command", "CONFIG", ""}});
  auto probe = Probe();
  ASSERT_COLLECTED(probe);
  EXPECT_FALSE(Value(probe.batch(), "redis_config_maxclients"));
  EXPECT_TRUE(Value(probe.batch(), "redis_slowlog_length"));
  EXPECT_EQ(Value(probe.batch(), R"(redis_db_keys{db="db15"})"), 0);
}

TEST_F(RedisTest, CommandThatTheServerDoesNotHaveIsAskedForOncePerConnection) {
  StartServer({.arguments = {"--rename-command", "LATENCY", ""}});
  auto probe = Probe();
  ASSERT_COLLECTED(probe);
  const std::string notes = Notes(probe);
  EXPECT_NE(notes.find("latency: ERR unknown command"), std::string::npos) << notes;
  for (int i = 0; i < 2; ++i) {
    ASSERT_COLLECTED(probe);
    EXPECT_EQ(Value(probe.batch(), R"(redis_errors_total{err="ERR"})"), 2);
    EXPECT_EQ(Notes(probe), notes);
    EXPECT_TRUE(Value(probe.batch(), "redis_slowlog_length"));
  }
  Run("CLIENT KILL TYPE normal");
  ASSERT_COLLECTED(probe);
  ASSERT_COLLECTED(probe);
  EXPECT_EQ(Value(probe.batch(), R"(redis_errors_total{err="ERR"})"), 4);
}

TEST_F(RedisTest, CollectionsAreCountedAndTimedAsTheExportersScrapes) {
  StartServer();
  auto probe = Probe();
  ASSERT_COLLECTED(probe);
  server_->Stop();
  EXPECT_FALSE(probe.Collect().ok());
  ASSERT_TRUE(server_->StartAgain().ok());
  ASSERT_COLLECTED(probe);
  EXPECT_EQ(Value(probe.batch(), "redis_exporter_scrapes_total"), 3);
  EXPECT_EQ(Value(probe.batch(), "redis_exporter_scrape_duration_seconds_count"), 3);
  EXPECT_EQ(Value(probe.batch(), "redis_exporter_last_scrape_error"), 0);
  const double last =
      Value(probe.batch(), "redis_exporter_last_scrape_duration_seconds").value_or(0);
  EXPECT_GT(last,
            Value(probe.batch(), "redis_exporter_last_scrape_connect_time_seconds").value_or(99));
  EXPECT_GT(Value(probe.batch(), "redis_exporter_scrape_duration_seconds_sum"), last);
}

// A script's error, and so its kind, is whatever its author wrote.
TEST_F(RedisTest, HostileErrorKindsStayInTheirLabels) {
  StartServer();
  ASSERT_TRUE(
      server_->Command({"EVAL", "return redis.error_reply('A\"\\\xff{}=\\n more')", "0"}).ok());
  auto probe = Probe();
  ASSERT_COLLECTED(probe);
  std::string kinds;
  for (const auto& [series, value] : Series(probe.batch())) {
    if (series.starts_with("redis_errors_total")) kinds += series;
  }
  EXPECT_TRUE(kinds.starts_with("redis_errors_total{err=\"A\\\"")) << kinds;
  EXPECT_NE(kinds.find("\xEF\xBF\xBD{}="), std::string::npos) << kinds;
  EXPECT_EQ(Duplicates(probe.batch()), std::set<std::string>());
}

TEST_F(RedisTest, StoppedProcessEndsAtTheDeadlineAndRecovers) {
  StartServer();
  auto probe = Probe();
  ASSERT_COLLECTED(probe);
  server_->Suspend();
  for (int i = 0; i < 2; ++i) {  // With a kept connection, then with a new one.
    auto collected = probe.Collect(500ms);
    ASSERT_FALSE(collected.ok());
    EXPECT_EQ(collected.error().code, ErrorCode::kDeadlineExceeded) << collected.error().message;
    EXPECT_LT(probe.took(), 10s);
  }
  server_->Resume();
  ASSERT_COLLECTED(probe);
}

TEST_F(RedisTest, RestartedServerIsCollectedAtTheNextTurn) {
  StartServer();
  auto probe = Probe();
  ASSERT_COLLECTED(probe);
  server_->Stop();
  auto down = probe.Collect();
  ASSERT_FALSE(down.ok());
  EXPECT_EQ(down.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(down.error().message, "cannot connect: Connection refused");
  ASSERT_TRUE(server_->StartAgain().ok());
  ASSERT_COLLECTED(probe);

  // Restarted between two collections: the dead connection is not noticed as a failure.
  server_->Stop();
  ASSERT_TRUE(server_->StartAgain().ok());
  ASSERT_COLLECTED(probe);
  EXPECT_EQ(Value(probe.batch(), "redis_process_id"), server_->pid());
}

TEST_F(RedisTest, ReplicaAndMasterTellOfEachOther) {
  StartServer({.arguments = {"--repl-diskless-sync-delay", "0"}});
  auto started = RedisServer::Start(
      {.arguments = {"--replicaof", "127.0.0.1 " + std::to_string(server_->port())}});
  ASSERT_TRUE(started.ok()) << started.error().message;
  auto replica = std::move(*started);
  CollectorProbe probe(ParseRedisTarget, "{url: '" + replica->Url() + "'}");
  std::string up = "redis_master_link_up{master_host=\"127.0.0.1\",master_port=\"" +
                   std::to_string(server_->port()) + "\"}";
  ASSERT_TRUE(::tocsin::testing::WaitUntil(
      [&] { return probe.Collect().ok() && Value(probe.batch(), up) == 1; }));
  auto master = Probe();
  std::string online = "redis_connected_slave_offset_bytes{slave_ip=\"127.0.0.1\",slave_port=\"" +
                       std::to_string(replica->port()) + "\",slave_state=\"online\"}";
  EXPECT_TRUE(::tocsin::testing::WaitUntil(
      [&] { return master.Collect().ok() && Value(master.batch(), online).has_value(); }));
  EXPECT_EQ(Value(master.batch(), "redis_connected_slaves"), 1);
}

TEST_F(RedisTest, ClusterNodeHasOneDatabaseAndItsClusterNumbers) {
  StartServer({.arguments = {"--cluster-enabled", "yes"}});
  auto probe = Probe();
  ASSERT_COLLECTED(probe);
  EXPECT_EQ(Value(probe.batch(), "redis_cluster_enabled"), 1);
  EXPECT_EQ(Value(probe.batch(), "redis_cluster_known_nodes"), 1);
  EXPECT_EQ(Value(probe.batch(), "redis_cluster_state"), 0);
  EXPECT_EQ(Value(probe.batch(), R"(redis_db_keys{db="db0"})"), 0);
  EXPECT_FALSE(Value(probe.batch(), R"(redis_db_keys{db="db1"})"));
  EXPECT_EQ(Duplicates(probe.batch()), std::set<std::string>());
}

TEST_F(RedisTest, KeyPoliciesAreAudited) {
  StartServer();
  Run("SET availability:1 x EX 200");
  Run("SET availability:2 x EX 900");
  Run("SET availability:3 x");
  Run("SET availability:vip:1 x EX 3000");
  Run("SET profile:1 x");
  auto probe = Probe(
      ", key_policies: [{prefix: 'availability:', max_ttl: 5m},"
      " {prefix: 'availability:vip:', max_ttl: 1h}, {prefix: 'schedule:', max_ttl: 10m}]");
  ASSERT_COLLECTED(probe);
  const auto& batch = probe.batch();
  auto value = [&batch](const std::string& metric, const std::string& prefix) {
    return Value(batch, "tocsin_redis_key_policy_" + metric + "{prefix=\"" + prefix + "\"}");
  };
  EXPECT_EQ(value("keys", "availability:"), 3);
  EXPECT_EQ(value("keys_without_ttl", "availability:"), 1);
  EXPECT_EQ(value("keys_over_max_ttl", "availability:"), 1);
  EXPECT_EQ(value("max_ttl_seconds", "availability:"), 300);
  EXPECT_NEAR(value("longest_ttl_seconds", "availability:").value_or(0), 900, 30);
  EXPECT_EQ(value("keys", "availability:vip:"), 1);
  EXPECT_EQ(value("keys_over_max_ttl", "availability:vip:"), 0);
  EXPECT_EQ(value("keys", "schedule:"), 0);
  EXPECT_EQ(Value(batch, "tocsin_redis_key_audit_last_pass_keys"), 5);
  EXPECT_EQ(Value(batch, R"(tocsin_redis_collector_success{collector="key_policies"})"), 1);
}

TEST_F(RedisTest, AuditOfManyKeysIsSpreadOverCollections) {
  StartServer({.arguments = {"--enable-debug-command", "yes"}});
  Run("DEBUG POPULATE 100000 availability");
  auto probe = Probe(", key_policies: [{prefix: 'availability:', max_ttl: 5m}]");
  ASSERT_COLLECTED(probe);
  EXPECT_FALSE(Value(probe.batch(), R"(tocsin_redis_key_policy_keys{prefix="availability:"})"))
      << "half a pass says nothing";
  int collections = 1;
  while (Value(probe.batch(), "tocsin_redis_key_audit_passes_total") != 1 && collections < 2000) {
    ASSERT_COLLECTED(probe);
    ++collections;
  }
  EXPECT_GT(collections, 2);
  auto keys = Value(probe.batch(), R"(tocsin_redis_key_policy_keys{prefix="availability:"})");
  EXPECT_NEAR(keys.value_or(0), 100'000, 1'000);
  EXPECT_EQ(
      Value(probe.batch(), R"(tocsin_redis_key_policy_keys_without_ttl{prefix="availability:"})"),
      keys);
}

// However many keys there are, a collection keeps to its budget, goes on where the last one
// stopped, and holds Redis up for no longer than one short step.
TEST_F(RedisTest, AuditOfAMillionKeysKeepsToItsBudget) {
  StartServer({.arguments = {"--enable-debug-command", "yes"}});
  Run("DEBUG POPULATE 1000000 availability");
  auto probe = Probe(", key_policies: [{prefix: 'availability:', max_ttl: 5m}]");
  std::vector<std::chrono::milliseconds> took;
  double scanned = 0;
  for (int i = 0; i < 15; ++i) {
    ASSERT_COLLECTED(probe);
    took.push_back(probe.took());
    const double now =
        Value(probe.batch(), "tocsin_redis_key_audit_scanned_keys_total").value_or(0);
    EXPECT_GT(now, scanned);
    scanned = now;
  }
  EXPECT_EQ(Value(probe.batch(), "tocsin_redis_key_audit_passes_total"), 0);
  EXPECT_EQ(Value(probe.batch(), R"(redis_db_keys{db="db0"})"), 1'000'000);
  // The budget is 50 ms; half of the collections keep to it on the busiest machine.
  std::sort(took.begin(), took.end());
  EXPECT_LT(took[took.size() / 2], 250ms);
  // What Redis itself counted: one SCAN is a step far below a millisecond.
  const auto calls = Value(probe.batch(), R"(redis_commands_total{cmd="scan"})").value_or(0);
  const auto seconds =
      Value(probe.batch(), R"(redis_commands_duration_seconds_total{cmd="scan"})").value_or(1);
  EXPECT_GT(calls, 15);
  EXPECT_LT(seconds / calls, 1e-3);
}

TEST_F(RedisTest, AuditThatIsRefusedCostsOnlyItself) {
  StartServer();
  Run("ACL SETUSER monitor on >pass +info +client|setname");
  auto probe =
      Probe(", user: monitor, password: pass, key_policies: [{prefix: 'a:', max_ttl: 5m}]");
  ASSERT_COLLECTED(probe);
  EXPECT_EQ(Value(probe.batch(), R"(tocsin_redis_collector_success{collector="key_policies"})"), 0);
  ASSERT_COLLECTED(probe);
  EXPECT_EQ(Value(probe.batch(), R"(tocsin_redis_collector_success{collector="info"})"), 1);
}

}  // namespace
}  // namespace tocsin::collectors::redis
