// What a real server tells under the names of postgres_exporter 0.20.

#include <algorithm>

#include "tests/integration/postgres/collector_fixture.h"

namespace tocsin::testing {
namespace {

using model::MetricType;

class PostgresSubjectsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started =
        PostgresServer::Start({.settings = {{"shared_preload_libraries", "'pg_stat_statements'"},
                                            {"wal_level", "logical"},
                                            {"superuser_reserved_connections", "4"}}});
    ASSERT_TRUE(started.ok()) << started.error().message;
    server_ = *std::move(started);
    auto made = server_->Execute(
        "CREATE EXTENSION pg_stat_statements; CREATE TABLE bookings (id int PRIMARY KEY, note "
        "text);"
        "INSERT INTO bookings SELECT i, repeat('x', 100) FROM generate_series(1, 1000) i;"
        "ANALYZE bookings; SELECT pg_create_physical_replication_slot('standby', true)");
    ASSERT_TRUE(made.ok()) << made.error().message;
    ASSERT_TRUE(server_->Execute("CREATE DATABASE shop").ok());
  }
  static void TearDownTestSuite() { server_.reset(); }

  static std::unique_ptr<PostgresServer> server_;
};

std::unique_ptr<PostgresServer> PostgresSubjectsTest::server_;

struct Expected {
  std::string name;
  MetricType type;
  std::vector<std::string> labels;
};

std::vector<Expected> ExpectedFamilies() {
  std::vector<Expected> all = {
      {"pg_static", MetricType::kUnknown, {"server", "version", "short_version"}},
      {"pg_scrape_collector_success", MetricType::kGauge, {"collector"}},
      {"pg_scrape_collector_duration_seconds", MetricType::kGauge, {"collector"}},
      {"pg_database_size_bytes", MetricType::kGauge, {"datname"}},
      {"pg_database_connection_limit", MetricType::kGauge, {"datname"}},
      {"pg_roles_connection_limit", MetricType::kGauge, {"rolname"}},
      {"pg_locks_count", MetricType::kGauge, {"datname", "mode"}},
      {"pg_replication_lag_seconds", MetricType::kGauge, {}},
      {"pg_replication_is_replica", MetricType::kGauge, {}},
      {"pg_replication_last_replay_seconds", MetricType::kGauge, {}},
      {"pg_replication_slots_active", MetricType::kGauge, {"slot_name", "database"}},
      {"pg_replication_slots_pg_wal_lsn_diff", MetricType::kGauge, {"slot_name", "database"}},
      {"pg_stat_archiver_archived_count", MetricType::kCounter, {}},
      {"pg_stat_archiver_failed_count", MetricType::kCounter, {}},
      {"pg_stat_archiver_last_archive_age", MetricType::kGauge, {}},
      {"pg_stat_database_numbackends", MetricType::kGauge, {"datid", "datname"}},
      {"pg_wal_segments", MetricType::kGauge, {}},
      {"pg_wal_size_bytes", MetricType::kGauge, {}},
      {"pg_postmaster_start_time_seconds", MetricType::kGauge, {}},
      {"pg_long_running_transactions", MetricType::kGauge, {}},
      {"pg_long_running_transactions_oldest_timestamp_seconds", MetricType::kGauge, {}},
      {"pg_database_wraparound_age_datfrozenxid_seconds", MetricType::kGauge, {"datname"}},
      {"pg_database_wraparound_age_datminmxid_seconds", MetricType::kGauge, {"datname"}},
      {"pg_settings_max_connections", MetricType::kGauge, {}},
      {"pg_settings_superuser_reserved_connections", MetricType::kGauge, {}},
      {"pg_settings_shared_buffers_bytes", MetricType::kGauge, {}},
  };
  const auto add = [&](const std::string& prefix, MetricType type,
                       const std::vector<std::string>& labels,
                       const std::vector<std::string>& names) {
    for (const auto& name : names) all.push_back({prefix + name, type, labels});
  };
  add("pg_replication_slots_", MetricType::kGauge, {"slot_name", "slot_type"},
      {"slot_current_wal_lsn", "slot_is_active"});
  add("pg_replication_slots_", MetricType::kGauge, {"slot_name", "slot_type", "wal_status"},
      {"wal_status"});
  const std::vector<std::string> activity = {"datname",          "state",        "usename",
                                             "application_name", "backend_type", "wait_event_type",
                                             "wait_event"};
  add("pg_stat_activity_", MetricType::kGauge, activity, {"count", "max_tx_duration"});
  add("pg_stat_bgwriter_", MetricType::kCounter, {},
      {"checkpoints_timed_total", "checkpoints_req_total", "checkpoint_write_time_total",
       "checkpoint_sync_time_total", "buffers_checkpoint_total", "buffers_clean_total",
       "maxwritten_clean_total", "buffers_backend_total", "buffers_backend_fsync_total",
       "buffers_alloc_total", "stats_reset_total"});
  add("pg_stat_database_", MetricType::kCounter, {"datid", "datname"},
      {"xact_commit", "xact_rollback", "blks_read", "blks_hit", "tup_returned", "tup_fetched",
       "tup_inserted", "tup_updated", "tup_deleted", "conflicts", "temp_files", "temp_bytes",
       "deadlocks", "blk_read_time", "blk_write_time", "stats_reset", "active_time_seconds_total"});
  add("pg_stat_database_conflicts_confl_", MetricType::kCounter, {"datid", "datname", "server"},
      {"tablespace", "lock", "snapshot", "bufferpin", "deadlock"});
  add("pg_stat_user_tables_", MetricType::kCounter, {"datname", "schemaname", "relname"},
      {"seq_scan", "seq_tup_read", "idx_scan", "idx_tup_fetch", "n_tup_ins", "n_tup_upd",
       "n_tup_del", "n_tup_hot_upd", "vacuum_count", "autovacuum_count", "analyze_count",
       "autoanalyze_count"});
  add("pg_stat_user_tables_", MetricType::kGauge, {"datname", "schemaname", "relname"},
      {"n_live_tup", "n_dead_tup", "n_mod_since_analyze", "last_vacuum", "last_autovacuum",
       "last_analyze", "last_autoanalyze", "index_size_bytes", "table_size_bytes"});
  add("pg_statio_user_tables_", MetricType::kCounter, {"datname", "schemaname", "relname"},
      {"heap_blocks_read", "heap_blocks_hit", "idx_blocks_read", "idx_blocks_hit",
       "toast_blocks_read", "toast_blocks_hit", "tidx_blocks_read", "tidx_blocks_hit"});
  add("pg_stat_statements_", MetricType::kCounter, {"user", "datname", "queryid"},
      {"calls_total", "seconds_total", "rows_total", "block_read_seconds_total",
       "block_write_seconds_total"});
  return all;
}

