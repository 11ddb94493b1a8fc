// What no exporter tells: who blocks whom, what holds vacuum back, what comes to its end.

#include "tests/integration/postgres/collector_fixture.h"

namespace tocsin::testing {
namespace {

class PostgresBeyondTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = PostgresServer::Start(
        {.settings = {{"max_prepared_transactions", "5"}, {"wal_level", "logical"}}});
    ASSERT_TRUE(started.ok()) << started.error().message;
    server_ = *std::move(started);
    ASSERT_TRUE(server_
                    ->Execute("CREATE TABLE bookings (id int PRIMARY KEY, seats int);"
                              "INSERT INTO bookings VALUES (1, 1), (2, 1)")
                    .ok());
  }
  static void TearDownTestSuite() { server_.reset(); }

  static std::unique_ptr<PostgresServer> server_;
};

std::unique_ptr<PostgresServer> PostgresBeyondTest::server_;

const LabelMap kHere = {{"datname", "postgres"}};

TEST_F(PostgresBeyondTest, WhoBlocksWhomIsToldFromTheRootOn) {
  auto root = server_->Connect("application_name=root");
  auto middle = server_->Connect("application_name=middle");
  auto leaf = server_->Connect("application_name=leaf");
  ASSERT_TRUE(root.ok() && middle.ok() && leaf.ok());
  ASSERT_TRUE((*root)->Execute("BEGIN; UPDATE bookings SET seats = 2 WHERE id = 1").ok());
  ASSERT_TRUE((*middle)->Execute("BEGIN; UPDATE bookings SET seats = 2 WHERE id = 2").ok());
  ASSERT_TRUE((*middle)->Send("UPDATE bookings SET seats = 3 WHERE id = 1").ok());
  ASSERT_TRUE((*leaf)->Send("UPDATE bookings SET seats = 3 WHERE id = 2").ok());
  PostgresTarget target(Yaml(*server_));
  ASSERT_TRUE(WaitUntil(
      [&] { return target.Collect().Value("tocsin_postgres_blocked_sessions", kHere) == 2; }));
  const auto collection = target.Collect();
  EXPECT_GT(collection.Value("tocsin_postgres_blocked_longest_seconds", kHere), 0);
  EXPECT_EQ(collection.Value("tocsin_postgres_blocker_sessions",
                             {{"application_name", "root"},
                              {"waits", "no"},
                              {"pid", std::to_string((*root)->backend_pid())}}),
            1);
  EXPECT_EQ(collection.Value("tocsin_postgres_blocker_sessions",
                             {{"application_name", "middle"}, {"waits", "yes"}}),
            1);
  EXPECT_FALSE(collection.Value("tocsin_postgres_blocker_sessions", {{"application_name", "leaf"}})
                   .has_value());
  const auto waited = [&](const auto& blocked, const auto& blocker) {
    return collection.Value("tocsin_postgres_blocked_by_seconds",
                            {{"datname", "postgres"},
                             {"pid", std::to_string((*blocked)->backend_pid())},
                             {"blocker_pid", std::to_string((*blocker)->backend_pid())},
                             {"blocker_gid", ""}});
  };
  EXPECT_EQ(collection.Count("tocsin_postgres_blocked_by_seconds"), 2);
  EXPECT_GT(waited(middle, root), 0);
  EXPECT_GT(waited(leaf, middle), 0);
  ASSERT_TRUE((*root)->Execute("ROLLBACK").ok());
  ASSERT_TRUE((*middle)->Receive().ok());
  ASSERT_TRUE((*middle)->Execute("ROLLBACK").ok());
  ASSERT_TRUE((*leaf)->Receive().ok());
  EXPECT_EQ(target.Collect().Value("tocsin_postgres_blocked_sessions", kHere), 0);
}

