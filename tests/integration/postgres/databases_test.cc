// The databases of a server: visited in turn on a second connection, shown
// between the visits, ended when they are gone or cannot be visited any more.

#include <csignal>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/integration/postgres/collector_fixture.h"
#include "tests/support/pgbouncer_server.h"

namespace tocsin::testing {
namespace {

constexpr seconds kTableInterval{60};
constexpr int kFirstTenant = 1'000'000;  // Its oid.

class PostgresDatabasesTest : public PostgresServerTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Start({.hba = "host closed all 127.0.0.1/32 reject"}));
    Execute("CREATE TABLE here (id int PRIMARY KEY); INSERT INTO here VALUES (1)");
    Execute("CREATE DATABASE shop");
    Execute(
        "CREATE TABLE bookings (id int PRIMARY KEY, note text);"
        "INSERT INTO bookings SELECT i, 'x' FROM generate_series(1, 100) i; ANALYZE bookings",
        "shop");
  }

  // Statistics reach the others when a session ends, at the latest.
  double Inserted(const std::string& table) {
    const auto rows = server_->Execute(
        "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = '" + table + "'", "shop");
    return rows.ok() && !rows->empty() ? std::stod(rows->at(0).at(0)) : -1;
  }
};

const LabelMap kBookings = {{"datname", "shop"}, {"relname", "bookings"}};
const LabelMap kHere = {{"datname", "postgres"}, {"relname", "here"}};
constexpr const char* kInserted = "pg_stat_user_tables_n_tup_ins";

TEST_F(PostgresDatabasesTest, TablesOfEveryDatabaseAreShown) {
  PostgresTarget target(Yaml(*server_));
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_EQ(collection.Value(kInserted, kHere), 1);
  EXPECT_EQ(collection.Value(kInserted, kBookings), 100);
  EXPECT_TRUE(collection.Value("pg_statio_user_tables_heap_blocks_hit", kBookings).has_value());
  EXPECT_TRUE(collection
                  .Value("pg_general_index_info_pg_relation_size",
                         {{"datname", "shop"}, {"indexrelname", "bookings_pkey"}})
                  .has_value());
  EXPECT_EQ(collection.Value("tocsin_postgres_database_up", {{"datname", "shop"}}), 1);
  EXPECT_EQ(collection.Value("tocsin_postgres_database_up", {{"datname", "postgres"}}), 1);
  EXPECT_FALSE(
      collection.Value("tocsin_postgres_database_up", {{"datname", "template1"}}).has_value());
}

// The owner of a database sets the search path of whoever comes, and the watcher sees more
// than he does.
TEST_F(PostgresDatabasesTest, ItsOwnerCannotHaveHisFunctionsRunInOurName) {
  Execute(
      "CREATE SCHEMA evil; CREATE TABLE evil.calls (what text);"
      "CREATE FUNCTION evil.note(what text) RETURNS text LANGUAGE plpgsql AS"
      " $$BEGIN INSERT INTO evil.calls VALUES (what); RETURN what; END$$;"
      "CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS"
      " $$SELECT evil.note('set_config')$$;"
      "CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE sql AS"
      " $$SELECT evil.note('current_setting')$$;"
      "ALTER DATABASE shop SET search_path = evil, pg_catalog",
      "shop");
  PostgresTarget target(Yaml(*server_));
  ASSERT_TRUE(target.Collect().outcome.ok());
  const auto calls = server_->Execute("SELECT what FROM evil.calls", "shop");
  ASSERT_TRUE(calls.ok()) << calls.error().message;
  EXPECT_TRUE(calls->empty()) << calls->at(0).at(0);
  const auto collection = target.Collect();
  EXPECT_EQ(collection.Value(kInserted, kBookings), 100);
}