TEST_F(PostgresSubjectsTest, NamesTypesAndLabelsAreTheExporters) {
  PostgresTarget target(Yaml(*server_));
  ASSERT_EQ(target.errors(), "");
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  const auto names = collection.Names();
  for (const Expected& expected : ExpectedFamilies()) {
    const auto* family = collection.Family(expected.name);
    ASSERT_NE(family, nullptr) << expected.name;
    EXPECT_EQ(family->type, expected.type) << expected.name;
    EXPECT_EQ(family->label_names, expected.labels) << expected.name;
    EXPECT_NE(family->help, "") << expected.name;
    EXPECT_TRUE(names.contains(expected.name)) << expected.name << " has no row";
  }
  for (const auto& family : collection.batch->families()) {
    if (family.name != "pg_scrape_collector_success") continue;
    for (std::size_t i = 0; i < collection.batch->row_count(); ++i) {
      const auto row = collection.batch->row(i);
      if (row.name != family.name) continue;
      EXPECT_EQ(row.value, 1) << row.label(0).second << "\n" << collection.Notes();
    }
  }
}

TEST_F(PostgresSubjectsTest, ConnectionsByStateAgainstTheLimit) {
  PostgresTarget target(Yaml(*server_));
  auto idle = server_->Connect("application_name=web");
  auto busy = server_->Connect("dbname=shop");
  ASSERT_TRUE(idle.ok() && busy.ok());
  ASSERT_TRUE((*idle)->Execute("SELECT 1").ok());
  ASSERT_TRUE((*busy)->Execute("BEGIN; SELECT 1").ok());
  const auto collection = target.Collect();
  EXPECT_EQ(collection.Value("pg_settings_max_connections"), 50);
  EXPECT_EQ(collection.Value("pg_settings_superuser_reserved_connections"), 4);
  EXPECT_EQ(
      collection.Sum("pg_stat_activity_count",
                     {{"datname", "postgres"}, {"state", "idle"}, {"application_name", "web"}}),
      1);
  EXPECT_EQ(collection.Sum("pg_stat_activity_count",
                           {{"datname", "shop"}, {"state", "idle in transaction"}}),
            1);
  EXPECT_GT(collection.Sum("pg_stat_activity_max_tx_duration", {{"datname", "shop"}}), 0);
  // Our own session is not there, and states without a session are there with zero.
  EXPECT_EQ(collection.Sum("pg_stat_activity_count", {{"application_name", "tocsin"}}), 0);
  EXPECT_EQ(collection.Value("pg_stat_activity_count",
                             {{"datname", "shop"}, {"state", "active"}, {"usename", ""}}),
            0);
}

