// A PostgreSQL that is stopped while its alerts fire: one alert says so, and speaks for
// all that are held.

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "daemon/base/file_system.h"
#include "daemon/base/mutex.h"
#include "tests/support/daemon_process.h"
#include "tests/support/http_server.h"
#include "tests/support/postgres_server.h"

namespace tocsin::testing {
namespace {

using nlohmann::json;

constexpr const char* kRules = R"(groups:
- name: g
  interval: 1s
  rules:
  - { alert: Connections, expr: pg_settings_max_connections > 1 }
  - { alert: Size, expr: 'pg_database_size_bytes{datname="postgres"} > 1' }
  - { alert: Commits, expr: 'sum by (instance) (pg_stat_database_xact_commit) > 0' }
)";

// Webhook that keeps what it was told of each alert: "firing", "resolved".
class Listener {
 public:
  using Told = std::map<std::string, std::vector<std::string>>;

  std::string Url() const { return server_.Url("/"); }
  Told told() const {
    MutexLock lock(mutex_);
    return told_;
  }

 private:
  mutable Mutex mutex_;
  Told told_ GUARDED_BY(mutex_);
  HttpServer server_{[this](const ServedRequest& request) {
    const json body = json::parse(request.body);
    MutexLock lock(mutex_);
    for (const json& alert : body["alerts"]) {
      told_[alert["labels"]["alertname"]].push_back(alert["status"]);
    }
    return ServedAnswer();
  }};
};

// The shipped rules, whose minute of patience is a second here.
std::string Impatient(std::string rules) {
  const std::string minute = "for: 1m\n";
  for (auto at = rules.find(minute); at != rules.npos; at = rules.find(minute, at)) {
    rules.replace(at, minute.size(), "for: 1s\n");
  }
  return rules;
}

TEST(StoppedSourceTest, OneAlertSpeaksForTheHeld) {
  auto postgres = PostgresServer::Start();
  ASSERT_TRUE(postgres.ok()) << postgres.error().message;
  TemporaryFolder folder;
  PosixFileSystem files;
  const auto shipped = files.Read(TOCSIN_SOURCE_DIR "/rules/booking-platform.yaml");
  ASSERT_TRUE(shipped.ok());
  Listener listener;
  for (const auto& [name, text] : std::map<std::string, std::string>{
           {"rules.yaml", kRules},
           {"shipped.yaml", Impatient(*shipped)},
           {"alertmanager.yml",
            "route: { receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s }\n"
            "receivers: [ { name: hook, webhook_configs: [ { url: '" +
                listener.Url() + "' } ] } ]\n"}}) {
    ASSERT_TRUE(files.WriteAtomically(folder.File(name), text).ok());
  }
  auto started = DaemonProcess::Start("interval: 1s\nrules: [ '" + folder.path() +
                                      "/*.yaml' ]\nalerting: '" + folder.File("alertmanager.yml") +
                                      "'\npostgres: [ { name: primary, dsn: '" +
                                      (*postgres)->Dsn() + "' } ]\n");
  ASSERT_TRUE(started.ok()) << started.error().message;
  DaemonProcess& daemon = **started;
  Listener::Told expected;
  for (const char* alert : {"Connections", "Size", "Commits"}) expected[alert] = {"firing"};
  ASSERT_TRUE(WaitUntil([&] { return listener.told() == expected; })) << json(listener.told());

  (*postgres)->Stop(PostgresServer::How::kImmediate);
  expected["PostgresDown"] = {"firing"};
  ASSERT_TRUE(WaitUntil([&] { return listener.told() == expected; })) << json(listener.told());
  // Five polls and slots later.
  const auto polls = daemon.Query("count_over_time(pg_up[1h])").value_or(0);
  ASSERT_TRUE(daemon.WaitForValue(
      "clamp_max(count_over_time(pg_up[1h]), " + std::to_string(polls + 5) + ")", polls + 5));
  EXPECT_EQ(listener.told(), expected) << json(listener.told());
  std::map<std::string, bool> held;
  const json answer = json::parse(daemon.Get("/api/v1/alerts").body);
  for (const json& alert : answer["data"]["alerts"]) {
    if (alert["state"] == "firing") {
      held[alert["labels"]["alertname"]] = alert.contains("holdReason");
    }
  }
  EXPECT_EQ(held,
            (std::map<std::string, bool>{
                {"Connections", true}, {"Size", true}, {"Commits", true}, {"PostgresDown", false}}))
      << json(held);
}

}  // namespace
}  // namespace tocsin::testing
