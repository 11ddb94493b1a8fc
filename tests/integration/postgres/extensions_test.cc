// pg_stat_statements comes, changes and goes while the connection is kept.

#include "tests/integration/postgres/collector_fixture.h"

namespace tocsin::testing {
namespace {

constexpr seconds kLookedForEvery{60};
constexpr const char* kCalls = "pg_stat_statements_calls_total";
const LabelMap kStatements = {{"collector", "stat_statements"}};

class PostgresExtensionsTest : public PostgresServerTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(
        Start({.settings = {{"shared_preload_libraries", "'pg_stat_statements'"}}}));
  }

  std::string KeptBackend() {
    const auto rows =
        server_->Execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'tocsin'");
    return rows.ok() && rows->size() == 1 ? rows->at(0).at(0) : "not one";
  }
};

TEST_F(PostgresExtensionsTest, OneThatIsCreatedIsSeenWithinAMinute) {
  PostgresTarget target(Yaml(*server_));
  EXPECT_NE(target.Collect().Notes().find("CREATE EXTENSION"), std::string::npos);
  const std::string backend = KeptBackend();
  Execute("CREATE EXTENSION pg_stat_statements");
  target.Advance(kLookedForEvery);
  const auto collection = target.Collect();
  EXPECT_GT(collection.Count(kCalls), 0);
  EXPECT_EQ(collection.Notes().find("CREATE EXTENSION"), std::string::npos) << collection.Notes();
  EXPECT_EQ(KeptBackend(), backend);
}

TEST_F(PostgresExtensionsTest, OneThatChangesUnderneathFailsOnceAndIsLookedAtAnew) {
  Execute("CREATE EXTENSION pg_stat_statements VERSION '1.7'; CREATE SCHEMA elsewhere");
  PostgresTarget target(Yaml(*server_));
  EXPECT_GT(target.Collect().Count(kCalls), 0);
  for (const char* change : {"UPDATE TO '1.8'", "SET SCHEMA elsewhere"}) {
    Execute(std::string("ALTER EXTENSION pg_stat_statements ") + change);
    target.Advance(kLookedForEvery);
    EXPECT_EQ(target.Collect().Value("pg_scrape_collector_success", kStatements), 0) << change;
    const auto collection = target.Collect();
    EXPECT_EQ(collection.Value("pg_scrape_collector_success", kStatements), 1) << change;
    EXPECT_GT(collection.Count(kCalls), 0) << change;
  }
  Execute("DROP EXTENSION pg_stat_statements");
  target.Advance(kLookedForEvery);
  target.Collect();
  const auto collection = target.Collect();
  EXPECT_EQ(collection.Value("pg_scrape_collector_success", kStatements), 1);
  EXPECT_NE(collection.Notes().find("CREATE EXTENSION"), std::string::npos);
}

}  // namespace
}  // namespace tocsin::testing