TEST_F(PostgresSubjectsTest, WhatIsWaitedForIsToldUnderEveryNameAndOfBackgroundProcessesToo) {
  auto holder = server_->Connect();
  auto waiter = server_->Connect("dbname=postgres");
  ASSERT_TRUE(holder.ok() && waiter.ok());
  ASSERT_TRUE((*holder)->Execute("SELECT pg_advisory_lock(7)").ok());
  ASSERT_TRUE((*waiter)->Send("SELECT pg_advisory_lock(7)").ok());
  for (const char* names : {"0.11", "0.15", "0.20"}) {
    SCOPED_TRACE(names);
    PostgresTarget target(Yaml(*server_, "names: \"" + std::string(names) + "\"\n"));
    constexpr const char* kWaits = "tocsin_postgres_wait_events";
    EXPECT_TRUE(WaitUntil([&] {
      const auto collection = target.Collect();
      return collection.Value(kWaits, {{"wait_event_type", "Lock"},
                                       {"wait_event", "advisory"},
                                       {"backend_type", "client backend"}}) == 1 &&
             collection.Value(kWaits, {{"wait_event_type", "Client"},
                                       {"wait_event", "ClientRead"},
                                       {"backend_type", "client backend"}}) >= 1 &&
             collection.Value(kWaits, {{"wait_event_type", "Activity"},
                                       {"wait_event", "WalWriterMain"},
                                       {"backend_type", "walwriter"}}) == 1;
    }));
    // Sessions of one state are one series, whatever they wait for.
    const auto collection = target.Collect();
    EXPECT_GE(
        collection.Sum("pg_stat_activity_count", {{"datname", "postgres"}, {"state", "active"}}),
        1);
    if (names != std::string("0.11")) continue;
    EXPECT_EQ(
        collection.Value("pg_stat_activity_count", {{"datname", "postgres"}, {"state", "active"}}),
        1);
  }
  ASSERT_TRUE((*holder)->Execute("SELECT pg_advisory_unlock(7)").ok());
  EXPECT_TRUE((*waiter)->Receive().ok());
}

TEST_F(PostgresSubjectsTest, SettingsShowTheServersValuesNotThoseOfOurSession) {
  PostgresTarget target(Yaml(*server_));
  const auto collection = target.Collect();
  EXPECT_EQ(collection.Value("pg_settings_statement_timeout_seconds"), 0);
  EXPECT_EQ(collection.Value("pg_settings_lock_timeout_seconds"), 0);
  EXPECT_EQ(collection.Value("pg_settings_jit"), 1);
  EXPECT_EQ(collection.Value("pg_settings_shared_buffers_bytes"), 16.0 * 1024 * 1024);
  EXPECT_EQ(collection.Value("pg_settings_log_min_duration_statement_seconds"), -1);
  EXPECT_EQ(collection.Value("pg_settings_autovacuum_naptime_seconds"), 60);
  EXPECT_EQ(collection.Family("pg_settings_autovacuum_naptime_seconds")->help,
            "Server Parameter: autovacuum_naptime [Units converted to seconds.]");
}

