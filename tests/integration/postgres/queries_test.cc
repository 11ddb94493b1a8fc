// The user's own queries: columns become labels and metrics, a mistake is named, and
// none can hold up or change the server.

#include "tests/integration/postgres/collector_fixture.h"

namespace tocsin::testing {
namespace {

using model::MetricType;

class PostgresQueriesTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = PostgresServer::Start();
    ASSERT_TRUE(started.ok()) << started.error().message;
    server_ = *std::move(started);
    ASSERT_TRUE(server_->Execute("CREATE DATABASE shop").ok());
    const auto made = server_->Execute(
        "CREATE TABLE bookings (region text, seats int);"
        "INSERT INTO bookings VALUES ('north', 2), ('north', 3), ('south', NULL);"
        "CREATE SEQUENCE numbers",
        "shop");
    ASSERT_TRUE(made.ok()) << made.error().message;
  }
  static void TearDownTestSuite() { server_.reset(); }

  // One query, in the database that has the bookings.
  static std::string Query(const std::string& keys, const std::string& more = {}) {
    return "dsn: \"" + server_->Dsn("dbname=shop") + "\"\nqueries:\n  - " + keys + "\n" + more;
  }

  // What the query says when it fails.
  static std::string Failure(const std::string& keys) {
    PostgresTarget target(Query(keys));
    EXPECT_EQ(target.errors(), "");
    const auto collection = target.Collect();
    EXPECT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
    EXPECT_EQ(collection.Value("pg_scrape_collector_success", {{"collector", "queries.q"}}), 0);
    EXPECT_EQ(collection.Value("pg_scrape_collector_success", {{"collector", "settings"}}), 1);
    const auto notes = collection.Notes();
    const auto start = notes.find("queries.q: ");
    return start == std::string::npos ? notes
                                      : notes.substr(start, notes.find('\n', start) - start);
  }

  static std::unique_ptr<PostgresServer> server_;
};

std::unique_ptr<PostgresServer> PostgresQueriesTest::server_;

