// A server that another one stands in for: a standby is promoted, or the next server of
// the target's list is taken.

#include <csignal>

#include "tests/integration/postgres/collector_fixture.h"

namespace tocsin::testing {
namespace {

constexpr const char* kIsReplica = "pg_replication_is_replica";

class PostgresFailoverTest : public ::testing::Test {
 protected:
  static std::unique_ptr<PostgresServer> Server(PostgresServerOptions options = {}) {
    auto started = PostgresServer::Start(std::move(options));
    EXPECT_TRUE(started.ok()) << started.error().message;
    return started.ok() ? *std::move(started) : nullptr;
  }

  static void Execute(PostgresServer& server, const std::string& sql,
                      const std::string& database = "postgres") {
    const auto done = server.Execute(sql, database);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }

  // A target of both, the first of which is asked first.
  static std::string Both(const PostgresServer& first, const PostgresServer& second,
                          const std::string& more = {}) {
    return "dsn: \"host=127.0.0.1,127.0.0.1 port=" + std::to_string(first.port()) + "," +
           std::to_string(second.port()) + " user=postgres dbname=postgres " + more + "\"\n";
  }

  static void ExpectSuccess(const Collection& collection) {
    ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
    EXPECT_EQ(collection.Value("pg_exporter_last_scrape_error"), 0) << collection.Notes();
  }
};

class PostgresStandbyTest : public PostgresFailoverTest {
 protected:
  void SetUp() override {
    primary_ = Server();
    ASSERT_NE(primary_, nullptr);
    Execute(*primary_, "CREATE DATABASE shop");
    Execute(*primary_, "CREATE TABLE bookings (id int PRIMARY KEY)", "shop");
    primary_->Stop();
    standby_ = Server({.settings = {{"wal_retrieve_retry_interval", "'200ms'"}},
                       .cluster = primary_->data_folder(),
                       .standby_of = primary_->Dsn()});
    ASSERT_NE(standby_, nullptr);
    ASSERT_TRUE(primary_->StartAgain().ok());
    ASSERT_TRUE(WaitUntil([&] {
      const auto rows = standby_->Execute("SELECT count(*) FROM pg_stat_wal_receiver");
      return rows.ok() && rows->at(0).at(0) == "1";
    }));
  }

