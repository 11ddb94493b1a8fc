// Databases beyond the limit, or that the user's filter leaves out: which they are, and that
// what they count and whom they let in stays visible.

#include "tests/integration/postgres/collector_fixture.h"

namespace tocsin::testing {
namespace {

constexpr const char* kOne = "databases: { limit: 1 }\n";

class PostgresLeftOutTest : public PostgresServerTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(
        Start({.settings = {{"shared_preload_libraries", "'pg_stat_statements'"}}}));
    Execute("CREATE EXTENSION pg_stat_statements");
    Execute("CREATE DATABASE shop");
    Execute("CREATE TABLE bookings (id int)", "shop");
  }

  // Statistics reach the others when a session ends, at the latest.
  bool HasInserted(int rows) {
    return WaitUntil([&] {
      const auto now = server_->Execute(
          "SELECT coalesce(sum(tup_inserted), 0) FROM pg_stat_database WHERE datname = 'shop'");
      return now.ok() && std::stod(now->at(0).at(0)) >= rows;
    });
  }
};

TEST_F(PostgresLeftOutTest, TheTargetsOwnIsShownFirstAndTemplatesLast) {
  const auto shown = [&](int limit) {
    PostgresTarget target("dsn: \"" + server_->Dsn("dbname=shop") +
                          "\"\ndatabases: { limit: " + std::to_string(limit) + " }\n");
    const auto collection = target.Collect();
    EXPECT_EQ(collection.Value("tocsin_postgres_databases_left_out"), 4 - limit);
    std::string names;
    for (const char* name : {"postgres", "shop", "template0", "template1"}) {
      if (collection.Value("pg_database_connection_limit", {{"datname", name}}).has_value()) {
        names += std::string(names.empty() ? "" : " ") + name;
      }
    }
    return names;
  };
  EXPECT_EQ(shown(1), "shop");
  EXPECT_EQ(shown(2), "postgres shop");
  EXPECT_EQ(shown(3), "postgres shop template1");
}

TEST_F(PostgresLeftOutTest, ConnectionsToOthersAreCountedUnderNobodysName) {
  const auto client = server_->Connect("dbname=shop");
  const auto here = server_->Connect();
  ASSERT_TRUE(client.ok() && here.ok());
  ASSERT_TRUE((*client)->Execute("SELECT 1").ok());
  ASSERT_TRUE((*here)->Execute("SELECT 1").ok());
  constexpr const char* kOthers = "tocsin_postgres_other_connections";
  for (const char* left_out : {kOne, "databases: { exclude: [shop] }\n"}) {
    PostgresTarget target(Yaml(*server_, left_out));
    const auto collection = target.Collect();
    EXPECT_EQ(collection.Value(kOthers, {{"state", "idle"}, {"backend_type", "client backend"}}),
              1);
    EXPECT_EQ(collection.Sum("pg_stat_activity_count", {{"state", "idle"}}), 1);
    EXPECT_EQ(collection.Sum("pg_stat_activity_count", {{"datname", "shop"}}), 0);
  }
  PostgresTarget old(Yaml(*server_, std::string(kOne) + "names: \"0.11\"\n"));
  EXPECT_EQ(old.Collect().Value(kOthers, {{"state", "idle"}}), 1);
  EXPECT_FALSE(PostgresTarget(Yaml(*server_)).Collect().Names().contains(kOthers));
}

TEST_F(PostgresLeftOutTest, WhatOthersCountIsASumThatNeverFalls) {
  constexpr const char* kInserted = "tocsin_postgres_other_databases_tup_inserted_total";
  ASSERT_NO_FATAL_FAILURE(Execute("INSERT INTO bookings SELECT generate_series(1, 50)", "shop"));
  ASSERT_TRUE(HasInserted(50));
  PostgresTarget target(Yaml(*server_, kOne));
  auto collection = target.Collect();
  EXPECT_EQ(collection.Value(kInserted), 0);  // From here on.
  EXPECT_EQ(collection.Value("tocsin_postgres_other_databases_conflicts_confl_lock_total"), 0);
  EXPECT_FALSE(collection.Names().contains("tocsin_postgres_other_databases_stats_reset_total"));

  ASSERT_NO_FATAL_FAILURE(Execute("INSERT INTO bookings SELECT generate_series(1, 7)", "shop"));
  ASSERT_TRUE(HasInserted(57));
  EXPECT_EQ(target.Collect().Value(kInserted), 7);
  Execute("DROP DATABASE shop");
  collection = target.Collect();
  EXPECT_EQ(collection.Value(kInserted), 7);
  EXPECT_FALSE(
      collection.Value("pg_stat_database_tup_inserted", {{"datname", "shop"}}).has_value());
}

TEST_F(PostgresLeftOutTest, StatementsOfOthersAreAmongTheOtherStatements) {
  PostgresTarget target(Yaml(*server_, kOne));
  target.Collect();
  for (int i = 0; i < 5; ++i) Execute("SELECT count(*) FROM bookings", "shop");
  const auto collection = target.Collect();
  EXPECT_GE(collection.Value("tocsin_postgres_statements_left_out"), 1);
  EXPECT_GE(collection.Value("tocsin_postgres_other_statements_calls_total"), 5);
  EXPECT_EQ(collection.Sum("pg_stat_statements_calls_total", {{"datname", "shop"}}), 0);
}

TEST_F(PostgresLeftOutTest, TheLimitHoldsForOldNamesToo) {
  PostgresTarget old(Yaml(*server_, std::string(kOne) + "names: \"0.11\"\n"));
  const auto collection = old.Collect();
  for (const char* name : {"postgres", ""}) {  // And the row of the shared objects.
    EXPECT_TRUE(collection.Value("pg_stat_database_xact_commit", {{"datname", name}}).has_value())
        << name;
  }
  EXPECT_EQ(collection.Count("pg_stat_database_xact_commit"), 2);
}

}  // namespace
}  // namespace tocsin::testing
