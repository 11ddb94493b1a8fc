// Of how many sequences ever, the fullest are shown.

#include "tests/integration/postgres/collector_fixture.h"

namespace tocsin::testing {
namespace {

constexpr seconds kInterval{600};
constexpr const char* kUsed = "tocsin_postgres_sequence_used_ratio";
constexpr const char* kDays = "tocsin_postgres_sequence_days_left";
constexpr const char* kLeftOut = "tocsin_postgres_sequences_left_out";

LabelMap Named(const std::string& name) { return {{"sequencename", name}}; }

class PostgresSequencesTest : public PostgresServerTest {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(Start()); }

  // Of each a number is taken.
  void MakeSequences(const std::string& prefix, int count) {
    Execute("DO $$ BEGIN FOR i IN 1.." + std::to_string(count) +
            " LOOP EXECUTE format('CREATE SEQUENCE " + prefix +
            "%s AS int', i); PERFORM nextval('" + prefix +
            "' || i); IF i % 500 = 0 THEN COMMIT; END IF; END LOOP; END $$");
  }
};

TEST_F(PostgresSequencesTest, TheFullestHaveThePlacesWhateverTheirTypeAndAge) {
  Execute(
      "DO $$ BEGIN FOR i IN 1..150 LOOP EXECUTE format('CREATE SEQUENCE unused%s AS smallint', i);"
      " END LOOP; END $$");
  MakeSequences("little", 110);
  Execute("CREATE SEQUENCE wide; SELECT setval('wide', 9000000000000000000)");
  Execute(
      "CREATE SEQUENCE down INCREMENT -1 MINVALUE -100 MAXVALUE -1; SELECT setval('down', -99)");
  PostgresTarget target(Yaml(*server_));
  const auto collection = target.Collect();
  ASSERT_EQ(collection.Value("pg_exporter_last_scrape_error"), 0) << collection.Notes();
  EXPECT_EQ(collection.Count(kUsed), 100);
  ASSERT_TRUE(collection.Value(kUsed, Named("wide")).has_value());
  EXPECT_NEAR(*collection.Value(kUsed, Named("wide")), 0.976, 0.001);
  ASSERT_TRUE(collection.Value(kUsed, Named("down")).has_value());
  EXPECT_NEAR(*collection.Value(kUsed, Named("down")), 0.99, 0.001);
  EXPECT_EQ(collection.Value(kLeftOut), 12);
}

TEST_F(PostgresSequencesTest, OfThousandsTheFullestAreFoundInTurnAndKeptInSight) {
  constexpr int kMany = 2'500;
  ASSERT_NO_FATAL_FAILURE(Execute("CREATE SEQUENCE first AS int; SELECT setval('first', 1000)"));
  ASSERT_NO_FATAL_FAILURE(MakeSequences("many", kMany));
  ASSERT_NO_FATAL_FAILURE(Execute("CREATE SEQUENCE last AS int; SELECT setval('last', 2000)"));
  PostgresTarget target(Yaml(*server_));
  auto collection = target.Collect();
  EXPECT_TRUE(collection.Value(kUsed, Named("first")).has_value());
  EXPECT_EQ(collection.Value(kLeftOut), kMany + 2 - 100);
  constexpr const char* kRound = "tocsin_postgres_sequences_round_seconds";
  EXPECT_FALSE(collection.Value(kRound).has_value());  // The first is under way.
  int visit = 0;
  for (; visit < 20 && !collection.Value(kUsed, Named("last")); ++visit) {
    Execute("SELECT setval('first', " + std::to_string(2000 + visit) + ")");
    target.Advance(kInterval);
    collection = target.Collect();
    ASSERT_EQ(collection.Value("pg_exporter_last_scrape_error"), 0) << collection.Notes();
    // It is not its turn, but it is known to be full.
    EXPECT_EQ(collection.Value(kUsed, Named("first")), (1999.0 + visit) / 2147483646);
    EXPECT_TRUE(collection.Value(kDays, Named("first")).has_value());
  }
  EXPECT_TRUE(collection.Value(kUsed, Named("last")).has_value());
  EXPECT_GE(collection.Value(kRound).value_or(0), ToSeconds(visit * kInterval));
  EXPECT_LT(collection.Value(kRound).value_or(0), ToSeconds((visit + 1) * kInterval));
  Execute("DROP SEQUENCE last");
  target.Advance(kInterval);
  EXPECT_FALSE(target.Collect().Value(kUsed, Named("last")).has_value());
}

TEST_F(PostgresSequencesTest, ItsEndIsToldInDaysAtThePresentRate) {
  Execute(
      "CREATE SEQUENCE tickets MAXVALUE 1001; SELECT setval('tickets', 101);"
      "CREATE SEQUENCE idle MAXVALUE 1001; SELECT setval('idle', 101)");
  PostgresTarget target(Yaml(*server_));
  EXPECT_EQ(target.Collect().Count(kDays), 0);
  Execute("SELECT setval('tickets', 201)");
  target.Advance(std::chrono::hours(1));
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.Value(kDays, Named("tickets")).has_value());
  EXPECT_NEAR(*collection.Value(kDays, Named("tickets")), 800 / (100 * 24.0), 0.01);
  EXPECT_FALSE(collection.Value(kDays, Named("idle")).has_value());  // It never comes to it.
}

TEST_F(PostgresSequencesTest, OneThatIsLockedKeepsWhatIsKnownOfIt) {
  Execute("CREATE SEQUENCE tickets MAXVALUE 1001; SELECT setval('tickets', 901)");
  PostgresTarget target(Yaml(*server_));
  EXPECT_EQ(target.Collect().Value(kUsed, Named("tickets")), 0.9);
  auto holder = server_->Connect();
  ASSERT_TRUE(holder.ok());
  ASSERT_TRUE((*holder)->Execute("BEGIN; ALTER SEQUENCE tickets CACHE 2").ok());
  target.Advance(kInterval);
  const auto collection = target.Collect();
  EXPECT_LT(collection.took, seconds(2));
  EXPECT_EQ(collection.Value("pg_exporter_last_scrape_error"), 0) << collection.Notes();
  EXPECT_EQ(collection.Value(kUsed, Named("tickets")), 0.9);
}

}  // namespace
}  // namespace tocsin::testing