// The first subject that looks at the locks of this database sleeps within its query.
TEST_F(PostgresDatabasesTest, ASubjectWhoseBackendHangsWaitsForItAndHoldsUpNoOther) {
  Execute(
      "CREATE TABLE naps (seconds int); INSERT INTO naps VALUES (60);"
      "SET allow_system_table_mods = on; CREATE OR REPLACE VIEW pg_catalog.pg_locks AS SELECT l.*"
      " FROM (SELECT pg_sleep(CASE current_setting('application_name') WHEN 'tocsin databases'"
      "  THEN (SELECT max(seconds) FROM public.naps) ELSE 0 END) IS NULL AS nap OFFSET 0) n,"
      " LATERAL (SELECT * FROM pg_lock_status() WHERE n.nap OR NOT n.nap) l");
  PostgresTarget target(Yaml(*server_));
  std::atomic<pid_t> backend = 0;
  std::thread stopper([&] {
    WaitUntil([&] {
      const auto rows = server_->Execute(
          "SELECT pid FROM pg_stat_activity WHERE application_name = 'tocsin databases'"
          " AND wait_event = 'PgSleep'");
      if (!rows.ok() || rows->empty()) return false;
      backend = std::stoi(rows->at(0).at(0));
      return kill(backend, SIGSTOP) == 0;
    });
  });
  const auto first = target.Collect();
  stopper.join();
  ASSERT_NE(backend, 0);
  EXPECT_EQ(first.Value("tocsin_postgres_hung_backends"), 1) << first.Notes();
  Execute("UPDATE naps SET seconds = 0");

  target.Advance(kTableInterval + seconds(1));
  const auto second = target.Collect();
  EXPECT_NE(second.FailedPart("stat_user_tables").find("still hangs in the server"),
            std::string::npos)
      << second.FailedPart("stat_user_tables");
  EXPECT_EQ(second.Value("tocsin_postgres_hung_backends"), 1);
  EXPECT_TRUE(second.Value("pg_statio_user_tables_heap_blocks_hit", kHere).has_value())
      << second.Notes();
  EXPECT_EQ(second.Value("tocsin_postgres_database_up", {{"datname", "postgres"}}), 1);

  ASSERT_EQ(kill(backend, SIGCONT), 0);
  EXPECT_TRUE(
      WaitUntil([&] { return target.Collect().Value("tocsin_postgres_hung_backends") == 0; }));
  target.Advance(kTableInterval + seconds(1));
  EXPECT_TRUE(target.Collect().Value(kInserted, kHere).has_value());
}

TEST_F(PostgresDatabasesTest, TheVisitorLeavesAndTemplatesStayFree) {
  PostgresTarget target(Yaml(*server_));
  ASSERT_TRUE(target.Collect().outcome.ok());
  EXPECT_TRUE(WaitUntil([&] {
    const auto rows = server_->Execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'tocsin%'");
    return rows.ok() && rows->at(0).at(0) == "1";
  }));
  Execute("CREATE DATABASE copy TEMPLATE template1");  // Nobody is in it.
  Execute("DROP DATABASE shop");
}

TEST_F(PostgresDatabasesTest, BetweenVisitsTheLastRowsAreShownWithTheirAge) {
  PostgresTarget target(Yaml(*server_));
  ASSERT_EQ(target.Collect().Value(kInserted, kBookings), 100);
  Execute("INSERT INTO bookings VALUES (101)", "shop");
  ASSERT_TRUE(WaitUntil([&] { return Inserted("bookings") == 101; }));
  target.Advance(kTableInterval / 2);
  auto collection = target.Collect();
  EXPECT_EQ(collection.Value(kInserted, kBookings), 100);
  const LabelMap tables = {{"collector", "stat_user_tables"}};
  const auto age = collection.Value("tocsin_postgres_collector_age_seconds", tables);
  ASSERT_TRUE(age.has_value());
  EXPECT_GE(*age, 30);
  target.Advance(kTableInterval / 2);
  collection = target.Collect();
  EXPECT_EQ(collection.Value(kInserted, kBookings), 101);
  EXPECT_LT(collection.Value("tocsin_postgres_collector_age_seconds", tables), 30);
}

