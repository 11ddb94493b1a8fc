// INFO as Redis 6.0 to 8.2 and Valkey 8.0 to 9.0 answer it: each file has the fields of its
// version, most with a number of their own, so that none can be taken for another. Beside
// them stands the exporter's catalogue: which field is which metric, of which type.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <vector>

#include "collectors/redis/info.h"
#include "tests/support/batch_reader.h"

namespace tocsin::collectors::redis {
namespace {

using ::tocsin::testing::Duplicates;
using ::tocsin::testing::FamilyTypes;
using ::tocsin::testing::Series;

std::string ReadFile(const std::string& name) {
  std::ifstream file(std::string(TOCSIN_SOURCE_DIR) + "/tests/unit/collectors/redis/" + name);
  EXPECT_TRUE(file.good()) << name;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct CatalogueRow {
  std::string type;
  std::string metric;
  std::string field;
};

std::vector<CatalogueRow> Catalogue() {
  std::vector<CatalogueRow> rows;
  std::istringstream text(ReadFile("redis_1.88_fields.txt"));
  for (CatalogueRow row; text >> row.type >> row.metric >> row.field;) rows.push_back(row);
  EXPECT_EQ(rows.size(), 160U);
  return rows;
}

// What the catalogue's list of fields leaves out: computed, renamed with another unit,
// or on a page of its own option.
const std::set<std::string> kBesideTheCatalogue = {"redis_start_time_seconds",
                                                   "redis_latest_fork_seconds",
                                                   "redis_total_system_memory_bytes",
                                                   "redis_hz",
                                                   "redis_configured_hz",
                                                   "redis_cluster_enabled",
                                                   "redis_cluster_connections"};

struct Version {
  std::string file;
  std::map<std::string, double> labelled;  // What it must show besides.
};
void PrintTo(const Version& version, std::ostream* out) { *out << version.file; }

class InfoVersionTest : public ::testing::TestWithParam<Version> {};

TEST_P(InfoVersionTest, EachFieldBecomesTheExportersMetricAndNoOther) {
  const std::string text = ReadFile(GetParam().file);
  const Info info(text);
  model::MetricBatch batch;
  EXPECT_EQ(WriteInfo(info, 16, FromUnixMillis(1'800'000'000'000), batch), 0);
  const auto series = Series(batch);
  const auto types = FamilyTypes(batch);

  std::set<std::string> allowed = kBesideTheCatalogue;
  std::size_t compared = 0;
  for (const CatalogueRow& row : Catalogue()) {
    const std::string_view value = info.Get(row.field);
    if (value.empty()) {
      EXPECT_FALSE(types.contains(row.metric)) << row.metric;
      continue;
    }
    ++compared;
    allowed.insert(row.metric);
    ASSERT_TRUE(series.contains(row.metric)) << row.metric << " of " << row.field;
    const double expected = value == "ok" ? 1 : value == "err" ? 0 : std::stod(std::string(value));
    EXPECT_EQ(series.at(row.metric), expected) << row.metric;
    EXPECT_EQ(types.at(row.metric), row.type) << row.metric;
  }
  EXPECT_GT(compared, 80U);
  for (const auto& [name, value] : series) {
    const bool has_labels = name.find('{') != std::string::npos;
    EXPECT_TRUE(has_labels || allowed.contains(name)) << name << " is nobody's metric";
  }
  for (const auto& [name, value] : GetParam().labelled) {
    ASSERT_TRUE(series.contains(name)) << name;
    EXPECT_EQ(series.at(name), value) << name;
  }
  EXPECT_EQ(series.at("redis_latest_fork_seconds"), *info.Number("latest_fork_usec") / 1e6);
  EXPECT_EQ(series.at("redis_commands_duration_seconds_total{cmd=\"get\"}"), 0.0025);
  EXPECT_EQ(series.at("redis_db_avg_ttl_seconds{db=\"db0\"}"), 68.25);
  EXPECT_EQ(series.at("redis_db_keys{db=\"db3\"}"), 0);
  EXPECT_EQ(Duplicates(batch), std::set<std::string>());
}

// The labels of redis_instance_info, sorted, without those that differ.
std::string Instance(const std::string& mode, const std::string& version, const std::string& role,
                     const std::string& valkey = "") {
  return "redis_instance_info{" +
         std::string(valkey.empty() ? "" : R"(availability_zone="eu-1a",)") +
         R"(master_replid="4ec7a6f3c1751b9ca2bb85a60ae0aaaabf98928a",)"
         R"(maxmemory_policy="allkeys-lru",os="Linux 6.1.0-18-amd64 x86_64",process_id="1001",)"
         R"(redis_build_id="5c1f0e9ad2b74c36",redis_mode=")" +
         mode + R"(",redis_version=")" + version + R"(",role=")" + role +
         R"(",run_id="b0a3c0d2d7b9c1e4f5a69788796a5b4c3d2e1f00",tcp_port="6379")" + valkey + "}";
}