// Its session is gone: pg_blocking_pids() knows it as 0 only.
TEST_F(PostgresBeyondTest, APreparedTransactionThatBlocksIsNamed) {
  ASSERT_TRUE(server_
                  ->Execute("BEGIN; UPDATE bookings SET seats = 2 WHERE id = 1;"
                            "PREPARE TRANSACTION 'forgotten'")
                  .ok());
  ASSERT_TRUE(server_
                  ->Execute("BEGIN; INSERT INTO bookings VALUES (9, 1);"
                            "PREPARE TRANSACTION 'in nobody''s way'")
                  .ok());
  auto waiter = server_->Connect();
  ASSERT_TRUE(waiter.ok());
  ASSERT_TRUE((*waiter)->Send("UPDATE bookings SET seats = 3 WHERE id = 1").ok());
  PostgresTarget target(Yaml(*server_));
  ASSERT_TRUE(WaitUntil(
      [&] { return target.Collect().Value("tocsin_postgres_blocked_sessions", kHere) == 1; }));
  const auto collection = target.Collect();
  EXPECT_EQ(collection.Count("tocsin_postgres_blocker_sessions"), 1);
  EXPECT_EQ(collection.Value("tocsin_postgres_blocker_sessions",
                             {{"pid", "0"}, {"gid", "forgotten"}, {"waits", "no"}}),
            1);
  EXPECT_GT(collection.Value("tocsin_postgres_blocked_by_seconds",
                             {{"pid", std::to_string((*waiter)->backend_pid())},
                              {"blocker_pid", "0"},
                              {"blocker_gid", "forgotten"}}),
            0);
  for (const char* gid : {"'forgotten'", "'in nobody''s way'"}) {
    ASSERT_TRUE(server_->Execute("ROLLBACK PREPARED " + std::string(gid)).ok());
  }
  EXPECT_TRUE((*waiter)->Receive().ok());
}

