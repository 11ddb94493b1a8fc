// What our own backends in the server remember of thousands of tables, how many there are of
// them, and what is left of one that does not come to the end of its tables.

#include <fmt/format.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/integration/postgres/collector_fixture.h"

namespace tocsin::testing {
namespace {

constexpr seconds kTableInterval{60};
constexpr const char* kInserted = "pg_stat_user_tables_n_tup_ins";
constexpr const char* kOthers = "tocsin_postgres_other_tables_n_tup_ins_total";

// What only that process has in memory; -1 if it is gone.
double MegabytesOf(const std::string& pid) {
  std::ifstream map(fmt::format("/proc/{}/smaps_rollup", pid));
  for (std::string word; map >> word;) {
    if (double kilobytes = 0; word == "Anonymous:" && map >> kilobytes) return kilobytes / 1000;
  }
  return -1;
}

// Looks at the visitor as long as it lives: the largest of its backends, and how many there
// were at the same time.
class VisitorWatch {
 public:
  explicit VisitorWatch(PostgresServer& server) {
    auto session = server.Connect();
    EXPECT_TRUE(session.ok());
    thread_ = std::thread([this, session = *std::move(session)] {
      while (!ended_) Look(*session);
    });
  }
  ~VisitorWatch() { End(); }

  void End() {
    ended_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // Once it has ended.
  double megabytes() const { return megabytes_; }
  std::size_t most_at_once() const { return most_at_once_; }

 private:
  void Look(PostgresSession& session) {
    const auto rows = session.Execute(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'tocsin databases'");
    if (!rows.ok()) return;
    most_at_once_ = std::max(most_at_once_, rows->size());
    for (const auto& row : *rows) megabytes_ = std::max(megabytes_, MegabytesOf(row.at(0)));
  }

  std::atomic<bool> ended_ = false;
  double megabytes_ = 0;
  std::size_t most_at_once_ = 0;
  std::thread thread_;
};

class PostgresBackendsTest : public PostgresServerTest {
 protected:
  // t1, t2 and so on, each with a TOAST table and two indexes.
  void MakeTables(int count, const std::string& database = "postgres") {
    Execute(fmt::format("DO $$ BEGIN FOR i IN 1..{} LOOP"
                        " EXECUTE format('CREATE TABLE t%s (i int UNIQUE, note text UNIQUE)', i);"
                        " IF i % 500 = 0 THEN COMMIT; END IF; END LOOP; END $$",
                        count),
            database);
  }

  bool HasInserted(const std::string& table, int rows) {
    return WaitUntil([&] {
      const auto now = server_->Execute(
          fmt::format("SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = '{}'", table));
      return now.ok() && now->at(0).at(0) == std::to_string(rows);
    });
  }
};

// A backend keeps what it looked up of each table, and the copies of its statistics.
TEST_F(PostgresBackendsTest, TheKeptOneRemembersNoTables) {
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_NO_FATAL_FAILURE(MakeTables(1000));
  PostgresTarget target(
      Yaml(*server_, "collectors: { user_tables: { limit: 2000 }, statio_user_indexes: on }\n"));
  ASSERT_EQ(target.Collect().Count(kInserted), 1000);
  const auto kept =
      server_->Execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'tocsin'");
  ASSERT_TRUE(kept.ok() && kept->size() == 1);
  const std::string pid = kept->at(0).at(0);
  const double first = MegabytesOf(pid);
  ASSERT_GT(first, 0);
  for (int minute = 0; minute < 5; ++minute) {
    target.Advance(kTableInterval);
    ASSERT_EQ(target.Collect().Count(kInserted), 1000);
  }
  const double last = MegabytesOf(pid);
  EXPECT_GT(last, 0) << "another backend has taken its place";
  EXPECT_LT(last, first + 1) << "of " << first;
}

TEST_F(PostgresBackendsTest, TheVisitorLeavesAndComesBackBeforeItRemembersMuch) {
  constexpr int kTables = 3000;
  constexpr int kInShop = 600;
  constexpr double kMostMegabytes = 10.5;
  ASSERT_NO_FATAL_FAILURE(Start());
  Execute("CREATE DATABASE shop");
  ASSERT_NO_FATAL_FAILURE(MakeTables(kTables));
  ASSERT_NO_FATAL_FAILURE(MakeTables(kInShop, "shop"));
  // The kept one, and one more.
  Execute("CREATE ROLE watcher LOGIN CONNECTION LIMIT 2; GRANT pg_monitor TO watcher");
  PostgresTarget target("dsn: \"" + server_->Dsn("user=watcher") +
                        "\"\ncollectors: { user_tables: { limit: 5000 } }\n");
  VisitorWatch visitor(*server_);
  for (int minute = 0; minute < 3; ++minute) {
    const auto collection = target.Collect(seconds(10));
    ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
    EXPECT_EQ(collection.Value("pg_exporter_last_scrape_error"), 0) << collection.Notes();
    EXPECT_EQ(collection.Sum("tocsin_postgres_database_up"), 2) << collection.Notes();
    EXPECT_EQ(collection.Count(kInserted), kTables + kInShop);
    EXPECT_EQ(collection.Count("pg_stat_user_tables_table_size_bytes"), kTables + kInShop);
    target.Advance(kTableInterval);
  }
  visitor.End();
  EXPECT_LT(visitor.megabytes(), kMostMegabytes);
  EXPECT_GT(visitor.megabytes(), 0);
  EXPECT_EQ(visitor.most_at_once(), 1);
}

// The first thousand tables are read, and the server cancels what is asked of others.
TEST_F(PostgresBackendsTest, AReadThatIsCancelledHalfwayIsAsIfItHadNotBegun) {
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_NO_FATAL_FAILURE(MakeTables(1500));
  Execute("INSERT INTO t1 SELECT generate_series(1, 100); ANALYZE t1");
  ASSERT_TRUE(HasInserted("t1", 100));
  PostgresTarget target(Yaml(*server_, "collectors: { user_tables: { limit: 1 } }\n"));
  ASSERT_EQ(target.Collect().Value(kInserted, {{"relname", "t1"}}), 100);

  Execute("INSERT INTO t1 VALUES (101); INSERT INTO t2 SELECT generate_series(1, 7)");
  ASSERT_TRUE(HasInserted("t1", 101) && HasInserted("t2", 7));
  Execute(
      "ALTER FUNCTION pg_stat_get_mod_since_analyze(oid) RENAME TO mod_since_analyze;"
      "CREATE FUNCTION pg_catalog.pg_stat_get_mod_since_analyze(oid) RETURNS bigint"
      " LANGUAGE sql AS $$SELECT CASE WHEN $1 = 'public.t1300'::regclass"
      "  THEN length(pg_sleep(60)::text) END$$");
  target.Advance(kTableInterval);
  auto collection = target.Collect(seconds(2));
  EXPECT_NE(collection.FailedPart("stat_user_tables").find("canceling statement due to"),
            std::string::npos)
      << collection.FailedPart("stat_user_tables");
  EXPECT_EQ(collection.FailedPart("statio_user_tables"), "");
  EXPECT_EQ(collection.Value(kInserted, {{"relname", "t1"}}), 100);
  EXPECT_EQ(collection.Value(kOthers), 0);

  Execute(
      "DROP FUNCTION pg_catalog.pg_stat_get_mod_since_analyze(oid);"
      "ALTER FUNCTION mod_since_analyze(oid) RENAME TO pg_stat_get_mod_since_analyze");
  target.Advance(kTableInterval);
  collection = target.Collect();
  EXPECT_EQ(collection.FailedPart("stat_user_tables"), "");
  EXPECT_EQ(collection.Value(kInserted, {{"relname", "t1"}}), 101);
  EXPECT_EQ(collection.Value(kOthers), 7);
}

}  // namespace
}  // namespace tocsin::testing