  std::unique_ptr<PostgresServer> primary_;
  std::unique_ptr<PostgresServer> standby_;
};

TEST_F(PostgresStandbyTest, PromotedItIsAPrimaryAtTheNextPollOfTheSameConnection) {
  PostgresTarget target(Yaml(*standby_));
  auto collection = target.Collect();
  ExpectSuccess(collection);
  EXPECT_EQ(collection.Value(kIsReplica), 1);

  primary_->Stop(PostgresServer::How::kImmediate);
  Execute(*standby_, "SELECT pg_promote()");
  const std::string our_pid = "SELECT pid FROM pg_stat_activity WHERE application_name = 'tocsin'";
  const auto before = standby_->Execute(our_pid);
  target.Advance(seconds(60));
  collection = target.Collect();
  ExpectSuccess(collection);
  EXPECT_EQ(collection.Value(kIsReplica), 0);
  EXPECT_EQ(collection.Value("pg_replication_lag_seconds"), 0);
  EXPECT_EQ(*standby_->Execute(our_pid), *before) << "the connection is kept";
}

// A link that hangs, as the standby sees it: the status stays and nothing comes. Its receiver
// is stopped, and not the primary's sender, so that it does not notice and end itself.
TEST_F(PostgresStandbyTest, AReplicaThatHearsNothingFallsBehindThoughItsStatusSaysStreaming) {
  Execute(*standby_, "ALTER SYSTEM SET wal_receiver_timeout = '2s'");
  Execute(*standby_, "SELECT pg_reload_conf()");
  Execute(*primary_, "INSERT INTO bookings VALUES (1)", "shop");
  PostgresTarget target(Yaml(*standby_));
  constexpr const char* kLag = "tocsin_postgres_replication_lag_seconds";
  constexpr const char* kReceiving = "tocsin_postgres_replication_receiving";
  ASSERT_TRUE(WaitUntil([&] {
    const auto replayed = standby_->Execute(
        "SELECT pg_last_xact_replay_timestamp() IS NOT NULL AND"
        " current_setting('wal_receiver_timeout') = '2s'");
    const auto collection = target.Collect();
    return replayed->at(0).at(0) == "t" && collection.Value(kReceiving) == 1 &&
           collection.Value(kLag) == 0;
  }));

  const auto receiver = standby_->Execute("SELECT pid FROM pg_stat_wal_receiver");
  ASSERT_EQ(receiver->size(), 1u);
  const pid_t pid = std::stoi(receiver->at(0).at(0));
  ASSERT_EQ(kill(pid, SIGSTOP), 0);
  EXPECT_TRUE(WaitUntil([&] { return target.Collect().Value(kReceiving) == 0; }));
  const auto lag = target.Collect().Value(kLag);
  EXPECT_GT(lag, 1.5);
  EXPECT_TRUE(WaitUntil([&] { return target.Collect().Value(kLag) > *lag + 0.2; }));
  EXPECT_EQ(target.Collect().Value("pg_stat_wal_receiver_received_tli", {{"status", "streaming"}}),
            1);
  EXPECT_EQ(target.Collect().Value("pg_replication_lag_seconds"), 0) << "as the exporter's";
  ASSERT_EQ(kill(pid, SIGCONT), 0);
  EXPECT_TRUE(WaitUntil([&] {
    const auto collection = target.Collect();
    return collection.Value(kReceiving) == 1 && collection.Value(kLag) == 0;
  }));
}

TEST_F(PostgresStandbyTest, AListOfServersIsFollowedToTheOneThatIsWritten) {
  PostgresTarget target(Both(*primary_, *standby_, "target_session_attrs=read-write"));
  auto collection = target.Collect();
  ExpectSuccess(collection);
  EXPECT_EQ(collection.Value("tocsin_postgres_database_up", {{"datname", "shop"}}), 1);

  primary_->Stop(PostgresServer::How::kImmediate);
  target.Advance(seconds(60));
  EXPECT_FALSE(target.Collect().outcome.ok()) << "nobody is written to";
  Execute(*standby_, "SELECT pg_promote()");
  collection = target.Collect();
  ExpectSuccess(collection);
  EXPECT_EQ(collection.Value(kIsReplica), 0);
  EXPECT_EQ(collection.Value("tocsin_postgres_database_up", {{"datname", "shop"}}), 1);
}

// The visitor of the other databases goes to the server of the kept connection, though
// the list begins with another that is up again and looks the same.
TEST_F(PostgresFailoverTest, AllNumbersAreOfOneServer) {
  const auto first = Server();
  const auto second = Server();
  ASSERT_TRUE(first && second);
  for (PostgresServer* server : {first.get(), second.get()}) {
    Execute(*server, "CREATE DATABASE shop");
    const std::string name = server == first.get() ? "of_the_first" : "of_the_second";
    Execute(*server, "CREATE TABLE " + name + " (id int PRIMARY KEY)", "shop");
  }
  const LabelMap of_the_second = {{"datname", "shop"}, {"relname", "of_the_second"}};
  const LabelMap of_the_first = {{"datname", "shop"}, {"relname", "of_the_first"}};
  constexpr const char* kLive = "pg_stat_user_tables_n_live_tup";
  PostgresTarget target(Both(*first, *second));
  first->Stop();
  EXPECT_TRUE(target.Collect().Value(kLive, of_the_second).has_value());

  ASSERT_TRUE(first->StartAgain().ok());
  target.Advance(seconds(60));
  auto collection = target.Collect();
  ExpectSuccess(collection);
  EXPECT_TRUE(collection.Value(kLive, of_the_second).has_value());
  EXPECT_FALSE(collection.Value(kLive, of_the_first).has_value());

  second->Stop();
  target.Advance(seconds(60));
  collection = target.Collect();
  ExpectSuccess(collection);
  EXPECT_TRUE(collection.Value(kLive, of_the_first).has_value());
  EXPECT_FALSE(collection.Value(kLive, of_the_second).has_value());
}

}  // namespace
}  // namespace tocsin::testing