TEST_F(PostgresSubjectsTest, AReloadedSettingIsSeenAtOnce) {
  PostgresTarget target(Yaml(*server_));
  EXPECT_EQ(target.Collect().Value("pg_settings_work_mem_bytes"), 4.0 * 1024 * 1024);
  ASSERT_TRUE(server_->Execute("ALTER SYSTEM SET work_mem = '5MB'").ok());
  ASSERT_TRUE(server_->Execute("SELECT pg_reload_conf()").ok());
  EXPECT_TRUE(WaitUntil(
      [&] { return target.Collect().Value("pg_settings_work_mem_bytes") == 5.0 * 1024 * 1024; }));
}

TEST_F(PostgresSubjectsTest, TablesUnderAnExclusiveLockAreStillReported) {
  auto holder = server_->Connect();
  ASSERT_TRUE(holder.ok());
  ASSERT_TRUE((*holder)->Execute("BEGIN; LOCK TABLE bookings IN ACCESS EXCLUSIVE MODE").ok());
  PostgresTarget target(Yaml(*server_));
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_LT(collection.took, seconds(2));
  const LabelMap bookings = {{"datname", "postgres"}, {"relname", "bookings"}};
  EXPECT_EQ(collection.Value("pg_stat_user_tables_n_tup_ins", bookings), 1000);
  EXPECT_GT(collection.Value("pg_stat_user_tables_table_size_bytes", bookings), 8192);
  EXPECT_GT(collection.Value("pg_stat_user_tables_index_size_bytes", bookings), 8192);
  EXPECT_EQ(collection.Value("pg_locks_count",
                             {{"datname", "postgres"}, {"mode", "accessexclusivelock"}}),
            1);
}

TEST_F(PostgresSubjectsTest, DatabasesAreFilteredAndLimited) {
  PostgresTarget target(Yaml(*server_, "databases: { exclude: [\"template.*\"] }\n"));
  const auto collection = target.Collect();
  EXPECT_TRUE(collection.Value("pg_database_size_bytes", {{"datname", "shop"}}).has_value());
  EXPECT_FALSE(collection.Value("pg_database_size_bytes", {{"datname", "template1"}}).has_value());
  EXPECT_FALSE(
      collection.Value("pg_stat_database_xact_commit", {{"datname", "template1"}}).has_value());

  PostgresTarget limited(Yaml(*server_, "databases: { limit: 1 }\n"));
  EXPECT_EQ(limited.Collect().Value("tocsin_postgres_databases_left_out"), 3);
}

TEST_F(PostgresSubjectsTest, AFailingSubjectCostsOnlyItself) {
  ASSERT_TRUE(server_->Execute("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN").ok());
  PostgresTarget target("dsn: \"" + server_->Dsn("user=plain") + "\"\n");
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_EQ(collection.Value("pg_scrape_collector_success", {{"collector", "wal"}}), 0);
  EXPECT_EQ(collection.Value("pg_scrape_collector_success", {{"collector", "settings"}}), 1);
  EXPECT_EQ(collection.Value("pg_settings_max_connections"), 50);
  EXPECT_FALSE(collection.Names().contains("pg_wal_segments"));
  EXPECT_NE(collection.FailedPart("wal").find("permission denied"), std::string::npos);
  EXPECT_EQ(collection.FailedPart("settings"), "");
  EXPECT_NE(collection.Notes().find("wal: permission denied"), std::string::npos)
      << collection.Notes();
}

TEST_F(PostgresSubjectsTest, WithoutPgMonitorItIsSaidWhatStaysUnseenUntilItIsGranted) {
  ASSERT_TRUE(server_->Execute("DROP ROLE IF EXISTS blind; CREATE ROLE blind LOGIN").ok());
  const auto other = server_->Connect();
  ASSERT_TRUE(other.ok());
  PostgresTarget target("dsn: \"" + server_->Dsn("user=blind") + "\"\n");
  auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_EQ(collection.Sum("pg_stat_activity_count", {{"datname", "postgres"}}), 0);
  EXPECT_NE(collection.Notes().find("role blind may not read what other users do"),
            std::string::npos)
      << collection.Notes();
  EXPECT_NE(collection.Notes().find("GRANT pg_monitor TO blind"), std::string::npos);
  ASSERT_TRUE(server_->Execute("GRANT pg_monitor TO blind").ok());
  collection = target.Collect();
  EXPECT_GE(collection.Sum("pg_stat_activity_count", {{"datname", "postgres"}}), 1);
  EXPECT_EQ(collection.Notes().find("may not read"), std::string::npos) << collection.Notes();
}

