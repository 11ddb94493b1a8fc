// Durations of statements from a real server's own log.

#include "tests/integration/postgres/collector_fixture.h"

namespace tocsin::testing {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kCount = "pg_query_duration_seconds_count";
constexpr std::string_view kSum = "pg_query_duration_seconds_sum";
const LabelMap kApp = {{"user", "app"}, {"datname", "postgres"}, {"source", "log"}};

std::unique_ptr<PostgresServer> StartServer(Settings settings) {
  settings.emplace_back("logging_collector", "on");
  auto server = PostgresServer::Start({.settings = std::move(settings)});
  EXPECT_TRUE(server.ok()) << server.error().message;
  if (!server.ok()) return nullptr;
  EXPECT_TRUE((*server)->Execute("CREATE ROLE app LOGIN").ok());
  return *std::move(server);
}

// Waits for the collector process to have written what was run.
::testing::AssertionResult CountBecomes(PostgresTarget& target, double count, Collection& last) {
  const bool ok = WaitUntil([&] {
    last = target.Collect();
    return last.outcome.ok() && last.Sum(kCount, kApp) >= count;
  });
  if (ok && last.Sum(kCount, kApp) == count) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "count " << last.Sum(kCount, kApp) << ", wanted " << count << "\n"
         << last.Notes();
}

class QueryLogFormatTest : public ::testing::TestWithParam<Settings> {};

TEST_P(QueryLogFormatTest, EveryStatementIsCountedOnce) {
  const auto server = StartServer(GetParam());
  PostgresTarget target(Yaml(*server));
  Collection last = target.Collect();  // Reads from here on.
  EXPECT_EQ(last.Notes().find("query durations"), std::string::npos) << last.Notes();
  EXPECT_EQ(last.Value("tocsin_postgres_log_complete"), 1);

  auto app = server->Connect("user=app");
  ASSERT_TRUE(app.ok());
  ASSERT_TRUE((*app)->Execute("SELECT 1").ok());
  ASSERT_TRUE((*app)->Execute("SELECT pg_sleep(0.2)\n,\n'several\nlines'").ok());
  ASSERT_TRUE((*app)->ExecuteParameters("SELECT $1::text", {"it's \"quoted\", and\nlong"}).ok());
  ASSERT_FALSE((*app)->Execute("SELECT 1 / 0").ok());
  ASSERT_TRUE((*app)->Execute("SELECT 2").ok());
  // The one that fails is no observation, and neither are ours.
  ASSERT_TRUE(CountBecomes(target, 4, last));
  EXPECT_GT(last.Sum(kSum, kApp), 0.2);
  EXPECT_LT(last.Sum(kSum, kApp), 2);
  EXPECT_EQ(last.Value("tocsin_postgres_log_lag_bytes"), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Formats, QueryLogFormatTest,
    ::testing::Values(Settings{{"log_min_duration_statement", "0"}},
                      Settings{{"log_min_duration_statement", "0"},
                               {"log_line_prefix", "'%t:%c:user=%u,db=%d,app=%a '"}},
                      Settings{{"log_min_duration_statement", "0"}, {"log_statement", "all"}},
                      Settings{{"log_duration", "on"}, {"log_statement", "all"}},
                      Settings{{"log_min_duration_statement", "0"}, {"log_destination", "csvlog"}},
                      Settings{{"log_min_duration_statement", "0"},
                               {"log_destination", "'stderr,jsonlog'"}}));

TEST(QueryLogTest, OurVisitsOfOtherDatabasesAreNotCounted) {
  const auto server = StartServer({{"log_min_duration_statement", "0"}});
  ASSERT_TRUE(server->Execute("CREATE DATABASE shop").ok());
  PostgresTarget target(Yaml(*server));
  ASSERT_TRUE(target.Collect().outcome.ok());  // Reads from here on.
  target.Advance(seconds(60));
  ASSERT_EQ(target.Collect().Value("tocsin_postgres_database_up", {{"datname", "shop"}}), 1);
  // A line after those of the visit.
  auto app = server->Connect("user=app dbname=shop");
  ASSERT_TRUE(app.ok());
  ASSERT_TRUE((*app)->Execute("SELECT 1").ok());
  Collection last;
  ASSERT_TRUE(WaitUntil([&] {
    last = target.Collect();
    return last.Sum(kCount, {{"user", "app"}, {"datname", "shop"}}) == 1;
  }));
  EXPECT_EQ(last.Sum(kCount, {{"datname", "shop"}}), 1);
}

TEST(QueryLogTest, ASlowLogIsNotUsedAndTheRemedyIsTold) {
  const auto server = StartServer({{"log_min_duration_statement", "1000"}});
  PostgresTarget target(Yaml(*server));
  auto collection = target.Collect();
  EXPECT_FALSE(collection.Names().contains(std::string(kCount)));
  EXPECT_EQ(collection.Value("tocsin_postgres_log_complete"), 0);
  EXPECT_NE(collection.Notes().find("log_min_duration_statement = 1s logs slow statements only: "
                                    "set log_min_duration_statement = 0"),
            std::string::npos)
      << collection.Notes();

  // Turned on, the series come; turned off again, they end.
  ASSERT_TRUE(server->Execute("ALTER SYSTEM SET log_min_duration_statement = 0").ok());
  ASSERT_TRUE(server->Execute("SELECT pg_reload_conf()").ok());
  ASSERT_TRUE(WaitUntil([&] {
    collection = target.Collect();
    return collection.Value("tocsin_postgres_log_complete") == 1;
  })) << collection.Notes();
  ASSERT_TRUE((*server->Connect("user=app"))->Execute("SELECT 1").ok());
  ASSERT_TRUE(CountBecomes(target, 1, collection));
  ASSERT_TRUE(server->Execute("ALTER SYSTEM SET log_min_duration_statement = 250").ok());
  ASSERT_TRUE(server->Execute("SELECT pg_reload_conf()").ok());
  ASSERT_TRUE(WaitUntil([&] {
    collection = target.Collect();
    return !collection.Names().contains(std::string(kCount));
  }));
}

TEST(QueryLogTest, ARoleWithItsOwnSettingMakesTheLogIncomplete) {
  const auto server = StartServer({{"log_min_duration_statement", "0"}});
  ASSERT_TRUE(server->Execute("ALTER ROLE app SET log_min_duration_statement = 500").ok());
  PostgresTarget target(Yaml(*server));
  const auto collection = target.Collect();
  EXPECT_NE(collection.Notes().find("role \"app\" sets log_min_duration_statement = 500"),
            std::string::npos)
      << collection.Notes();
  EXPECT_EQ(collection.Value("tocsin_postgres_log_complete"), 0);
}

TEST(QueryLogTest, ARotationLosesNothing) {
  const auto server = StartServer(
      {{"log_min_duration_statement", "0"}, {"log_filename", "'log-%Y%m%d-%H%M%S.log'"}});
  PostgresTarget target(Yaml(*server));
  Collection last = target.Collect();
  auto app = server->Connect("user=app");
  ASSERT_TRUE((*app)->Execute("SELECT 1").ok());
  const auto name = [&] { return server->Execute("SELECT pg_current_logfile()")->at(0).at(0); };
  const std::string before = name();
  // The name changes with the second.
  ASSERT_TRUE(WaitUntil(
      [&] { return server->Execute("SELECT pg_rotate_logfile()").ok() && name() != before; }));
  ASSERT_TRUE((*app)->Execute("SELECT 2").ok());
  ASSERT_TRUE(CountBecomes(target, 2, last));
}

// A lock on the catalogue of settings lets the question time out.
TEST(QueryLogTest, WhatIsWrittenWhileTheServerTellsNoSettingsIsCountedLater) {
  const auto server = StartServer({{"log_min_duration_statement", "0"}});
  PostgresTarget target(Yaml(*server));
  Collection last = target.Collect();
  auto app = server->Connect("user=app");
  auto admin = server->Connect();
  ASSERT_TRUE((*app)->Execute("SELECT 1").ok());
  ASSERT_TRUE(CountBecomes(target, 1, last));
  ASSERT_TRUE(
      (*admin)->Execute("BEGIN; LOCK TABLE pg_db_role_setting IN ACCESS EXCLUSIVE MODE").ok());
  ASSERT_TRUE((*app)->Execute("SELECT 2").ok());
  last = target.Collect();
  ASSERT_TRUE(last.outcome.ok()) << last.outcome.error().message;
  EXPECT_EQ(last.Value("tocsin_postgres_log_complete"), 0);
  EXPECT_FALSE(last.Names().contains(std::string(kCount)));
  EXPECT_EQ(last.FailedPart("query_log"), "canceling statement due to lock timeout");
  ASSERT_TRUE((*app)->Execute("SELECT 3").ok());
  ASSERT_TRUE((*admin)->Execute("ROLLBACK").ok());
  ASSERT_TRUE(CountBecomes(target, 3, last));
}

TEST(QueryLogTest, APrefixWithoutUserAndDatabaseIsExplained) {
  const auto server =
      StartServer({{"log_min_duration_statement", "0"}, {"log_line_prefix", "'%m [%p] '"}});
  PostgresTarget target(Yaml(*server));
  EXPECT_NE(target.Collect().Notes().find("lacks the user (%u), the database (%d): set "
                                          "log_line_prefix"),
            std::string::npos);
}

TEST(QueryLogTest, APlainRoleIsToldWhatToGrant) {
  const auto server = StartServer({{"log_min_duration_statement", "0"}});
  PostgresTarget target("dsn: \"" + server->Dsn("user=app") + "\"\n");
  EXPECT_NE(target.Collect().Notes().find("grant pg_monitor"), std::string::npos)
      << target.Collect().Notes();
  ASSERT_TRUE(server->Execute("GRANT pg_monitor TO app").ok());
  const auto granted = target.Collect();
  EXPECT_EQ(granted.Value("tocsin_postgres_log_complete"), 1) << granted.Notes();
}

TEST(QueryLogTest, OffMeansNeitherSeriesNorNote) {
  const auto server = StartServer({{"log_min_duration_statement", "0"}});
  PostgresTarget target(Yaml(*server, "log: { path: off }\n"));
  const auto collection = target.Collect();
  EXPECT_FALSE(collection.Names().contains("tocsin_postgres_log_complete"));
  EXPECT_EQ(collection.Notes().find("query durations"), std::string::npos);
}

}  // namespace
}  // namespace tocsin::testing