INSTANTIATE_TEST_SUITE_P(
    Versions, InfoVersionTest,
    ::testing::Values(
        Version{"info_redis_6.0.txt",
                {{Instance("standalone", "6.0.0", "master"), 1},
                 {R"(redis_commands_total{cmd="get"})", 40},
                 {R"(redis_connected_slave_lag_seconds{slave_ip="10.0.0.2",slave_port="6379",)"
                  R"(slave_state="online"})",
                  1}}},
        Version{
            "info_redis_6.2.txt",
            {{Instance("standalone", "6.2.0", "slave"), 1},
             {R"(redis_slave_info{master_host="10.0.0.1",master_port="6379",read_only="1"})", 1},
             {R"(redis_master_link_up{master_host="10.0.0.1",master_port="6379"})", 1},
             {R"(redis_master_last_io_seconds_ago{master_host="10.0.0.1",master_port="6379"})", 3},
             {R"(redis_master_sync_in_progress{master_host="10.0.0.1",master_port="6379"})", 0},
             {R"(redis_commands_rejected_calls_total{cmd="get"})", 2},
             {R"(redis_errors_total{err="ERR"})", 55}}},
        Version{"info_redis_7.2.txt",
                {{R"(redis_commands_failed_calls_total{cmd="config|get"})", 1},
                 {R"(redis_latency_percentiles_usec{cmd="get",quantile="99.9"})", 6.015},
                 {R"(redis_latency_percentiles_usec_count{cmd="get"})", 40},
                 {R"(redis_latency_percentiles_usec_sum{cmd="get"})", 2500}}},
        Version{"info_redis_7.4.txt",
                {{R"(redis_db_keys_with_expiring_items{db="db0"})", 4},
                 {R"(redis_db_keys_with_expiring_items{db="db7"})", 0}}},
        Version{"info_redis_8.2.txt",
                {{Instance("standalone", "8.2.0", "master"), 1},
                 {R"(redis_db_keys_with_expiring_items{db="db0"})", 4},
                 {R"(redis_db_keys{db="db7"})", 1}}},
        Version{"info_valkey_8.0.txt",
                {{Instance("standalone", "7.2.4", "master", R"(,valkey_version="8.0.0")"), 1}}},
        Version{"info_valkey_8.1.txt",
                {{Instance("standalone", "7.2.4", "master",
                           R"(,valkey_release_stage="ga",valkey_version="8.1.0")"),
                  1},
                 {R"(redis_connected_slave_offset_bytes{slave_ip="10.0.0.2",slave_port="6379",)"
                  R"(slave_state="online"})",
                  35569}}},
        Version{"info_valkey_9.0.txt",
                {{Instance("cluster", "7.2.4", "master",
                           R"(,valkey_release_stage="ga",valkey_version="9.0.0")"),
                  1},
                 {"redis_cluster_enabled", 1},
                 {R"(redis_db_keys_with_expiring_items{db="db0"})", 4}}}),
    [](const auto& info) {
      std::string name = info.param.file.substr(5, info.param.file.size() - 9);
      for (char& c : name) c = c == '.' ? '_' : c;
      return name;
    });

