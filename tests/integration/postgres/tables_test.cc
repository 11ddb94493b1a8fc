// Tables: exact sizes without waiting for anybody's lock, and of ten thousand tables
// the largest under their names, all others as a sum.

#include "tests/integration/postgres/collector_fixture.h"

namespace tocsin::testing {
namespace {

constexpr seconds kTableInterval{60};
constexpr const char* kTableSize = "pg_stat_user_tables_table_size_bytes";
constexpr const char* kIndexSize = "pg_stat_user_tables_index_size_bytes";

LabelMap Table(const std::string& name) { return {{"datname", "postgres"}, {"relname", name}}; }

class PostgresTablesTest : public PostgresServerTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Start());
    Execute(
        "CREATE TABLE one (id int PRIMARY KEY, note text);"
        "INSERT INTO one SELECT i, 'x' FROM generate_series(1, 1000) i;"
        "CREATE TABLE two (id int PRIMARY KEY, note text);"
        "INSERT INTO two SELECT i, 'x' FROM generate_series(1, 1000) i");
  }

  double Ask(const std::string& sql) {
    const auto rows = server_->Execute(sql);
    EXPECT_TRUE(rows.ok()) << rows.error().message;
    return rows.ok() && !rows->empty() ? std::stod(rows->at(0).at(0)) : -1;
  }
};

TEST_F(PostgresTablesTest, SizesAreThoseOnTheDiskAndAtMostTenMinutesOld) {
  PostgresTarget target(Yaml(*server_));
  auto collection = target.Collect();
  EXPECT_EQ(collection.Value(kTableSize, Table("one")), Ask("SELECT pg_table_size('one')"));
  EXPECT_EQ(collection.Value(kIndexSize, Table("one")), Ask("SELECT pg_indexes_size('one')"));
  const double before = *collection.Value(kTableSize, Table("one"));
  Execute("INSERT INTO one SELECT i, repeat('x', 500) FROM generate_series(1001, 2000) i");
  target.Advance(kTableInterval);
  EXPECT_EQ(target.Collect().Value(kTableSize, Table("one")), before);
  target.Advance(8 * kTableInterval);
  EXPECT_EQ(target.Collect().Value(kTableSize, Table("one")), Ask("SELECT pg_table_size('one')"));
}

TEST_F(PostgresTablesTest, SizesTellTheirOwnAge) {
  PostgresTarget target(Yaml(*server_));
  const auto age = [&](const char* of) {
    const auto collection = target.Collect();
    const auto value =
        collection.Value("tocsin_postgres_collector_age_seconds", {{"collector", of}});
    return value.value_or(-1);
  };
  for (const char* of : {"database_size", "table_sizes"}) {
    EXPECT_GE(age(of), 0) << of;
    EXPECT_LT(age(of), 30) << of;
  }
  target.Advance(8 * kTableInterval);
  for (const char* of : {"database_size", "table_sizes"}) {
    EXPECT_GE(age(of), 480) << of;
    EXPECT_LT(age(of), 510) << of;
  }
  EXPECT_LT(age("stat_user_tables"), 30);
  target.Advance(2 * kTableInterval);
  for (const char* of : {"database_size", "table_sizes"}) EXPECT_LT(age(of), 30) << of;
}

TEST_F(PostgresTablesTest, OneThatIsLockedIsShownAsTheCatalogueKnowsIt) {
  Execute("ANALYZE two");
  auto holder = server_->Connect();
  ASSERT_TRUE(holder.ok());
  ASSERT_TRUE((*holder)->Execute("BEGIN; LOCK TABLE two IN ACCESS EXCLUSIVE MODE").ok());
  PostgresTarget target(Yaml(*server_));
  auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_LT(collection.took, seconds(2));
  EXPECT_EQ(collection.Value("pg_exporter_last_scrape_error"), 0) << collection.Notes();
  EXPECT_EQ(collection.Value(kTableSize, Table("one")), Ask("SELECT pg_table_size('one')"));
  const double pages = Ask("SELECT relpages FROM pg_class WHERE relname = 'two'");
  EXPECT_GE(collection.Value(kTableSize, Table("two")), pages * 8192);
  EXPECT_EQ(collection.Value("pg_stat_user_tables_n_tup_ins", Table("two")), 1000);
  ASSERT_TRUE((*holder)->Execute("COMMIT").ok());
  target.Advance(kTableInterval);
  EXPECT_EQ(target.Collect().Value(kTableSize, Table("two")), Ask("SELECT pg_table_size('two')"));
}

TEST_F(PostgresTablesTest, AnIndexThatIsBeingRebuiltDoesNotHoldUsUp) {
  auto holder = server_->Connect();
  ASSERT_TRUE(holder.ok());
  ASSERT_TRUE((*holder)->Execute("BEGIN; REINDEX INDEX two_pkey").ok());
  PostgresTarget target(Yaml(*server_));
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_LT(collection.took, seconds(2));
  EXPECT_EQ(collection.Value("pg_exporter_last_scrape_error"), 0) << collection.Notes();
  EXPECT_EQ(collection.Value(kTableSize, Table("one")), Ask("SELECT pg_table_size('one')"));
  EXPECT_TRUE(collection.Value("pg_stat_user_tables_n_tup_ins", Table("two")).has_value());
}

TEST_F(PostgresTablesTest, OfTenThousandTheLargestHaveNamesAndTheOthersAreASum) {
  Execute(
      "DO $$ BEGIN FOR i IN 1..10000 LOOP EXECUTE format('CREATE TABLE t%s (i int)', i);"
      " IF i % 1000 = 0 THEN COMMIT; END IF; END LOOP; END $$");
  PostgresTarget target(Yaml(*server_, "collectors: { user_tables: { limit: 50 } }\n"));
  auto collection = target.Collect(seconds(10));
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_LT(collection.took, seconds(5));
  const LabelMap tables = {{"collector", "stat_user_tables"}};
  EXPECT_EQ(collection.Value("tocsin_postgres_tables_left_out", tables), 10'002 - 50);
  EXPECT_EQ(collection.Value("pg_stat_user_tables_n_tup_ins", Table("one")), 1000);
  EXPECT_FALSE(collection.Value("pg_stat_user_tables_n_tup_ins", Table("t9999")).has_value());
  constexpr const char* kOthers = "tocsin_postgres_other_tables_n_tup_ins_total";
  EXPECT_EQ(collection.Value(kOthers), 0);

  Execute("INSERT INTO t9999 SELECT generate_series(1, 7)");
  ASSERT_TRUE(WaitUntil([&] {
    return Ask("SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 't9999'") == 7;
  }));
  target.Advance(kTableInterval);
  EXPECT_EQ(target.Collect(seconds(10)).Value(kOthers), 7);
  Execute("DROP TABLE t9999");
  target.Advance(kTableInterval);
  collection = target.Collect(seconds(10));
  EXPECT_EQ(collection.Value(kOthers), 7);
  EXPECT_EQ(collection.Value("tocsin_postgres_tables_left_out", tables), 10'001 - 50);
}

}  // namespace
}  // namespace tocsin::testing
