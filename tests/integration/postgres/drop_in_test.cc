// Beside Debian's own exporter, with the queries that Debian ships for it, on the same
// server: under names "0.11" nothing that it shows is missing, types and labels are
// equal, gauges equal, and each counter lies between what it shows before and after.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "daemon/formats/exposition.h"
#include "tests/integration/postgres/collector_fixture.h"

namespace tocsin::testing {
namespace {

constexpr const char* kExporter = "/usr/bin/prometheus-postgres-exporter";
constexpr const char* kQueries =
    "/usr/share/doc/prometheus-postgres-exporter/examples/queries.yaml";

// One GET over HTTP/1.0; empty if nobody answers.
std::string Get(int port, const std::string& path) {
  const int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
  if (connect(peer, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
      send(peer, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
    char bytes[65536];
    ssize_t got;
    while ((got = recv(peer, bytes, sizeof(bytes), 0)) > 0) {
      answer.append(bytes, static_cast<std::size_t>(got));
    }
  }
  close(peer);
  const auto body = answer.find("\r\n\r\n");
  return body == std::string::npos ? std::string() : answer.substr(body + 4);
}

struct Page {
  std::map<std::string, model::MetricType> types;
  std::map<std::string, double> values;         // By name and labels, sorted.
  std::map<std::string, std::string> families;  // The family of each of those.
};

Page Flatten(const model::MetricBatch& batch) {
  Page page;
  for (const auto& family : batch.families()) page.types[family.name] = family.type;
  for (std::size_t i = 0; i < batch.row_count(); ++i) {
    const auto row = batch.row(i);
    std::vector<std::string> labels;
    for (std::uint32_t j = 0; j < row.label_count; ++j) {
      const auto [name, value] = batch.label(row.first_label + j);
      if (value.empty()) continue;  // The same as a label that is not there.
      labels.push_back(std::string(name) + "=" + std::string(value));
    }
    std::sort(labels.begin(), labels.end());
    std::string key(row.name);
    for (const auto& label : labels) key += "|" + label;
    page.values[key] = row.value;
    page.families[key] = batch.families()[row.family].name;
  }
  return page;
}

// What is not compared: the exporter's own affairs, which the daemon shows itself.
bool IsOwnAffair(const std::string& family) {
  return !family.starts_with("pg_") || family == "pg_up" || family.starts_with("pg_exporter_") ||
         family.starts_with("pg_scrape_collector_");
}

// Values that may differ, each with its reason. Names, types and labels may not.
struct Difference {
  std::string_view family;
  std::string_view why;
};
constexpr Difference kDifferences[] = {
    {"pg_stat_activity_count", "our own session is not counted, as since 0.18"},
    {"pg_stat_activity_max_tx_duration", "likewise: the exporter's own query is the longest"},
    {"pg_locks_count", "each sees the locks of its own query"},
    {"pg_settings_extra_float_digits", "the exporter's driver sets its session's own"},
    {"pg_process_idle_seconds", "Debian's query counts busy sessions in the buckets too"},
};
// Our own session is idle when the exporter asks, and busy when we do.
constexpr std::string_view kOurIdleSession = "application_name=tocsin";

static_assert(std::size(kDifferences) <= 20);

bool MayDiffer(const std::string& family) {
  return std::any_of(std::begin(kDifferences), std::end(kDifferences),
                     [&](const Difference& one) { return one.family == family; });
}

class DropInTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kExporter)) {
      GTEST_SKIP() << "prometheus-postgres-exporter is not installed (apt-get install it)";
    }
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
    port_ = FreePort();
    auto exporter = ChildProcess::Start(
        {.argv = {kExporter, "--web.listen-address=127.0.0.1:" + std::to_string(port_),
                  std::string("--extend.query-path=") + kQueries},
         .environment = {{"DATA_SOURCE_NAME",
                          "postgresql://postgres@127.0.0.1:" + std::to_string(server_->port()) +
                              "/postgres?sslmode=disable"}}});
    ASSERT_TRUE(exporter.ok()) << exporter.error().message;
    exporter_ = *std::move(exporter);
    ASSERT_TRUE(WaitUntil([&] { return Get(port_, "/").size() > 0; }));
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

  Page Scrape() {
    model::MetricBatch batch;
    const auto parsed = formats::ParseExposition(Get(port_, "/metrics"), {}, batch);
    EXPECT_TRUE(parsed.ok()) << parsed.error().message;
    return Flatten(batch);
  }

  std::unique_ptr<PostgresServer> server_;
  std::unique_ptr<PostgresServer> standby_;
  std::unique_ptr<ChildProcess> exporter_;
  int port_ = 0;
};

TEST_F(DropInTest, FamilyByFamilyWeShowWhatTheExporterShows) {
  PostgresTarget target(Yaml(*server_, "names: \"0.11\"\ncollectors: { process_idle: on }\n"));
  target.Collect();
  Scrape();
  target.Advance(std::chrono::minutes(10));  // The next one reads all again.
  const Page before = Scrape();
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  const Page ours = Flatten(*collection.batch);
  const Page after = Scrape();
  ASSERT_GT(before.values.size(), 500u);

  for (const auto& [family, type] : before.types) {
    if (IsOwnAffair(family)) continue;
    const auto found = ours.types.find(family);
    if (found == ours.types.end()) {
      ADD_FAILURE() << family << " is missing";
      continue;
    }
    EXPECT_EQ(MetricTypeName(found->second), MetricTypeName(type)) << family;
  }
  for (const auto& [key, value] : before.values) {
    const std::string& family = before.families.at(key);
    if (IsOwnAffair(family)) continue;
    const auto found = ours.values.find(key);
    if (found == ours.values.end()) {
      const bool is_ours = key.find(kOurIdleSession) != std::string::npos;
      EXPECT_TRUE(is_ours && MayDiffer(family)) << key << " is missing";
      continue;
    }
    if (MayDiffer(family) || !after.values.contains(key)) continue;
    const double later = after.values.at(key);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(found->second)) << key << " " << found->second;
    } else {  // A gauge that stands still is equal; whatever moves lies in between.
      EXPECT_GE(found->second, std::min(value, later)) << key;
      EXPECT_LE(found->second, std::max(value, later)) << key;
    }
  }
  for (const Difference& difference : kDifferences) {
    EXPECT_TRUE(before.types.contains(std::string(difference.family)))
        << difference.family << " is no longer shown by the exporter: " << difference.why;
  }
}

}  // namespace
}  // namespace tocsin::testing
