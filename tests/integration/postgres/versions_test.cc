// PostgreSQL 13 to 18, each for real: every subject succeeds on a primary and on its
// standby, and what a version moved or renamed is found where it went.

#include <filesystem>

#include "tests/integration/postgres/collector_fixture.h"

namespace tocsin::testing {
namespace {

constexpr const char* kEverything =
    "names: all\n"
    "collectors:\n"
    "  { process_idle: on, statio_user_indexes: on, buffercache_summary: on,\n"
    "    stat_statements: { include_query: true } }\n";

struct Expected {
  const char* name;
  int since = 13;
};
constexpr Expected kOnPrimary[] = {
    {"pg_static"},
    {"pg_exporter_last_scrape_error"},
    {"pg_database_size_bytes"},
    {"pg_database_connection_limit"},
    {"pg_database_wraparound_age_datfrozenxid_seconds"},
    {"pg_general_index_info_idx_scan"},
    {"pg_general_index_info_pg_relation_size"},
    {"pg_locks_count"},
    {"pg_long_running_transactions"},
    {"pg_postmaster_start_time_seconds"},
    {"pg_process_idle_seconds_bucket"},
    {"pg_replication_lag"},
    {"pg_replication_lag_seconds"},
    {"pg_replication_slots_active"},
    {"pg_replication_slots_wal_status"},
    {"pg_replication_slot_wal_status"},
    {"pg_roles_connection_limit"},
    {"pg_settings_max_connections"},
    {"pg_stat_activity_count"},
    {"pg_stat_archiver_failed_count"},
    {"pg_stat_bgwriter_buffers_alloc_total"},
    {"pg_stat_bgwriter_buffers_backend_fsync_total"},
    {"pg_stat_bgwriter_buffers_backend_total"},
    {"pg_stat_bgwriter_buffers_checkpoint_total"},
    {"pg_stat_bgwriter_buffers_clean_total"},
    {"pg_stat_bgwriter_checkpoint_sync_time_total"},
    {"pg_stat_bgwriter_checkpoint_write_time_total"},
    {"pg_stat_bgwriter_checkpoints_req"},
    {"pg_stat_bgwriter_checkpoints_req_total"},
    {"pg_stat_bgwriter_checkpoints_timed_total"},
    {"pg_stat_bgwriter_maxwritten_clean_total"},
    {"pg_stat_bgwriter_stats_reset_total"},
    {"pg_stat_checkpointer_num_timed_total", 17},
    {"pg_stat_checkpointer_stats_reset_total", 17},
    {"pg_stat_database_active_time_seconds_total", 14},
    {"pg_stat_database_checksum_failures"},
    {"pg_stat_database_sessions", 14},
    {"pg_stat_database_xact_commit"},
    {"pg_stat_database_conflicts_confl_lock"},
    {"pg_stat_database_conflicts_confl_active_logicalslot", 16},
    {"pg_stat_progress_vacuum_heap_blks"},
    {"pg_stat_progress_vacuum_max_dead_tuples"},
    {"pg_stat_progress_vacuum_phase"},
    {"pg_stat_replication_pg_wal_lsn_diff"},
    {"pg_stat_ssl_compression"},
    {"pg_stat_statements_calls"},
    {"pg_stat_statements_calls_total"},
    {"pg_stat_statements_block_read_seconds_total"},
    {"pg_stat_statements_query_id"},
    {"pg_stat_statements_stddev_time_seconds"},
    {"pg_stat_user_tables_index_size_bytes"},
    {"pg_stat_user_tables_n_tup_ins"},
    {"pg_stat_user_tables_size_bytes"},
    {"pg_stat_user_tables_table_size_bytes"},
    {"pg_statio_user_indexes_idx_blks_hit_total"},
    {"pg_statio_user_tables_heap_blks_hit"},
    {"pg_statio_user_tables_heap_blocks_hit"},
    {"pg_txid_current"},
    {"pg_wal_segments"},
    {"pg_buffercache_summary_buffers_used", 16},
    {"tocsin_postgres_blocked_by_seconds"},
    {"tocsin_postgres_blocked_sessions"},
    {"tocsin_postgres_blocker_sessions"},
    {"tocsin_postgres_io_read_bytes_total", 16},
    {"tocsin_postgres_prepared_transactions"},
    {"tocsin_postgres_sequence_used_ratio"},
    {"tocsin_postgres_slru_blocks_hit_total"},
    {"tocsin_postgres_wait_events"},
    {"tocsin_postgres_wal_bytes_total", 14},
    {"tocsin_postgres_wal_syncs_total", 14},
    {"tocsin_postgres_xmin_age_transactions"},
    {"tocsin_postgres_xmin_oldest_holder_age_transactions"},
};
constexpr Expected kOnStandby[] = {
    {"pg_stat_wal_receiver_receive_start_lsn"}, {"pg_stat_wal_receiver_receive_start_tli"},
    {"pg_stat_wal_receiver_flushed_lsn"},       {"pg_stat_wal_receiver_last_msg_receipt_time"},
    {"pg_stat_wal_receiver_latest_end_lsn"},    {"pg_stat_user_tables_n_live_tup"},
};

class PostgresVersionsTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    const auto binaries = PostgresBinaries(GetParam());
    if (binaries.empty()) {
      GTEST_SKIP() << "PostgreSQL " << GetParam() << " is not there: ./dev test fetches it";
    }
    options_.binaries = binaries;
    options_.settings = {{"shared_preload_libraries", "'pg_stat_statements'"},
                         {"wal_level", "logical"},
                         {"max_prepared_transactions", "5"}};
    auto started = PostgresServer::Start(options_);
    ASSERT_TRUE(started.ok()) << started.error().message;
    primary_ = *std::move(started);
    Execute(
        "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_buffercache;"
        "CREATE TABLE bookings (id int PRIMARY KEY, note text);"
        "INSERT INTO bookings SELECT i, repeat('x', 500) FROM generate_series(1, 2000) i;"
        "CREATE SEQUENCE numbers; SELECT nextval('numbers');"
        "ANALYZE bookings; SELECT pg_create_physical_replication_slot('standby', true)");
    Execute("CREATE DATABASE shop");
    Execute("CREATE TABLE orders (id int PRIMARY KEY)", "shop");
  }