TEST_F(PostgresSubjectsTest, AMemberOfPgMonitorIsToldNothing) {
  ASSERT_TRUE(server_
                  ->Execute("DROP ROLE IF EXISTS seeing; CREATE ROLE seeing LOGIN;"
                            " GRANT pg_monitor TO seeing")
                  .ok());
  PostgresTarget target("dsn: \"" + server_->Dsn("user=seeing") + "\"\n");
  EXPECT_EQ(target.Collect().Notes().find("may not read"), std::string::npos);
}

TEST_F(PostgresSubjectsTest, SlowSubjectsShowTheirLastRowsInBetween) {
  PostgresTarget target(Yaml(*server_));
  const LabelMap bookings = {{"datname", "postgres"}, {"relname", "bookings"}};
  const auto first = target.Collect();
  const auto scans = first.Value("pg_stat_user_tables_seq_scan", bookings);
  ASSERT_TRUE(scans.has_value());
  ASSERT_TRUE(server_
                  ->Execute("SET enable_indexscan = off; SELECT count(*) FROM bookings;"
                            "SELECT pg_stat_force_next_flush()")
                  .ok());
  const auto second = target.Collect();
  EXPECT_EQ(second.Value("pg_stat_user_tables_seq_scan", bookings), scans);
  EXPECT_GT(
      second.Value("tocsin_postgres_collector_age_seconds", {{"collector", "stat_user_tables"}}),
      0);
}

TEST_F(PostgresSubjectsTest, StatementsBeyondTheLimitAreSummedUpAndTextsAreShownOnDemand) {
  const auto ran = [&](int number) {  // Each width is a statement of its own.
    std::string sql = "SELECT 1";
    for (int i = 0; i < number; ++i) sql += ", 1";
    EXPECT_TRUE(server_->Execute(sql + " AS counted").ok());
  };
  for (int i = 0; i < 10; ++i) ran(i);
  PostgresTarget target(Yaml(*server_,
                             "collectors: { stat_statements: { limit: 3, include_query: true, "
                             "query_length: 10 } }\n"));
  auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_GE(collection.Value("tocsin_postgres_statements_left_out"), 7);
  const auto before = collection.Value("tocsin_postgres_other_statements_calls_total");
  ASSERT_TRUE(before.has_value());
  int texts = 0;
  for (std::size_t i = 0; i < collection.batch->row_count(); ++i) {
    const auto row = collection.batch->row(i);
    if (row.name != "pg_stat_statements_query_id") continue;
    ++texts;
    EXPECT_LE(row.label(1).second.size(), 10u);
  }
  EXPECT_EQ(texts, 3);
  for (int i = 0; i < 10; ++i) ran(i);
  collection = target.Collect();
  EXPECT_GE(*collection.Value("tocsin_postgres_other_statements_calls_total"), *before + 7);
  const auto silent = PostgresTarget(Yaml(*server_)).Collect();
  EXPECT_FALSE(silent.Names().contains("pg_stat_statements_query_id"));
}

TEST_F(PostgresSubjectsTest, StatementsOfAnAbsentExtensionAreExplained) {
  PostgresTarget target("dsn: \"" + server_->Dsn("dbname=shop") + "\"\n");
  const auto collection = target.Collect();
  EXPECT_NE(collection.Notes().find("CREATE EXTENSION pg_stat_statements in \"shop\""),
            std::string::npos)
      << collection.Notes();
}

