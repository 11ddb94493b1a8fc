// The P95 of PostgreSQL's statements from its own log, through the whole daemon: from
// a log line to histogram_quantile over the query API.

#include <gtest/gtest.h>

#include "tests/support/daemon_process.h"
#include "tests/support/postgres_server.h"

namespace tocsin::testing {
namespace {

class QueryTimeTest : public ::testing::Test {
 protected:
  void Start(const std::string& log_min_duration_statement) {
    auto postgres = PostgresServer::Start(
        {.settings = {{"logging_collector", "on"},
                      {"log_min_duration_statement", log_min_duration_statement}}});
    ASSERT_TRUE(postgres.ok()) << postgres.error().message;
    postgres_ = *std::move(postgres);
    ASSERT_TRUE(postgres_->Execute("CREATE ROLE app LOGIN").ok());
    auto daemon = DaemonProcess::Start("interval: 1s\npostgres: [ { name: primary, dsn: '" +
                                       postgres_->Dsn() + "' } ]\n");
    ASSERT_TRUE(daemon.ok()) << daemon.error().message;
    daemon_ = *std::move(daemon);
    ASSERT_TRUE(daemon_->WaitForValue("pg_up", 1)) << daemon_->Output();
  }

  std::unique_ptr<PostgresServer> postgres_;
  std::unique_ptr<DaemonProcess> daemon_;
};

const std::string kOfApp = "{user=\"app\",datname=\"postgres\",source=\"log\"}";

TEST_F(QueryTimeTest, TheP95OfACompleteLogIsThatOfTheStatements) {
  ASSERT_NO_FATAL_FAILURE(Start("0"));
  ASSERT_TRUE(daemon_->WaitForValue("tocsin_postgres_log_complete", 1)) << daemon_->Output();
  auto app = postgres_->Connect("user=app");
  ASSERT_TRUE(app.ok()) << app.error().message;
  // A first statement brings the series; what follows is an increase. Of a hundred,
  // nine in ten take about 20 ms and ten about 800: the median is far below 200 ms,
  // the P95 between the buckets' bounds 0.75 and 1.
  ASSERT_TRUE((*app)->Execute("SELECT pg_sleep(0.02)").ok());
  ASSERT_TRUE(daemon_->WaitForValue("pg_query_duration_seconds_count" + kOfApp, 1));
  for (int i = 0; i < 90; ++i) ASSERT_TRUE((*app)->Execute("SELECT pg_sleep(0.02)").ok());
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE((*app)->ExecuteParameters("SELECT pg_sleep($1)", {"0.8"}).ok());
  }
  ASSERT_TRUE(daemon_->WaitForValue("pg_query_duration_seconds_count" + kOfApp, 101))
      << daemon_->Query("pg_query_duration_seconds_count" + kOfApp).value_or(-1);

  const auto quantile = [&](const std::string& q) {
    return daemon_->Query("histogram_quantile(" + q +
                          ", sum by (le) (increase(pg_query_duration_seconds_bucket" + kOfApp +
                          "[2m])))");
  };
  const auto p95 = quantile("0.95");
  ASSERT_TRUE(p95.has_value());
  EXPECT_GE(*p95, 0.75);
  EXPECT_LE(*p95, 1);
  EXPECT_LE(quantile("0.5").value_or(99), 0.2);
  EXPECT_GE(daemon_->Query("pg_query_duration_seconds_sum" + kOfApp).value_or(0), 0.8 * 10);
}

TEST_F(QueryTimeTest, ALogOfSlowStatementsGivesNoP95AndTheTargetsSayWhy) {
  ASSERT_NO_FATAL_FAILURE(Start("1000"));
  auto app = postgres_->Connect("user=app");
  ASSERT_TRUE(app.ok()) << app.error().message;
  ASSERT_TRUE((*app)->Execute("SELECT pg_sleep(1.2)").ok());
  const auto polls = [&] { return daemon_->Query("count_over_time(pg_up[1m])").value_or(0); };
  const double before = polls();
  ASSERT_TRUE(WaitUntil([&] { return polls() >= before + 3; }));
  EXPECT_EQ(daemon_->Query("count({__name__=~\"pg_query_duration_seconds.*\"})"), std::nullopt);
  EXPECT_EQ(daemon_->Query("tocsin_postgres_log_complete"), 0);
  const auto target = daemon_->FindTarget("primary");
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->health, "up");
  EXPECT_NE(target->notes.find("log_min_duration_statement"), std::string::npos) << target->notes;
  EXPECT_NE(daemon_->Output().find("log_min_duration_statement"), std::string::npos)
      << daemon_->Output();
}

}  // namespace
}  // namespace tocsin::testing
