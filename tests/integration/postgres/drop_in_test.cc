// Beside Debian's own exporter, with the queries that Debian ships for it, on the same
// server: under names "0.11" nothing that it shows is missing, types and labels are
// equal, gauges equal, and each counter lies between what it shows before and after.

#include <filesystem>

#include "tests/integration/postgres/collector_fixture.h"
#include "tests/support/exporter_comparison.h"

namespace tocsin::testing {
namespace {

constexpr const char* kQueries =
    "/usr/share/doc/prometheus-postgres-exporter/examples/queries.yaml";

constexpr Difference kDifferences[] = {
    {"pg_up", "poll writes it, for a server that is down too", Difference::In::kFamily},
    {"pg_exporter_user_queries_load_error", "queries stand in the configuration",
     Difference::In::kFamily},
    {"pg_exporter_*", "each counts and times its own scrapes"},
    {"pg_scrape_collector_*", "each times its own collectors", Difference::In::kSeries},
    {"pg_stat_activity_count", "our own session is not counted, as since 0.18"},
    {"pg_stat_activity_max_tx_duration", "likewise: the exporter's own query is the longest"},
    {"pg_locks_count", "each sees the locks of its own query"},
    {"pg_settings_extra_float_digits", "the exporter's driver sets its session's own"},
    {"pg_process_idle_seconds", "Debian's query counts busy sessions in the buckets too"},
};
// Our own session is idle when the exporter asks, and busy when we do; the exporter's,
// which it names for that, the other way round.
constexpr std::string_view kOurIdleSession = "application_name=\"tocsin\"";

static_assert(std::size(kDifferences) <= 20);

class DropInTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(std::filesystem::exists(kQueries)) << kQueries << " is missing";
    auto started = PostgresServer::Start({.settings = {{"wal_level", "logical"}}});
    ASSERT_TRUE(started.ok()) << started.error().message;
    server_ = *std::move(started);
    Execute(
        "CREATE TABLE bookings (id int PRIMARY KEY, note text);"
        "INSERT INTO bookings SELECT i, repeat('x', 100) FROM generate_series(1, 5000) i;"
        "UPDATE bookings SET note = 'y' WHERE id < 100; DELETE FROM bookings WHERE id > 4900;"
        "CREATE TABLE plain (id int); INSERT INTO plain VALUES (1); CREATE SCHEMA other;"
        "CREATE TABLE other.notes (note text);"
        "INSERT INTO other.notes SELECT string_agg(md5(i::text), '') FROM"
        " generate_series(1, 1000) i; SELECT count(*) FROM other.notes;"
        "SELECT * FROM bookings WHERE id = 5");
    // In a statement of its own: VACUUM runs in no transaction.
    Execute("VACUUM bookings");
    Execute("ANALYZE bookings");
    Execute("SELECT pg_create_physical_replication_slot('copy', true)");
    Execute("CREATE DATABASE shop");
    StartStandby();
    auto exporter = PackagedExporter::Start(
        "prometheus-postgres-exporter", {std::string("--extend.query-path=") + kQueries},
        {{"DATA_SOURCE_NAME", "postgresql://postgres@127.0.0.1:" + std::to_string(server_->port()) +
                                  "/postgres?sslmode=disable&application_name=exporter"}});
    ASSERT_TRUE(exporter.ok()) << exporter.error().message;
    exporter_ = *std::move(exporter);
  }

  void Execute(const std::string& sql) {
    const auto done = server_->Execute(sql);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }

  // Somebody who replicates: a standby, from a copy.
  void StartStandby() {
    server_->Stop();
    auto started = PostgresServer::Start({.settings = {{"wal_level", "logical"},
                                                       {"primary_slot_name", "'copy'"},
                                                       {"wal_retrieve_retry_interval", "'200ms'"},
                                                       {"cluster_name", "'standby'"}},
                                          .cluster = server_->data_folder(),
                                          .standby_of = server_->Dsn()});
    ASSERT_TRUE(started.ok()) << started.error().message;
    standby_ = *std::move(started);
    ASSERT_TRUE(server_->StartAgain().ok());
    ASSERT_TRUE(WaitUntil([&] {
      const auto rows = server_->Execute(
          "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()");
      return rows.ok() && rows->at(0).at(0) == "1";
    }));
  }

  std::unique_ptr<PostgresServer> server_;
  std::unique_ptr<PostgresServer> standby_;
  std::unique_ptr<PackagedExporter> exporter_;
};

TEST_F(DropInTest, FamilyByFamilyWeShowWhatTheExporterShows) {
  PostgresTarget target(Yaml(*server_, "names: \"0.11\"\ncollectors: { process_idle: on }\n"));
  target.Collect();
  exporter_->Scrape();
  target.Advance(std::chrono::minutes(10));  // The next one reads all again.
  ExporterPage before = exporter_->Scrape();
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  const ExporterPage ours = PageOf(*collection.batch);
  const ExporterPage after = exporter_->Scrape();
  ASSERT_GT(before.series.size(), 500u);
  std::erase_if(before.series, [](const auto& one) {
    return one.first.find(kOurIdleSession) != std::string::npos;
  });
  EXPECT_EQ(Lines(CompareWithExporter({before, ours, after}, "pg_", kDifferences)), "");
}

}  // namespace
}  // namespace tocsin::testing
