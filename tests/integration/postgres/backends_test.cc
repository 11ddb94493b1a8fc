// Our own backends in the server, and what is left of one that does not come to the end of its
// tables.

#include <fmt/format.h>

#include "tests/integration/postgres/collector_fixture.h"

namespace tocsin::testing {
namespace {

constexpr seconds kTableInterval{60};
constexpr const char* kInserted = "pg_stat_user_tables_n_tup_ins";
constexpr const char* kOthers = "tocsin_postgres_other_tables_n_tup_ins_total";

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

// The first hundreds of tables are read, and the server cancels what is asked of others.
TEST_F(PostgresBackendsTest, AReadThatIsCancelledHalfwayIsAsIfItHadNotBegun) {
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_NO_FATAL_FAILURE(MakeTables(1200));
  Execute("INSERT INTO t1 SELECT generate_series(1, 100); ANALYZE t1");
  ASSERT_TRUE(HasInserted("t1", 100));
  PostgresTarget target(Yaml(*server_, "collectors: { user_tables: { limit: 1 } }\n"));
  ASSERT_EQ(target.Collect().Value(kInserted, {{"relname", "t1"}}), 100);

  Execute("INSERT INTO t1 VALUES (101); INSERT INTO t2 SELECT generate_series(1, 7)");
  ASSERT_TRUE(HasInserted("t1", 101) && HasInserted("t2", 7));
  Execute(
      "ALTER FUNCTION pg_stat_get_mod_since_analyze(oid) RENAME TO mod_since_analyze;"
      "CREATE FUNCTION pg_catalog.pg_stat_get_mod_since_analyze(oid) RETURNS bigint"
      " LANGUAGE sql AS $$SELECT CASE WHEN $1 = 'public.t700'::regclass"
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
