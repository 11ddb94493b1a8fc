// What consoles of other versions answered, and what becomes of it.

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <map>
#include <optional>
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
using ::tocsin::testing::FamilyTypes;
using ::tocsin::testing::ParseRecordedTable;
using ::tocsin::testing::RecordedConsole;
using ::tocsin::testing::RecordedRow;
using ::tocsin::testing::RecordedTable;
using ::tocsin::testing::Series;
using ::tocsin::testing::Value;

RecordedTable Recorded(const std::string& name) {
  std::ifstream file(std::string(TOCSIN_SOURCE_DIR) + "/tests/integration/pgbouncer/recorded/" +
                     name + ".txt");
  EXPECT_TRUE(file.good()) << name;
  std::ostringstream text;
  text << file.rdbuf();
  return ParseRecordedTable(text.str());
}

CollectorProbe Probe(const RecordedConsole& console, const std::string& more = "") {
  return CollectorProbe(
      ParsePgbouncerTarget,
      "{dsn: 'host=127.0.0.1 user=stats port=" + std::to_string(console.port()) + "'" + more + "}");
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

// A column that some versions answer, and the metric it becomes in pgbouncer_exporter
// 0.12; none for those it does not show.
struct Column {
  std::string show;
  std::string name;
  int since = 18;  // Of PgBouncer 1.…
  std::string metric = "";
  double factor = 1;
  int until = 99;
};

const std::vector<Column> kColumns = {
    {"DATABASES", "pool_size", 18, "pgbouncer_databases_pool_size"},
    {"DATABASES", "min_pool_size"},
    {"DATABASES", "reserve_pool", 18, "pgbouncer_databases_reserve_pool", 1, 23},
    {"DATABASES", "reserve_pool_size", 24, "pgbouncer_databases_reserve_pool"},
    {"DATABASES", "server_lifetime", 23},
    {"DATABASES", "max_connections", 18, "pgbouncer_databases_max_connections"},
    {"DATABASES", "current_connections", 18, "pgbouncer_databases_current_connections"},
    {"DATABASES", "max_client_connections", 24},
    {"DATABASES", "current_client_connections", 24},
    {"DATABASES", "paused", 18, "pgbouncer_databases_paused"},
    {"DATABASES", "disabled", 18, "pgbouncer_databases_disabled"},
    {"STATS_TOTALS", "server_assignment_count", 23,
     "pgbouncer_stats_totals_server_assignments_total"},
    {"STATS_TOTALS", "xact_count", 18, "pgbouncer_stats_totals_sql_transactions_pooled_total"},
    {"STATS_TOTALS", "query_count", 18, "pgbouncer_stats_totals_queries_pooled_total"},
    {"STATS_TOTALS", "bytes_received", 18, "pgbouncer_stats_totals_received_bytes_total"},
    {"STATS_TOTALS", "bytes_sent", 18, "pgbouncer_stats_totals_sent_bytes_total"},
    {"STATS_TOTALS", "xact_time", 18, "pgbouncer_stats_totals_server_in_transaction_seconds_total",
     1e-6},
    {"STATS_TOTALS", "query_time", 18, "pgbouncer_stats_totals_queries_duration_seconds_total",
     1e-6},
    {"STATS_TOTALS", "wait_time", 18, "pgbouncer_stats_totals_client_wait_seconds_total", 1e-6},
    {"STATS_TOTALS", "client_parse_count", 24, "pgbouncer_stats_totals_client_parses_total"},
    {"STATS_TOTALS", "server_parse_count", 24, "pgbouncer_stats_totals_server_parses_total"},
    {"STATS_TOTALS", "bind_count", 24, "pgbouncer_stats_totals_binds_total"},
    {"STATS_TOTALS", "client_login_count", 25},
    {"POOLS", "cl_active", 18, "pgbouncer_pools_client_active_connections"},
    {"POOLS", "cl_waiting", 18, "pgbouncer_pools_client_waiting_connections"},
    {"POOLS", "cl_active_cancel_req", 18, "pgbouncer_pools_client_active_cancel_connections"},
    {"POOLS", "cl_waiting_cancel_req", 18, "pgbouncer_pools_client_waiting_cancel_connections"},
    {"POOLS", "sv_active", 18, "pgbouncer_pools_server_active_connections"},
    {"POOLS", "sv_active_cancel", 18, "pgbouncer_pools_server_active_cancel_connections"},
    {"POOLS", "sv_being_canceled", 18, "pgbouncer_pools_server_being_canceled_connections"},
    {"POOLS", "sv_idle", 18, "pgbouncer_pools_server_idle_connections"},
    {"POOLS", "sv_used", 18, "pgbouncer_pools_server_used_connections"},
    {"POOLS", "sv_tested", 18, "pgbouncer_pools_server_testing_connections"},
    {"POOLS", "sv_login", 18, "pgbouncer_pools_server_login_connections"},
    {"POOLS", "maxwait", 18, "pgbouncer_pools_client_maxwait_seconds"},
};

const std::vector<Column> kLists = {
    {"LISTS", "databases", 18, "pgbouncer_databases"},
    {"LISTS", "users", 18, "pgbouncer_users"},
    {"LISTS", "peers", 20},
    {"LISTS", "pools", 18, "pgbouncer_pools"},
    {"LISTS", "peer_pools", 20},
    {"LISTS", "free_clients", 18, "pgbouncer_free_clients"},
    {"LISTS", "used_clients", 18, "pgbouncer_used_clients"},
    {"LISTS", "login_clients", 18, "pgbouncer_login_clients"},
    {"LISTS", "free_servers", 18, "pgbouncer_free_servers"},
    {"LISTS", "used_servers", 18, "pgbouncer_used_servers"},
    {"LISTS", "dns_names", 18, "pgbouncer_cached_dns_names"},
    {"LISTS", "dns_zones", 18, "pgbouncer_cached_dns_zones"},
    {"LISTS", "dns_queries", 18, "pgbouncer_in_flight_dns_queries"},
    {"LISTS", "dns_pending"},
};

const std::map<std::string, RecordedRow> kLabels = {
    {"DATABASES",
     {{"name", "app"},
      {"host", "db"},
      {"port", "5432"},
      {"database", "shop"},
      {"force_user", "owner"},
      {"pool_mode", "session"}}},
    {"STATS_TOTALS", {{"database", "app"}}},
    {"POOLS", {{"database", "app"}, {"user", "shop"}, {"pool_mode", "session"}}},
};
const std::map<std::string, std::string> kLabelTexts = {
    {"DATABASES",
     R"({database="shop",force_user="owner",host="db",name="app",pool_mode="session",port="5432"})"},
    {"STATS_TOTALS", R"({database="app"})"},
    {"POOLS", R"({database="app",user="shop"})"},
    {"LISTS", ""},
};

class RecordedVersionTest : public ::testing::TestWithParam<int> {};

// Every column that the version answers becomes its metric with its value, and
// nothing else does.
TEST_P(RecordedVersionTest, ColumnsBecomeTheExportersMetrics) {
  const int version = GetParam();
  std::map<std::string, RecordedTable> answers;
  std::map<std::string, double> expected;
  double value = 1'000'001;
  for (const auto* columns : {&kColumns, &kLists}) {
    for (const Column& column : *columns) {
      if (version < column.since || version > column.until) continue;
      RecordedTable& table = answers["SHOW " + column.show];
      const std::string text = std::to_string(static_cast<int>(value));
      if (columns == &kLists) {
        table.push_back({{"list", column.name}, {"items", text}});
      } else {
        if (table.empty()) table.push_back(kLabels.at(column.show));
        table[0].emplace_back(column.name, text);
      }
      if (!column.metric.empty()) {
        expected[column.metric + kLabelTexts.at(column.show)] = value * column.factor;
      }
      value += 1;
    }
  }
  answers["SHOW POOLS"][0].emplace_back("maxwait_us", "250000");
  expected["pgbouncer_pools_client_maxwait_seconds" + kLabelTexts.at("POOLS")] += 0.25;
  if (version >= 24) answers["SHOW POOLS"][0].emplace_back("load_balance_hosts", "disable");
  answers["SHOW VERSION"] = {{{"version", "PgBouncer 1." + std::to_string(version) + ".0"}}};
  answers["SHOW CONFIG"] = {
      {{"key", "max_client_conn"}, {"value", "100"}, {"changeable", "yes"}},
      {{"key", "auth_file"}, {"value", "/x"}, {"changeable", "yes"}},
      {{"key", "max_user_connections"}, {"value", "7"}, {"changeable", "yes"}}};
  expected["pgbouncer_config_max_client_connections"] = 100;
  expected["pgbouncer_config_max_user_connections"] = 7;
  expected["pgbouncer_version_info{version=\"PgBouncer 1." + std::to_string(version) + ".0\"}"] = 1;
  RecordedRow client = {{"type", "C"},
                        {"user", "shop"},
                        {"database", "app"},
                        {"state", "active"},
                        {"application_name", "web"}};
  if (version >= 21) client.emplace_back("prepared_statements", "3");
  answers["SHOW CLIENTS"] = {client, client};
  expected[R"(pgbouncer_client_connections{application_name="web",database="app",)"
           R"(state="active",user="shop"})"] = 2;

  RecordedConsole console(std::move(answers));
  auto probe = Probe(console);
  auto collected = probe.Collect();
  ASSERT_TRUE(collected.ok()) << collected.error().message;
  auto shown = Series(probe.batch());
  std::erase_if(shown, [](const auto& one) { return one.first.starts_with("tocsin_"); });
  for (const auto& [series, number] : expected) {
    ASSERT_TRUE(shown.contains(series)) << series;
    EXPECT_DOUBLE_EQ(shown[series], number) << series;
    shown.erase(series);
  }
  EXPECT_EQ(shown, (std::map<std::string, double>()));
  EXPECT_TRUE(probe.batch().notes().empty()) << probe.batch().notes()[0];
}

INSTANTIATE_TEST_SUITE_P(Versions, RecordedVersionTest, ::testing::Range(18, 26),
                         [](const auto& info) { return "V1_" + std::to_string(info.param); });

TEST(RecordedConsoleTest, TotalsHaveTheNamesThatAreAskedFor) {
  RecordedConsole console(
      {{"SHOW STATS_TOTALS",
        {{{"database", "app"}, {"query_count", "5"}, {"wait_time", "1500000"}}}}});
  const std::string now = "pgbouncer_stats_totals_client_wait_seconds_total{database=\"app\"}";
  const std::string before = "pgbouncer_stats_client_wait_seconds_total{database=\"app\"}";
  struct Case {
    std::string names;
    bool has_now;
    bool has_before;
  };
  for (const Case& one : {Case{"", true, false}, Case{", names: '0.12'", true, false},
                          Case{", names: '0.10'", false, true}, Case{", names: all", true, true}}) {
    auto probe = Probe(console, one.names);
    auto collected = probe.Collect();
    ASSERT_TRUE(collected.ok()) << collected.error().message;
    using Number = std::optional<double>;
    EXPECT_EQ(Value(probe.batch(), now), one.has_now ? Number(1.5) : Number()) << one.names;
    EXPECT_EQ(Value(probe.batch(), before), one.has_before ? Number(1.5) : Number()) << one.names;
    auto types = FamilyTypes(probe.batch());
    if (one.has_before) {
      EXPECT_EQ(types["pgbouncer_stats_queries_pooled_total"], "counter");
    }
  }
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
