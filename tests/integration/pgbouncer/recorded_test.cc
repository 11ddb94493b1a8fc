// What consoles of other versions answered, and what becomes of it.

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <sstream>

#include "collectors/pgbouncer/pgbouncer.h"
#include "collectors/pgbouncer/subjects.h"
#include "tests/support/batch_reader.h"
#include "tests/support/collector_probe.h"
#include "tests/support/recorded_console.h"

namespace tocsin::collectors::pgbouncer {
namespace {

using ::tocsin::testing::CollectorProbe;
using ::tocsin::testing::Duplicates;
using ::tocsin::testing::ParseRecordedTable;
using ::tocsin::testing::RecordedConsole;
using ::tocsin::testing::RecordedRow;
using ::tocsin::testing::RecordedTable;
using ::tocsin::testing::Value;

RecordedTable Recorded(const std::string& name) {
  std::ifstream file(std::string(TOCSIN_SOURCE_DIR) + "/tests/integration/pgbouncer/recorded/" +
                     name + ".txt");
  EXPECT_TRUE(file.good()) << name;
  std::ostringstream text;
  text << file.rdbuf();
  return ParseRecordedTable(text.str());
}

CollectorProbe Probe(const RecordedConsole& console) {
  return CollectorProbe(ParsePgbouncerTarget, "{dsn: 'host=127.0.0.1 user=stats port=" +
                                                  std::to_string(console.port()) + "'}");
}

TEST(RecordedConsoleTest, Version118) {
  RecordedConsole console({{"SHOW POOLS", Recorded("pools")},
                           {"SHOW DATABASES", Recorded("databases")},
                           {"SHOW STATS_TOTALS", Recorded("stats_totals")},
                           {"SHOW LISTS", Recorded("lists")},
                           {"SHOW CLIENTS", Recorded("clients")},
                           {"SHOW VERSION", Recorded("version")}});
  auto probe = Probe(console);
  auto collected = probe.Collect();
  ASSERT_TRUE(collected.ok()) << collected.error().message;
  const std::pair<std::string, double> expected[] = {
      {R"(pgbouncer_pools_client_active_connections{database="app",user="app"})", 2},
      {R"(pgbouncer_pools_server_idle_connections{database="app",user="app"})", 2},
      {R"(pgbouncer_pools_client_active_connections{database="pgbouncer",user="pgbouncer"})", 2},
      {R"(pgbouncer_databases_pool_size{database="app",host="127.0.0.1",name="app",port="27432"})",
       10},
      {R"(pgbouncer_databases_pool_size{database="pgbouncer",force_user="pgbouncer",)"
       R"(name="pgbouncer",pool_mode="statement",port="27632"})",
       2},
      {R"(pgbouncer_stats_totals_queries_pooled_total{database="app"})", 2298},
      {R"(pgbouncer_stats_totals_queries_duration_seconds_total{database="app"})", 0.832594},
      {R"(pgbouncer_stats_totals_client_wait_seconds_total{database="app"})", 0.007639},
      {R"(pgbouncer_stats_totals_received_bytes_total{database="app"})", 140835},
      {R"(pgbouncer_stats_totals_server_in_transaction_seconds_total{database="app"})", 0.974245},
      {"pgbouncer_databases", 3},
      {"pgbouncer_free_servers", 48},
      {"pgbouncer_in_flight_dns_queries", 0},
      {R"(pgbouncer_client_connections{application_name="pgbench",database="app",)"
       R"(state="active",user="app"})",
       2},
      {R"(pgbouncer_version_info{version="PgBouncer 1.18.0"})", 1},
      {R"(tocsin_pgbouncer_collector_success{collector="pools"})", 1},
      {R"(tocsin_pgbouncer_collector_success{collector="config"})", 0},
  };
  for (const auto& [series, value] : expected) {
    auto found = Value(probe.batch(), series);
    ASSERT_TRUE(found.has_value()) << series;
    EXPECT_DOUBLE_EQ(*found, value) << series;
  }
  EXPECT_EQ(Duplicates(probe.batch()), std::set<std::string>());
  ASSERT_EQ(probe.batch().notes().size(), 1U) << "SHOW CONFIG is refused here, and said to be";
  EXPECT_NE(probe.batch().notes()[0].find("SHOW CONFIG"), std::string::npos);
}

TEST(RecordedConsoleTest, Version125HasNewNamesAndColumns) {
  RecordedConsole console({{"SHOW DATABASES",
                            {RecordedRow{{"name", "app"},
                                         {"host", "db"},
                                         {"port", "5432"},
                                         {"database", "app"},
                                         {"force_user", ""},
                                         {"pool_size", "20"},
                                         {"min_pool_size", "0"},
                                         {"reserve_pool_size", "5"},
                                         {"server_lifetime", "3600"},
                                         {"pool_mode", ""},
                                         {"load_balance_hosts", ""},
                                         {"max_connections", "100"},
                                         {"current_connections", "7"},
                                         {"max_client_connections", "0"},
                                         {"current_client_connections", "9"},
                                         {"paused", "0"},
                                         {"disabled", "0"}}}},
                           {"SHOW STATS_TOTALS",
                            {RecordedRow{{"database", "app"},
                                         {"server_assignment_count", "11"},
                                         {"xact_count", "12"},
                                         {"client_parse_count", "13"},
                                         {"server_parse_count", "14"},
                                         {"bind_count", "15"},
                                         {"client_login_count", "16"}}}}});
  auto probe = Probe(console);
  auto collected = probe.Collect();
  ASSERT_TRUE(collected.ok()) << collected.error().message;
  const std::string database = R"({database="app",host="db",name="app",port="5432"})";
  const auto& batch = probe.batch();
  EXPECT_EQ(Value(batch, "pgbouncer_databases_reserve_pool" + database), 5);
  EXPECT_EQ(Value(batch, "pgbouncer_databases_max_connections" + database), 100);
  EXPECT_EQ(Value(batch, R"(pgbouncer_stats_totals_server_assignments_total{database="app"})"), 11);
  EXPECT_EQ(Value(batch, R"(pgbouncer_stats_totals_binds_total{database="app"})"), 15);
  EXPECT_FALSE(Value(batch, R"(pgbouncer_stats_totals_queries_pooled_total{database="app"})"));
}

TEST(RecordedConsoleTest, OldPoolsWithoutMicrosecondsAndHostileNames) {
  RecordedConsole console({{"SHOW POOLS",
                            {RecordedRow{{"database", "a\"b\n\xff"},
                                         {"user", "\\"},
                                         {"cl_active", "1"},
                                         {"sv_active", "not a number"},
                                         {"maxwait", "3"}}}}});
  auto probe = Probe(console);
  auto collected = probe.Collect();
  ASSERT_TRUE(collected.ok()) << collected.error().message;
  const std::string pool = "{database=\"a\\\"b\\n\xEF\xBF\xBD\",user=\"\\\\\"}";
  EXPECT_EQ(Value(probe.batch(), "pgbouncer_pools_client_maxwait_seconds" + pool), 3);
  EXPECT_FALSE(Value(probe.batch(), "pgbouncer_pools_server_active_connections" + pool));
}

TEST(RecordedConsoleTest, ClientGroupsBeyondTheLimitAreCounted) {
  RecordedTable clients;
  for (std::size_t i = 0; i < kMaxClientGroups + 7; ++i) {
    clients.push_back({{"database", "app"},
                       {"user", "u"},
                       {"application_name", "app-" + std::to_string(i)},
                       {"state", "active"}});
  }
  RecordedConsole console({{"SHOW CLIENTS", clients}});
  auto probe = Probe(console);
  auto collected = probe.Collect();
  ASSERT_TRUE(collected.ok()) << collected.error().message;
  EXPECT_EQ(
      Value(probe.batch(), R"(tocsin_pgbouncer_collector_left_out_rows{collector="clients"})"), 7);
}

TEST(RecordedConsoleTest, ConsoleThatRefusesEverythingIsPermissionDenied) {
  RecordedConsole console({});
  auto probe = Probe(console);
  auto collected = probe.Collect();
  ASSERT_FALSE(collected.ok());
  EXPECT_EQ(collected.error().code, ErrorCode::kPermissionDenied) << collected.error().message;
}

}  // namespace
}  // namespace tocsin::collectors::pgbouncer