// Fields that only very old or managed servers have, and the cluster's.
TEST(InfoTest, FieldsOfManagedServersAndClustersAreKnownToo) {
  const std::string text =
      "client_longest_output_list:1\nclient_biggest_input_buf:2\nmaxmemory_reservation:3\n"
      "maxmemory_desired_reservation:4\nmaxfragmentationmemory_reservation:5\n"
      "maxfragmentationmemory_desired_reservation:6\ncached_keys:7\n"
      "cluster_stats_messages_sent:8\ncluster_stats_messages_received:9\n"
      "cluster_stats_messages_ping_sent:10\ncluster_odd-name:11\ncluster_state:fail\n"
      "cluster_nonsense:x\n";
  const Info info(text);
  model::MetricBatch batch;
  WriteInfo(info, 0, {}, batch);
  model::MetricBatch cluster;
  WriteClusterInfo(info, cluster);
  const auto of_info = Series(batch);
  const auto of_cluster = Series(cluster);
  for (const CatalogueRow& row : Catalogue()) {
    if (info.Get(row.field).empty()) continue;
    ASSERT_TRUE(of_info.contains(row.metric)) << row.metric;
    EXPECT_EQ(of_info.at(row.metric), *info.Number(row.field)) << row.metric;
  }
  EXPECT_EQ(of_cluster,
            (std::map<std::string, double>{{"redis_cluster_messages_sent_total", 8},
                                           {"redis_cluster_messages_received_total", 9},
                                           {"redis_cluster_stats_messages_ping_sent", 10},
                                           {"redis_cluster_odd_name", 11},
                                           {"redis_cluster_state", 0}}));
}

// A server, or whoever stands between, may answer anything.
TEST(InfoTest, HostileBytesInNamesAndValuesStayInTheirLabels) {
  const std::string text =
      "cmdstat_a\"b\\c\xff:calls=1,usec=2,usec_per_call=2.00\r\n"
      "latency_percentiles_usec_a\"b\\c\xff:p50=1,p\xff=2,p99=nan\r\n"
      "errorstat_\xfe{x}:count=3\r\n"
      "# "
      "Replication\r\nrole:ma\xffster\r\nslave0:ip=a\"b\xff,port=,state=on\\line,offset=4,lag=0\r\n"
      "slave1:ip=,,,offset=\r\nmaster_host:\xf0\x28\x8c\x28\r\nmaster_link_status:up\r\n"
      "db0:keys=1,expires=\xff,avg_ttl=1e999\r\ndb99999999999999999999:keys=1\r\ndb-1:keys=2\r\n";
  model::MetricBatch batch;
  WriteInfo(Info(text), 1, {}, batch);
  const auto series = Series(batch);
  const std::string command = "a\\\"b\\\\c\xEF\xBF\xBD";
  EXPECT_EQ(series.at("redis_commands_total{cmd=\"" + command + "\"}"), 1);
  EXPECT_EQ(series.at("redis_latency_percentiles_usec{cmd=\"" + command + "\",quantile=\"50\"}"),
            1);
  EXPECT_EQ(series.at("redis_errors_total{err=\"\xEF\xBF\xBD{x}\"}"), 3);
  EXPECT_EQ(series.at("redis_connected_slave_lag_seconds{slave_ip=\"a\\\"b\xEF\xBF\xBD\","
                      "slave_state=\"on\\\\line\"}"),
            0);
  EXPECT_EQ(series.at("redis_db_keys{db=\"db0\"}"), 1);
  EXPECT_FALSE(series.contains("redis_db_keys{db=\"db-1\"}"));
  for (const auto& [name, value] : series) {
    EXPECT_EQ(name.find('\xff'), std::string::npos) << name;
    EXPECT_EQ(name.find('\xfe'), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace tocsin::collectors::redis