TEST_F(PostgresQueriesTest, ColumnsBecomeLabelsAndMetrics) {
  PostgresTarget target(Query(R"(name: booking
    sql: "SELECT region, count(*) AS made, sum(seats) AS seats FROM bookings GROUP BY region;"
    labels: [region]
    metrics:
      made: counter
      seats: { type: gauge, metric: platform_seats, help: "Seats booked" })"));
  ASSERT_EQ(target.errors(), "");
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_EQ(collection.Value("booking_made", {{"region", "north"}}), 2);
  EXPECT_EQ(collection.Value("booking_made", {{"region", "south"}}), 1);
  EXPECT_EQ(collection.Family("booking_made")->type, MetricType::kCounter);
  EXPECT_EQ(collection.Value("platform_seats", {{"region", "north"}}), 5);
  // NULL says nothing.
  EXPECT_FALSE(collection.Value("platform_seats", {{"region", "south"}}).has_value());
  EXPECT_EQ(collection.Family("platform_seats")->help, "Seats booked");
  EXPECT_EQ(collection.Value("pg_scrape_collector_success", {{"collector", "queries.booking"}}), 1);
}

// In the columns that postgres_exporter wants for its usage HISTOGRAM.
TEST_F(PostgresQueriesTest, FourColumnsMakeAHistogram) {
  PostgresTarget target(Query(R"(name: booking
    sql: "SELECT 'north' AS region, ARRAY[0.5, 2]::float8[] AS seconds, ARRAY[3, 4]::int8[] AS
          seconds_bucket, 12.5 AS seconds_sum, 9 AS seconds_count
          UNION ALL SELECT 'south', NULL, NULL, NULL, NULL"
    labels: [region]
    metrics: { seconds: { type: histogram, help: "How long booking took" } })"));
  ASSERT_EQ(target.errors(), "");
  for (int i = 0; i < 2; ++i) {  // Also as it is shown again in between.
    const auto collection = target.Collect();
    ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
    ASSERT_NE(collection.Family("booking_seconds"), nullptr) << collection.Notes();
    EXPECT_EQ(collection.Family("booking_seconds")->type, MetricType::kHistogram);
    const auto bucket = [&](const char* le) {
      return collection.Value("booking_seconds_bucket", {{"region", "north"}, {"le", le}});
    };
    EXPECT_EQ(bucket("0.5"), 3);
    EXPECT_EQ(bucket("2"), 4);
    EXPECT_EQ(bucket("+Inf"), 9);
    EXPECT_EQ(collection.Value("booking_seconds_sum", {{"region", "north"}}), 12.5);
    EXPECT_EQ(collection.Value("booking_seconds_count", {{"region", "north"}}), 9);
    EXPECT_EQ(collection.Count("booking_seconds_count"), 1) << "NULL says nothing";
  }
}

TEST_F(PostgresQueriesTest, EachHasItsIntervalAndShowsItsRowsInBetween) {
  PostgresTarget target(Query(R"(name: q
    sql: "SELECT extract(epoch FROM clock_timestamp()) AS now"
    interval: 30s
    metrics: { now: gauge })"));
  const auto first = target.Collect().Value("q_now");
  ASSERT_TRUE(first.has_value());
  target.Advance(seconds(20));
  EXPECT_EQ(target.Collect().Value("q_now"), first);
  target.Advance(seconds(10));
  EXPECT_GT(target.Collect().Value("q_now"), first);
}

TEST_F(PostgresQueriesTest, OneMayRunInAnotherDatabase) {
  PostgresTarget target(Yaml(*server_, R"(queries:
  - name: booking
    sql: "SELECT count(*) AS made FROM bookings"
    database: shop
    metrics: { made: gauge }
  - name: q
    sql: "SELECT 1 AS one"
    database: nowhere
    metrics: { one: gauge }
)"));
  ASSERT_EQ(target.errors(), "");
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_EQ(collection.Value("booking_made"), 3) << collection.Notes();
  EXPECT_NE(collection.Notes().find("queries.q: database \"nowhere\" is not there"),
            std::string::npos)
      << collection.Notes();
}

TEST_F(PostgresQueriesTest, MistakesAreNamed) {
  EXPECT_EQ(Failure("{ name: q, sql: \"SELECT 1 AS one, 2 AS two\", metrics: { three: gauge } }"),
            "queries.q: the answer has no column \"three\" (it has: one, two)");
  EXPECT_EQ(
      Failure("{ name: q, sql: \"SELECT 1 AS one\", labels: [who], metrics: { one: gauge } }"),
      "queries.q: the answer has no column \"who\" (it has: one)");
  EXPECT_EQ(Failure("{ name: q, sql: \"SELECT 'many' AS one\", metrics: { one: gauge } }"),
            "queries.q: column \"one\" of row 1 is not a number");
  EXPECT_EQ(
      Failure("{ name: q, sql: \"SELECT '{1,2}' AS one, '{3}' AS one_bucket, 1 AS one_sum, 3 AS "
              "one_count\", metrics: { one: histogram } }"),
      "queries.q: column \"one\" of row 1: not as many buckets as bounds");
  EXPECT_EQ(Failure("{ name: q, sql: \"SELECT '{1}' AS one\", metrics: { one: histogram } }"),
            "queries.q: the answer has no column \"one_bucket\" (it has: one)");
  EXPECT_EQ(Failure("{ name: q, sql: \"SELEC 1\", metrics: { one: gauge } }"),
            "queries.q: syntax error at or near \"SELEC\"");
  EXPECT_EQ(Failure("{ name: q, sql: \"SELECT sum(sets) AS one FROM bookings\", metrics: { one: "
                    "gauge } }"),
            "queries.q: column \"sets\" does not exist");
  EXPECT_EQ(Failure("{ name: q, sql: \"SELECT i AS one FROM generate_series(1, 11) i\", limit: 10, "
                    "metrics: { one: gauge } }"),
            "queries.q: the answer has 11 rows, more than the limit of 10");
}

TEST_F(PostgresQueriesTest, NoneCanChangeAnythingOrHoldTheServerUp) {
  EXPECT_EQ(Failure("{ name: q, sql: \"DELETE FROM bookings RETURNING 1 AS one\", metrics: { one: "
                    "gauge } }"),
            "queries.q: cannot execute DELETE in a read-only transaction");
  EXPECT_EQ(Failure("{ name: q, sql: \"SELECT nextval('numbers') AS one\", metrics: { one: gauge } "
                    "}"),
            "queries.q: cannot execute nextval() in a read-only transaction");
  EXPECT_EQ(Failure("{ name: q, sql: \"SELECT 1 AS one FROM pg_sleep(30)\", timeout: 100ms, "
                    "metrics: { one: gauge } }"),
            "queries.q: canceling statement due to statement timeout");
}

TEST_F(PostgresQueriesTest, NoneEndsOrLeavesTheTransactionItRunsIn) {
  for (const char* sql : {"BEGIN; SELECT 1 AS one", "COMMIT; CREATE TABLE x()",
                          "SET search_path TO nowhere; SELECT 1 AS one"}) {
    EXPECT_EQ(Failure("{ name: q, sql: \"" + std::string(sql) + "\", metrics: { one: gauge } }"),
              "queries.q: cannot insert multiple commands into a prepared statement");
  }
  EXPECT_EQ(server_->Execute("SELECT count(*) FROM pg_class WHERE relname = 'x'", "shop")->at(0)[0],
            "0");

  // One statement that ends it, and what changes the session, do not outlive the query.
  PostgresTarget target(Query(R"(name: ends
    sql: "COMMIT"
    metrics: { one: gauge }
  - name: sets
    sql: "SELECT set_config('application_name', 'renamed', false), 1 AS one"
    metrics: { one: gauge })"));
  ASSERT_EQ(target.errors(), "");
  auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_EQ(collection.Value("sets_one"), 1) << collection.Notes();
  const auto sessions = server_->Execute(
      "SELECT application_name, state FROM pg_stat_activity WHERE application_name LIKE 'tocsin%'"
      " OR application_name = 'renamed'");
  ASSERT_TRUE(sessions.ok());
  EXPECT_EQ(*sessions, (std::vector<PostgresSession::Row>{{"tocsin", "idle"}}));
}

TEST_F(PostgresQueriesTest, AMetricOfACollectorIsNotTakenOver) {
  EXPECT_EQ(Failure("{ name: q, sql: \"SELECT 1 AS one\", metrics: { one: { metric: "
                    "pg_locks_count } } }"),
            "queries.q: metric \"pg_locks_count\" is a collector's, with other labels");
}

TEST_F(PostgresQueriesTest, WhatCannotBeIsSaidWhenTheConfigurationIsRead) {
  const auto errors = [](const std::string& keys) { return PostgresTarget(Query(keys)).errors(); };
  EXPECT_NE(errors("{ sql: x, metrics: { a: gauge } }").find("\"name\" is required"),
            std::string::npos);
  EXPECT_NE(errors("{ name: q, metrics: { a: gauge } }").find("\"sql\" is required"),
            std::string::npos);
  EXPECT_NE(errors("{ name: q, sql: x }").find("at least one column"), std::string::npos);
  EXPECT_NE(errors("{ name: q, sql: x, metrics: { a: gauges } }").find("did you mean \"gauge\"?"),
            std::string::npos);
  EXPECT_NE(errors("{ name: q, sql: x, metrics: { \"a b\": gauge } }").find("not a metric's name"),
            std::string::npos);
  EXPECT_NE(errors("{ name: q, sql: x, labels: [\"a-b\"], metrics: { a: gauge } }")
                .find("not a label's name"),
            std::string::npos);
  EXPECT_NE(errors("{ name: q, sql: x, labels: [a], metrics: { a: gauge } }").find("label already"),
            std::string::npos);
  EXPECT_NE(errors("{ name: q, sql: x, labels: [le], metrics: { a: histogram } }")
                .find("has its own label"),
            std::string::npos);
  EXPECT_NE(
      errors("{ name: q, sql: x, metrics: { a: { metric: tocsin_a } } }").find("keeps for itself"),
      std::string::npos);
  EXPECT_NE(errors("{ name: q, sql: x, metrics: { a: gauge } }\n  - { name: q, sql: x, metrics: { "
                   "a: gauge } }")
                .find("another query is named \"q\""),
            std::string::npos);
  EXPECT_NE(
      errors("{ name: q, sql: x, labels: [l], metrics: { a: { metric: m } } }\n  - { name: r, "
             "sql: x, metrics: { a: { metric: m } } }")
          .find("has other labels above"),
      std::string::npos);
  EXPECT_NE(errors("{ name: q, sql: x, sqll: y, metrics: { a: gauge } }").find("tocsin.yaml:3"),
            std::string::npos);
}

}  // namespace
}  // namespace tocsin::testing