TEST_F(PostgresDatabasesTest, RowsEndAfterThreeVisitsThatFailed) {
  Execute("CREATE ROLE watcher LOGIN; GRANT pg_monitor TO watcher");
  PostgresTarget watcher("dsn: \"" + server_->Dsn("user=watcher") + "\"\n");
  ASSERT_TRUE(watcher.Collect().Value(kInserted, kBookings).has_value());
  // Nobody may call what the statistics come from: every run in this database fails.
  Execute("REVOKE EXECUTE ON FUNCTION pg_stat_get_numscans(oid) FROM PUBLIC", "shop");
  for (int missed = 1; missed <= 3; ++missed) {
    watcher.Advance(kTableInterval);
    const auto collection = watcher.Collect();
    EXPECT_EQ(collection.Value(kInserted, kBookings).has_value(), missed < 3) << missed;
    EXPECT_TRUE(collection.Value(kInserted, kHere).has_value());
    EXPECT_EQ(collection.Value("pg_scrape_collector_success", {{"collector", "stat_user_tables"}}),
              0);
    EXPECT_EQ(collection.Value("pg_exporter_last_scrape_error"), 1);
    EXPECT_NE(
        collection.FailedPart("stat_user_tables").find("database \"shop\": permission denied"),
        std::string::npos)
        << collection.FailedPart("stat_user_tables");
  }
  Execute("GRANT EXECUTE ON FUNCTION pg_stat_get_numscans(oid) TO PUBLIC", "shop");
  watcher.Advance(kTableInterval);
  EXPECT_TRUE(watcher.Collect().Value(kInserted, kBookings).has_value());
}

TEST_F(PostgresDatabasesTest, ADroppedDatabaseIsForgottenAtOnce) {
  PostgresTarget target(Yaml(*server_));
  ASSERT_TRUE(target.Collect().Value(kInserted, kBookings).has_value());
  Execute("DROP DATABASE shop WITH (FORCE)");
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_FALSE(collection.Value(kInserted, kBookings).has_value());
  EXPECT_FALSE(collection.Value("tocsin_postgres_database_up", {{"datname", "shop"}}).has_value());
}

TEST_F(PostgresDatabasesTest, ADatabaseThatRefusesIsSaidAndCostsOnlyItself) {
  Execute("CREATE DATABASE closed");
  PostgresTarget target(Yaml(*server_));
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_EQ(collection.Value("tocsin_postgres_database_up", {{"datname", "closed"}}), 0);
  EXPECT_NE(collection.Notes().find("database \"closed\": "), std::string::npos);
  EXPECT_EQ(collection.Value("pg_exporter_last_scrape_error"), 0) << collection.Notes();
  EXPECT_EQ(collection.Value(kInserted, kBookings), 100);
}

TEST_F(PostgresDatabasesTest, ADatabaseThatIsLockedIsNotVisited) {
  PostgresTarget target(Yaml(*server_));
  auto changer = server_->Connect();
  ASSERT_TRUE(changer.ok());
  ASSERT_TRUE((*changer)->Execute("BEGIN; ALTER DATABASE shop RENAME TO store").ok());
  auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_LT(collection.took, seconds(2));
  EXPECT_NE(collection.Notes().find("database \"shop\": not visited while it is locked"),
            std::string::npos)
      << collection.Notes();
  const auto waiting = server_->Execute("SELECT count(*) FROM pg_locks WHERE NOT granted");
  ASSERT_TRUE(waiting.ok());
  EXPECT_EQ(waiting->at(0).at(0), "0");
  ASSERT_TRUE((*changer)->Execute("ROLLBACK").ok());
  collection = target.Collect();
  EXPECT_EQ(collection.Value(kInserted, kBookings), 100);
  EXPECT_EQ(collection.Notes().find("locked"), std::string::npos) << collection.Notes();
}

TEST_F(PostgresDatabasesTest, ADatabaseThatRefusesWaitsTwiceAsLongEachTime) {
  Execute("CREATE ROLE watcher LOGIN; GRANT pg_monitor TO watcher");
  const LabelMap shop = {{"datname", "shop"}};
  for (const bool reconnects : {false, true}) {
    Execute("ALTER DATABASE shop CONNECTION LIMIT 0");  // Not for superusers.
    PostgresTarget watcher("dsn: \"" + server_->Dsn("user=watcher") + "\"\n");
    EXPECT_EQ(watcher.Collect().Value("tocsin_postgres_database_up", shop), 0);
    watcher.Advance(kTableInterval);
    EXPECT_EQ(watcher.Collect().Value("tocsin_postgres_database_up", shop), 0);
    Execute("ALTER DATABASE shop CONNECTION LIMIT -1");
    if (reconnects) {
      Execute(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'watcher' AND"
          " application_name = 'tocsin'");
    }
    watcher.Advance(kTableInterval);
    EXPECT_EQ(watcher.Collect().Value("tocsin_postgres_database_up", shop), reconnects ? 1 : 0);
    watcher.Advance(kTableInterval);
    EXPECT_EQ(watcher.Collect().Value("tocsin_postgres_database_up", shop), 1);
  }
}

