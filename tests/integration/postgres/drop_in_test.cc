// Beside Debian's own exporter on the same server: under names "0.11" nothing that
// it shows is missing, types and labels are equal, gauges equal, and each counter
// lies between what it shows before and after.

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

// Differences, each with its reason.
bool MayDiffer(const std::string& family) {
  return family == "pg_stat_activity_count" ||            // Our own session is not counted.
         family == "pg_stat_activity_max_tx_duration" ||  // Likewise, and time passes.
         family == "pg_locks_count" ||                    // Each sees its own query's locks.
         family == "pg_settings_extra_float_digits" ||    // The exporter's driver sets its own.
         family == "pg_database_size_bytes";              // Ours may be minutes old.
}

class DropInTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kExporter)) {
      GTEST_SKIP() << "prometheus-postgres-exporter is not installed (apt-get install it)";
    }
    auto started = PostgresServer::Start();
    ASSERT_TRUE(started.ok()) << started.error().message;
    server_ = *std::move(started);
    port_ = FreePort();
    auto exporter = ChildProcess::Start(
        {.argv = {kExporter, "--web.listen-address=127.0.0.1:" + std::to_string(port_)},
         .environment = {{"DATA_SOURCE_NAME",
                          "postgresql://postgres@127.0.0.1:" + std::to_string(server_->port()) +
                              "/postgres?sslmode=disable"}}});
    ASSERT_TRUE(exporter.ok()) << exporter.error().message;
    exporter_ = *std::move(exporter);
    ASSERT_TRUE(WaitUntil([&] { return Get(port_, "/").size() > 0; }));
  }

  Page Scrape() {
    model::MetricBatch batch;
    const auto parsed = formats::ParseExposition(Get(port_, "/metrics"), {}, batch);
    EXPECT_TRUE(parsed.ok()) << parsed.error().message;
    return Flatten(batch);
  }

  std::unique_ptr<PostgresServer> server_;
  std::unique_ptr<ChildProcess> exporter_;
  int port_ = 0;
};

TEST_F(DropInTest, FamilyByFamilyWeShowWhatTheExporterShows) {
  PostgresTarget target(Yaml(*server_, "names: \"0.11\"\n"));
  target.Collect();
  Scrape();
  const Page before = Scrape();
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  const Page ours = Flatten(*collection.batch);
  const Page after = Scrape();
  ASSERT_GT(before.values.size(), 400u);

  for (const auto& [family, type] : before.types) {
    if (IsOwnAffair(family)) continue;
    const auto found = ours.types.find(family);
    ASSERT_NE(found, ours.types.end()) << family << " is missing";
    EXPECT_EQ(MetricTypeName(found->second), MetricTypeName(type)) << family;
  }
  for (const auto& [key, value] : before.values) {
    const std::string& family = before.families.at(key);
    if (IsOwnAffair(family)) continue;
    const auto found = ours.values.find(key);
    if (found == ours.values.end()) {
      ADD_FAILURE() << key << " is missing";
      continue;
    }
    if (MayDiffer(family) || !after.values.contains(key)) continue;
    const double later = after.values.at(key);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(found->second)) << key << " " << found->second;
    } else if (before.types.at(family) == model::MetricType::kGauge) {
      EXPECT_DOUBLE_EQ(found->second, value) << key;
    } else {
      EXPECT_GE(found->second, value) << key;
      EXPECT_LE(found->second, later) << key;
    }
  }
}

}  // namespace
}  // namespace tocsin::testing