  void Execute(const std::string& sql, const std::string& database = "postgres") {
    const auto done = primary_->Execute(sql, database);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }

  void StartStandby() {
    primary_->Stop();
    PostgresServerOptions options = options_;
    options.cluster = primary_->data_folder();
    options.standby_of = primary_->Dsn();
    options.settings.emplace_back("primary_slot_name", "'standby'");
    options.settings.emplace_back("wal_retrieve_retry_interval", "'200ms'");
    auto started = PostgresServer::Start(options);
    ASSERT_TRUE(started.ok()) << started.error().message;
    standby_ = *std::move(started);
    ASSERT_TRUE(primary_->StartAgain().ok());
  }

  void ExpectAll(const Collection& collection, std::span<const Expected> families) {
    const auto names = collection.Names();
    for (const Expected& expected : families) {
      EXPECT_EQ(names.contains(expected.name), GetParam() >= expected.since) << expected.name;
    }
  }

  static void ExpectSuccess(const Collection& collection) {
    ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
    EXPECT_EQ(collection.Value("pg_exporter_last_scrape_error"), 0) << collection.Notes();
  }

  PostgresServerOptions options_;
  std::unique_ptr<PostgresServer> primary_;
  std::unique_ptr<PostgresServer> standby_;
};

TEST_P(PostgresVersionsTest, EverySubjectSucceedsUnderEveryName) {
  StartStandby();
  ASSERT_TRUE(primary_ && standby_);
  PostgresTarget primary(Yaml(*primary_, kEverything));
  PostgresTarget standby(Yaml(*standby_, kEverything));
  ASSERT_EQ(primary.errors(), "");

  // A vacuum that takes its time, so that there is one to be seen.
  auto vacuum = primary_->Connect();
  ASSERT_TRUE(vacuum.ok());
  ASSERT_TRUE((*vacuum)->Execute("SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1").ok());
  ASSERT_TRUE((*vacuum)->Send("VACUUM (DISABLE_PAGE_SKIPPING) bookings").ok());
  auto idle = primary_->Connect();
  ASSERT_TRUE(idle.ok());
  // Somebody who waits for a transaction that is prepared and has no process.
  Execute("BEGIN; SELECT pg_advisory_xact_lock(7); PREPARE TRANSACTION 'forgotten'");
  auto waiter = primary_->Connect();
  ASSERT_TRUE(waiter.ok());
  ASSERT_TRUE((*waiter)->Send("SELECT pg_advisory_lock(7)").ok());
  ASSERT_TRUE(WaitUntil([&] {
    const auto names = primary.Collect().Names();
    return names.contains("pg_stat_replication_pg_wal_lsn_diff") &&
           names.contains("pg_stat_progress_vacuum_phase") &&
           names.contains("tocsin_postgres_blocked_by_seconds");
  }));
  const auto collection = primary.Collect();
  ExpectSuccess(collection);
  ExpectAll(collection, kOnPrimary);
  EXPECT_EQ(collection.Value("pg_stat_progress_vacuum_phase",
                             {{"relname", "bookings"}, {"phase", "scanning heap"}}),
            1);
  EXPECT_EQ(collection.Value("pg_replication_slots_active", {{"slot_name", "standby"}}), 1);
  EXPECT_EQ(collection.Value("tocsin_postgres_blocker_sessions", {{"gid", "forgotten"}}), 1);
  EXPECT_TRUE(
      collection
          .Value("pg_stat_user_tables_n_tup_ins", {{"datname", "shop"}, {"relname", "orders"}})
          .has_value());

  ASSERT_TRUE(WaitUntil(
      [&] { return standby.Collect().Names().contains("pg_stat_wal_receiver_latest_end_lsn"); }));
  const auto replica = standby.Collect();
  ExpectSuccess(replica);
  ExpectAll(replica, kOnStandby);
  EXPECT_EQ(replica.Value("pg_replication_is_replica"), 1);
  EXPECT_EQ(replica.Value("pg_stat_wal_receiver_received_tli", {{"upstream_host", "127.0.0.1"},
                                                                {"slot_name", "standby"},
                                                                {"status", "streaming"}}),
            1);
  EXPECT_EQ(replica.Value("tocsin_postgres_replication_receiving"), 1);

  // What PostgreSQL 17 took from pg_stat_bgwriter is counted under its old names.
  Execute("UPDATE bookings SET note = 'changed' WHERE id = 1");
  Execute("CHECKPOINT");
  EXPECT_TRUE(WaitUntil([&] {
    const auto after = primary.Collect();
    const auto grew = [&](const std::string& name) {
      return after.Value(name) > collection.Value(name);
    };
    return grew("pg_stat_bgwriter_checkpoints_req_total") &&
           grew("pg_stat_bgwriter_buffers_checkpoint_total");
  }));

  // Once all that was received is replayed the exporter's lag is 0 for ever.
  ASSERT_TRUE(WaitUntil([&] {
    const auto rows = standby_->Execute("SELECT pg_last_xact_replay_timestamp() IS NOT NULL");
    return rows.ok() && rows->at(0).at(0) == "t";
  }));
  primary_->Stop(PostgresServer::How::kImmediate);
  EXPECT_TRUE(WaitUntil([&] {
    const auto alone = standby.Collect();
    return alone.Value("tocsin_postgres_replication_receiving") == 0 &&
           alone.Value("tocsin_postgres_replication_lag_seconds") > 0 &&
           alone.Value("pg_replication_lag_seconds") == 0;
  }));
}

INSTANTIATE_TEST_SUITE_P(Each, PostgresVersionsTest, ::testing::Range(13, 19),
                         [](const auto& info) { return std::to_string(info.param); });

}  // namespace
}  // namespace tocsin::testing