TEST_F(PostgresDatabasesTest, WithoutRoomForAVisitorTheTablesAreMissedForAMinuteAtMost) {
  Execute("CREATE ROLE watcher LOGIN CONNECTION LIMIT 1; GRANT pg_monitor TO watcher");
  PostgresTarget watcher("dsn: \"" + server_->Dsn("user=watcher") + "\"\n");
  const LabelMap own = {{"datname", "postgres"}};
  const LabelMap tables = {{"collector", "stat_user_tables"}};
  for (int minute = 0; minute < 4; ++minute) {
    const auto collection = watcher.Collect();
    ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
    EXPECT_EQ(collection.Value("tocsin_postgres_database_up", own), 0);
    EXPECT_EQ(collection.Value("pg_scrape_collector_success", tables), 0);
    EXPECT_NE(collection.Notes().find("too many connections"), std::string::npos);
    watcher.Advance(kTableInterval);
  }
  Execute("ALTER ROLE watcher CONNECTION LIMIT 2");
  const auto collection = watcher.Collect();
  EXPECT_EQ(collection.Value("tocsin_postgres_database_up", own), 1);
  EXPECT_EQ(collection.Value(kInserted, kHere), 1);
}

TEST_F(PostgresDatabasesTest, ItsOwnMayHaveAnotherNameAtAPooler) {
  auto pooler = PgbouncerServer::Start(
      {.databases = {{"alias", "host=127.0.0.1 port=" + std::to_string(server_->port()) +
                                   " dbname=shop user=postgres"}},
       .users = {{"watcher", "watching"}}});
  ASSERT_TRUE(pooler.ok()) << pooler.error().message;
  PostgresTarget target("dsn: host=127.0.0.1 dbname=alias user=watcher port=" +
                        std::to_string((*pooler)->port()) + "\npassword: watching\n");
  ASSERT_EQ(target.errors(), "");
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_EQ(collection.Value(kInserted, kBookings), 100) << collection.Notes();
}

TEST_F(PostgresDatabasesTest, OnlyDatabasesThatAreShownAndMayBeEnteredAreVisited) {
  Execute("CREATE DATABASE private");
  Execute("REVOKE CONNECT ON DATABASE private FROM PUBLIC");
  Execute("CREATE DATABASE closed");
  Execute("CREATE ROLE watcher LOGIN; GRANT pg_monitor TO watcher");
  PostgresTarget target("dsn: \"" + server_->Dsn("user=watcher") +
                        "\"\ndatabases: { exclude: [closed] }\n");
  const auto collection = target.Collect();
  EXPECT_EQ(collection.Value(kInserted, kBookings), 100);
  for (const char* name : {"private", "closed", "template0"}) {
    EXPECT_FALSE(collection.Value("tocsin_postgres_database_up", {{"datname", name}}).has_value())
        << name;
  }
}

TEST_F(PostgresDatabasesTest, ManyDatabasesHaveTheirTurnOverSeveralCollections) {
  constexpr int kMany = 20;
  constexpr int kAll = kMany + 2;  // With postgres and shop.
  for (int i = 0; i < kMany; ++i) Execute("CREATE DATABASE d" + std::to_string(i));
  PostgresTarget target(Yaml(*server_));
  double up = 0;
  int collections = 0;
  while (up < kAll && collections < 20) {
    const auto collection = target.Collect();
    ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
    EXPECT_LT(collection.took, seconds(4));
    up = collection.Sum("tocsin_postgres_database_up");
    ++collections;
  }
  EXPECT_EQ(up, kAll);
}