TEST_F(PostgresBeyondTest, WhoHoldsVacuumBackLongestIsNamed) {
  const auto execute = [&](const std::string& sql) {
    const auto done = server_->Execute(sql);
    ASSERT_TRUE(done.ok()) << done.error().message;
  };
  // First: making it waits for whoever writes.
  execute("SELECT pg_create_logical_replication_slot('left_behind', 'test_decoding')");
  auto session = server_->Connect();
  ASSERT_TRUE(session.ok());
  ASSERT_TRUE((*session)->Execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").ok());
  execute("BEGIN; INSERT INTO bookings VALUES (4, 1); PREPARE TRANSACTION 'older'");
  execute("BEGIN; INSERT INTO bookings VALUES (5, 1); PREPARE TRANSACTION 'younger'");
  for (int i = 0; i < 5; ++i) execute("SELECT txid_current()");

  PostgresTarget target(Yaml(*server_));
  auto collection = target.Collect();
  constexpr const char* kOldest = "tocsin_postgres_xmin_oldest_holder_age_transactions";
  const auto age = [&](const std::string& holder) {
    return collection.Value("tocsin_postgres_xmin_age_transactions", {{"holder", holder}});
  };
  const auto named = [&](const std::string& holder, const std::string& name) {
    return collection.Value(kOldest, {{"holder", holder}, {"name", name}});
  };
  EXPECT_GE(age("prepared_transaction"), 6);
  EXPECT_EQ(named("prepared_transaction", "older"), age("prepared_transaction"));
  EXPECT_FALSE(named("prepared_transaction", "younger").has_value());
  EXPECT_GE(age("replication_slot"), 5);
  EXPECT_EQ(named("replication_slot", "left_behind"), age("replication_slot"));
  EXPECT_EQ(age("replica"), 0);
  EXPECT_EQ(collection.Sum(kOldest, {{"holder", "replica"}}), 0);

  // A session is, once it has been at it for a while.
  const std::string pid = std::to_string((*session)->backend_pid());
  EXPECT_GE(age("session"), 7);
  EXPECT_FALSE(named("session", pid).has_value());
  EXPECT_TRUE(WaitUntil([&] {
    collection = target.Collect();
    return named("session", pid).has_value();
  }));
  EXPECT_EQ(named("session", pid), age("session"));

  execute("ROLLBACK PREPARED 'older'");
  execute("ROLLBACK PREPARED 'younger'");
  execute("SELECT pg_drop_replication_slot('left_behind')");
  ASSERT_TRUE((*session)->Execute("ROLLBACK").ok());
  collection = target.Collect();
  EXPECT_EQ(collection.Count(kOldest), 0);
}

TEST_F(PostgresBeyondTest, APreparedTransactionAges) {
  ASSERT_TRUE(server_
                  ->Execute("BEGIN; INSERT INTO bookings VALUES (3, 1);"
                            "PREPARE TRANSACTION 'forgotten'")
                  .ok());
  PostgresTarget target(Yaml(*server_));
  const auto collection = target.Collect();
  EXPECT_EQ(collection.Value("tocsin_postgres_prepared_transactions", kHere), 1);
  EXPECT_GT(collection.Value("tocsin_postgres_prepared_transactions_oldest_seconds", kHere), 0);
  ASSERT_TRUE(server_->Execute("ROLLBACK PREPARED 'forgotten'").ok());
  EXPECT_EQ(target.Collect().Value("tocsin_postgres_prepared_transactions", kHere), 0);
}

TEST_F(PostgresBeyondTest, WraparoundIsToldInDaysAtThePresentRate) {
  PostgresTarget target(Yaml(*server_));
  auto collection = target.Collect();
  const auto before = collection.Value("pg_txid_current");
  ASSERT_TRUE(before.has_value());
  EXPECT_FALSE(collection.Value("tocsin_postgres_wraparound_days_left", kHere).has_value());
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(server_->Execute("SELECT txid_current()").ok());
  target.Advance(std::chrono::hours(1));
  collection = target.Collect();
  const double used = *collection.Value("pg_txid_current") - *before;
  EXPECT_GE(used, 50);
  const double age = *collection.Value("pg_database_wraparound_age_datfrozenxid_seconds", kHere);
  const double left = (2147483648.0 - 3e6 - age) / (used * 24);
  EXPECT_NEAR(*collection.Value("tocsin_postgres_wraparound_days_left", kHere), left, left / 50);
}

TEST_F(PostgresBeyondTest, MultixactsAreToldInDaysToo) {
  constexpr const char* kDays = "tocsin_postgres_multixact_wraparound_days_left";
  PostgresTarget target(Yaml(*server_));
  EXPECT_FALSE(target.Collect().Value(kDays, kHere).has_value());
  auto one = server_->Connect();
  auto other = server_->Connect();
  ASSERT_TRUE(one.ok() && other.ok());
  constexpr int kUsed = 5;
  for (int i = 0; i < kUsed; ++i) {  // Two who share a row's lock take one.
    for (auto* session : {one->get(), other->get()}) {
      ASSERT_TRUE(session->Execute("BEGIN; SELECT FROM bookings WHERE id = 1 FOR SHARE").ok());
    }
    for (auto* session : {one->get(), other->get()}) ASSERT_TRUE(session->Execute("COMMIT").ok());
  }
  target.Advance(std::chrono::hours(1));
  const auto collection = target.Collect();
  const double age = *collection.Value("pg_database_wraparound_age_datminmxid_seconds", kHere);
  EXPECT_GE(age, kUsed);
  const double left = (2147483648.0 - 3e6 - age) / (kUsed * 24);
  const auto days = collection.Value(kDays, kHere);
  ASSERT_TRUE(days.has_value());
  EXPECT_NEAR(*days, left, left / 50);
}

TEST(PostgresSubscriptionTest, OneThatLostItsPublisherShowsIt) {
  auto publisher = PostgresServer::Start({.settings = {{"wal_level", "logical"}}});
  auto subscriber =
      PostgresServer::Start({.settings = {{"wal_retrieve_retry_interval", "'200ms'"}}});
  ASSERT_TRUE(publisher.ok() && subscriber.ok());
  ASSERT_TRUE((*publisher)
                  ->Execute("CREATE TABLE bookings (id int PRIMARY KEY);"
                            "CREATE PUBLICATION all_tables FOR ALL TABLES")
                  .ok());
  ASSERT_TRUE((*subscriber)->Execute("CREATE TABLE bookings (id int PRIMARY KEY)").ok());
  const auto made = (*subscriber)
                        ->Execute("CREATE SUBSCRIPTION copies CONNECTION '" + (*publisher)->Dsn() +
                                  "' PUBLICATION all_tables");
  ASSERT_TRUE(made.ok()) << made.error().message;
  PostgresTarget target(Yaml(**subscriber));
  const LabelMap copies = {{"subname", "copies"}};
  ASSERT_TRUE(WaitUntil([&] {
    const auto collection = target.Collect();
    return collection.Value("tocsin_postgres_subscription_workers", copies) > 0 &&
           collection.Value("tocsin_postgres_subscription_received_lsn_bytes", copies) > 0;
  }));
  EXPECT_TRUE(target.Collect()
                  .Value("tocsin_postgres_subscription_apply_errors_total", copies)
                  .has_value());
  (*publisher)->Stop(PostgresServer::How::kImmediate);
  EXPECT_TRUE(WaitUntil(
      [&] { return target.Collect().Value("tocsin_postgres_subscription_workers", copies) == 0; }));
}

TEST_F(PostgresBeyondTest, ASequenceShowsHowMuchOfItIsUsed) {
  ASSERT_TRUE(server_
                  ->Execute("CREATE SEQUENCE tickets AS int MAXVALUE 1001;"
                            "CREATE SEQUENCE held; SELECT nextval('held');"
                            "CREATE SEQUENCE altered; SELECT nextval('altered');"
                            "CREATE SEQUENCE fresh; SELECT setval('tickets', 901)")
                  .ok());
  auto holder = server_->Connect();
  ASSERT_TRUE(holder.ok());
  ASSERT_TRUE((*holder)->Execute("BEGIN; DROP SEQUENCE held; ALTER SEQUENCE altered CACHE 2").ok());
  PostgresTarget target(Yaml(*server_));
  const auto collection = target.Collect();
  EXPECT_EQ(collection.Value("tocsin_postgres_sequence_used_ratio", {{"sequencename", "tickets"}}),
            0.9);
  for (const char* name : {"held", "altered", "fresh"}) {  // Locked; never asked for a number.
    EXPECT_FALSE(collection.Value("tocsin_postgres_sequence_used_ratio", {{"sequencename", name}})
                     .has_value());
  }
  EXPECT_EQ(collection.Value("pg_exporter_last_scrape_error"), 0) << collection.Notes();
}

TEST_F(PostgresBeyondTest, AFunctionThatHasTheNameOfAnExtensionsIsNotCalled) {
  ASSERT_TRUE(server_
                  ->Execute("CREATE FUNCTION pg_buffercache_summary(OUT buffers_used int,"
                            " OUT buffers_unused int, OUT buffers_dirty int,"
                            " OUT buffers_pinned int, OUT usagecount_avg float)"
                            " LANGUAGE sql AS 'SELECT 1, 2, 3, 4, 5.0::float'")
                  .ok());
  PostgresTarget target(Yaml(*server_, "collectors: { buffercache_summary: on }\n"));
  const auto collection = target.Collect();
  EXPECT_FALSE(collection.Value("pg_buffercache_summary_buffers_used").has_value());
  EXPECT_NE(collection.Notes().find("buffercache_summary: needs PostgreSQL 16"), std::string::npos)
      << collection.Notes();
}

}  // namespace
}  // namespace tocsin::testing
