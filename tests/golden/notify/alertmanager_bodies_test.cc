// The requests of a real Alertmanager 0.25 (alertmanager-0.25.json, captured with
// the configuration alertmanager-0.25.yml) against ours for the same alerts at the
// same times: bodies equal field by field, in order.

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "daemon/base/text.h"
#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {
namespace {

using nlohmann::ordered_json;

const std::string kFolder = std::string(TOCSIN_SOURCE_DIR) + "/tests/golden/notify/";

std::string ReadAll(const std::string& name) {
  std::ifstream in(kFolder + name);
  std::ostringstream text;
  text << in.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

std::string ReceiverOf(const std::string& url) {
  if (url.starts_with("http://slack.test")) return "/slack";
  if (url.starts_with("http://pagerduty.test")) return "/pd";
  return "/webhook";
}

model::Alert Down(World& world, const std::string& instance, const std::string& starts,
                  const std::string& ends) {
  model::Alert alert;
  alert.labels = {
      {"alertname", "PgDown"}, {"cluster", "c1"}, {"instance", instance}, {"severity", "critical"}};
  alert.annotations = {{"summary", "PG down on " + instance.substr(0, 3)},
                       {"runbook_url", "https://r"}};
  alert.generator_url = "http://p/graph?g0.expr=pg_up+%3D%3D+0";
  alert.starts_at = ParseTime(starts).value();
  alert.ends_at =
      ends.empty() ? world.clock.WallNow() + std::chrono::hours(1) : ParseTime(ends).value();
  return alert;
}

TEST(AlertmanagerBodiesTest, EveryBodyIsEqualFieldByField) {
  World world(Config(ReadAll("alertmanager-0.25.yml")));
  world.Crash();
  world.clock.JumpWall(std::chrono::duration_cast<Millis>(
      ParseTime("2026-11-23T06:16:55.400Z").value() - world.clock.WallNow()));
  world.external_url = "http://am.example:9093";
  world.Restart();
  const std::string start = "2026-11-23T06:16:55.327Z";
  model::Alert slow;
  slow.labels = {{"alertname", "PgSlow"}, {"cluster", "c1"}, {"severity", "warning"}};
  slow.starts_at = ParseTime("2026-11-23T06:16:55.330Z").value();
  slow.ends_at = world.clock.WallNow() + std::chrono::hours(1);
  world.Send({Down(world, "db1:9187", start, ""), Down(world, "db2:9187", start, ""), slow});
  world.Run(std::chrono::seconds(6));
  world.Send({Down(world, "db1:9187", start, "2026-11-23T06:17:01.338Z")});
  world.Run(std::chrono::seconds(5));
  // The capture's sender repeats what has ended, as Prometheus does.
  world.Send({Down(world, "db1:9187", start, "2026-11-23T06:17:01.338Z"),
              Down(world, "db2:9187", start, "2026-11-23T06:17:06.364Z")});
  world.Run(std::chrono::seconds(6));

  std::map<std::string, std::vector<ordered_json>> ours;
  for (const auto& sent : world.http->requests()) {
    ours[ReceiverOf(sent.request.url)].push_back(ordered_json::parse(sent.request.body));
  }
  std::map<std::string, std::vector<ordered_json>> theirs;
  for (const ordered_json& captured : ordered_json::parse(ReadAll("alertmanager-0.25.json"))) {
    ordered_json body = captured["body"];
    // Alertmanager keeps nanoseconds where we keep milliseconds.
    const std::string text = body.dump();
    const std::size_t nanos = text.find(".330561125Z");
    if (nanos != std::string::npos) {
      body = ordered_json::parse(std::string(text).replace(nanos, 11, ".33Z"));
    }
    theirs[captured["path"]].push_back(std::move(body));
  }
  for (const auto& [receiver, bodies] : theirs) {
    ASSERT_EQ(ours[receiver].size(), bodies.size()) << receiver;
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      // dump() keeps the order: equal text is equal order of fields too.
      EXPECT_EQ(ours[receiver][i].dump(1), bodies[i].dump(1)) << receiver << " " << i;
    }
  }
}

}  // namespace
}  // namespace tocsin::notify