// Tenants, made fast: all have the files of template0, which nobody changes.
void MakeTenants(PostgresServer& server, int count) {
  const auto oid = server.Execute("SELECT oid FROM pg_database WHERE datname = 'template0'");
  ASSERT_TRUE(oid.ok()) << oid.error().message;
  const std::filesystem::path base = std::filesystem::path(server.data_folder()) / "base";
  for (int i = 0; i < count; ++i) {
    std::filesystem::create_directory_symlink(oid->at(0).at(0),
                                              base / std::to_string(kFirstTenant + i));
  }
  const auto made = server.Execute(
      "SET allow_system_table_mods = on; INSERT INTO pg_database SELECT (tenant).* FROM"
      " (SELECT jsonb_populate_record(d, jsonb_build_object('oid', " +
      std::to_string(kFirstTenant) +
      " + i, 'datname', 'tenant' || i, 'datallowconn', true, 'datistemplate', false)) AS tenant"
      " FROM pg_database d, generate_series(0, " +
      std::to_string(count - 1) + ") i WHERE datname = 'template0') made");
  ASSERT_TRUE(made.ok()) << made.error().message;
}

TEST_F(PostgresDatabasesTest, OfAThousandEachHasItsTurnAndNoPollIsLate) {
  constexpr int kTenants = 1000;
  constexpr int kDefaultLimit = 100;
  ASSERT_NO_FATAL_FAILURE(MakeTenants(*server_, kTenants));
  PostgresTarget some(Yaml(*server_));
  const auto limited = some.Collect();
  ASSERT_TRUE(limited.outcome.ok()) << limited.outcome.error().message;
  const int all_databases = kTenants + 4;  // With postgres, shop and two templates.
  EXPECT_EQ(limited.Value("tocsin_postgres_databases_left_out"), all_databases - kDefaultLimit);
  EXPECT_EQ(limited.Count("pg_database_connection_limit"), kDefaultLimit);

  PostgresTarget all(Yaml(*server_, "databases: { limit: 2000 }\n"));
  constexpr int kPolls = 5;
  int visited = 0;
  for (int poll = 0; poll < kPolls; ++poll) {
    // Within its five seconds, but for the first, which reads all sizes.
    const auto collection = all.Collect(seconds(poll == 0 ? 10 : 5));
    ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
    EXPECT_EQ(collection.Value("tocsin_postgres_databases_left_out"), 0);
    EXPECT_EQ(collection.Count("pg_database_connection_limit"), all_databases);
    const int before = std::exchange(visited, collection.Count("tocsin_postgres_database_up"));
    EXPECT_GT(visited, before) << "others had their second turn first";
    EXPECT_EQ(collection.Sum("tocsin_postgres_database_up"), visited);
    all.Advance(seconds(15));
  }
}

TEST_F(PostgresDatabasesTest, TablesLockedOrAboutToBeInAnotherDatabaseDoNotHoldUsUp) {
  auto reader = server_->Connect("dbname=shop");
  auto changer = server_->Connect("dbname=shop");
  ASSERT_TRUE(reader.ok() && changer.ok());
  ASSERT_TRUE((*reader)->Execute("BEGIN; SELECT count(*) FROM bookings").ok());
  ASSERT_TRUE((*changer)->Send("ALTER TABLE bookings ADD COLUMN more int").ok());
  ASSERT_TRUE(WaitUntil([&] {
    const auto rows = server_->Execute("SELECT count(*) FROM pg_locks WHERE NOT granted");
    return rows.ok() && rows->at(0).at(0) == "1";
  }));
  PostgresTarget target(Yaml(*server_));
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_LT(collection.took, seconds(2));
  EXPECT_EQ(collection.Value(kInserted, kBookings), 100);
  // A page of its own and one of its TOAST table's index.
  EXPECT_EQ(collection.Value("pg_stat_user_tables_table_size_bytes", kBookings), 2 * 8192);
  EXPECT_EQ(collection.Value("pg_exporter_last_scrape_error"), 0) << collection.Notes();
  ASSERT_TRUE((*reader)->Execute("COMMIT").ok());
  ASSERT_TRUE((*changer)->Receive().ok());
}

}  // namespace
}  // namespace tocsin::testing