TEST_F(PostgresSubjectsTest, ProfilesSpeakTheirVersionsNames) {
  PostgresTarget old(Yaml(*server_, "names: \"0.11\"\n"));
  const auto collection = old.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  const std::string address = "127.0.0.1:" + std::to_string(server_->port());
  EXPECT_EQ(collection.Value("pg_settings_max_connections", {{"server", address}}), 50);
  EXPECT_EQ(collection.Family("pg_stat_activity_count")->label_names,
            (std::vector<std::string>{"datname", "state", "server"}));
  EXPECT_TRUE(collection.Value("pg_stat_database_sessions", {{"datid", "0"}}).has_value());
  EXPECT_TRUE(collection.Value("pg_replication_lag").has_value());

  PostgresTarget middle(Yaml(*server_, "names: \"0.15\"\n"));
  const auto between = middle.Collect();
  const auto labels_of = [&](const char* name) {
    const auto* family = between.Family(name);
    return family == nullptr ? std::vector<std::string>{"no such family"} : family->label_names;
  };
  using Labels = std::vector<std::string>;
  EXPECT_EQ(labels_of("pg_settings_max_connections"), Labels{"server"});
  EXPECT_EQ(labels_of("pg_stat_activity_count"),
            (Labels{"datname", "state", "usename", "application_name", "server"}));
  EXPECT_EQ(labels_of("pg_stat_archiver_failed_count"), Labels{"server"});
  EXPECT_EQ(labels_of("pg_stat_replication_pg_wal_lsn_diff"),
            (Labels{"application_name", "client_addr", "state", "slot_name", "server"}));
  EXPECT_EQ(labels_of("pg_replication_slots_active"), (Labels{"slot_name", "database", "server"}));
  EXPECT_EQ(labels_of("pg_stat_database_conflicts_confl_lock"),
            (Labels{"datid", "datname", "server"}));
  for (const char* name :
       {"pg_replication_slot_slot_is_active", "pg_replication_lag_seconds", "pg_locks_count",
        "pg_stat_database_xact_commit", "tocsin_postgres_wait_events"}) {
    const auto labels = labels_of(name);
    EXPECT_EQ(std::count(labels.begin(), labels.end(), "server"), 0) << name;
  }
  EXPECT_EQ(between.Value("pg_settings_max_connections", {{"server", address}}), 50);

  PostgresTarget all(Yaml(*server_, "names: all\n"));
  const auto names = all.Collect().Names();
  for (const char* name :
       {"pg_replication_lag", "pg_replication_lag_seconds", "pg_replication_slot_slot_is_active",
        "pg_replication_slots_slot_is_active", "pg_statio_user_tables_heap_blks_hit",
        "pg_statio_user_tables_heap_blocks_hit"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST_F(PostgresSubjectsTest, NoStatementHasATimeOutOfItsOwnWhileThereIsTime) {
  PostgresTarget target(Yaml(*server_));
  ASSERT_TRUE(target.Collect(seconds(60)).outcome.ok());
  ASSERT_TRUE(server_->Execute("SELECT pg_stat_statements_reset()").ok());
  for (int poll = 0; poll < 10; ++poll) {
    target.Advance(seconds(15));
    ASSERT_TRUE(target.Collect(seconds(60)).outcome.ok());
  }
  const auto set = server_->Execute(
      "SELECT coalesce(sum(calls) FILTER (WHERE query LIKE 'SELECT set_config(%'), 0), sum(calls)"
      " FROM pg_stat_statements");
  ASSERT_TRUE(set.ok()) << set.error().message;
  EXPECT_EQ(set->at(0).at(0), "0") << "of " << set->at(0).at(1) << " statements of ten polls";
}

TEST_F(PostgresSubjectsTest, OneConnectionIsKept) {
  PostgresTarget target(Yaml(*server_));
  const auto ours =
      "SELECT count(*), max(pid) FROM pg_stat_activity WHERE application_name = 'tocsin'";
  ASSERT_TRUE(target.Collect().outcome.ok());
  const auto before = server_->Execute(ours);
  ASSERT_TRUE(target.Collect().outcome.ok());
  const auto after = server_->Execute(ours);
  EXPECT_EQ(before->at(0), after->at(0));
  EXPECT_EQ(before->at(0).at(0), "1");
}

}  // namespace
}  // namespace tocsin::testing
