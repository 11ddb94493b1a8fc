#include "tests/demo/watched_daemon.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/demo/derive_rules.h"

namespace tocsin::demo {
namespace {

using testing::ChildProcess;

constexpr std::chrono::seconds kStartLimit{20};
constexpr std::chrono::seconds kStopLimit{5};

WallTime Now() { return std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now()); }

bool SameTarget(const SeenTarget& a, const SeenTarget& b) {
  return a.job == b.job && a.instance == b.instance;
}

}  // namespace

std::string DaemonConfig(Servers& servers, int port, const std::string& folder) {
  return fmt::format(R"(listen: 127.0.0.1:{port}
interval: 1s
storage: {{ path: {folder}/data }}

postgres:
  - name: primary
    dsn: "host=127.0.0.1 port={postgres} user=tocsin dbname=postgres"
    log: {{ path: auto }}
pgbouncer:
  - name: pool
    dsn: "host=127.0.0.1 port={pgbouncer} user=tocsin dbname=pgbouncer"
redis:
  - name: cache
    url: redis://127.0.0.1:{redis}
http:
  - name: backend
    url: http://127.0.0.1:{application}/health
    extract: [ {{ pool: sqlalchemy, json: /pool }} ]
prometheus:
  - name: application
    url: http://127.0.0.1:{application}/metrics
host:
  - name: self

rules: [ {folder}/rules.yaml ]
alerting: {folder}/alertmanager.yml
push:
  remote_write: [ {{ url: "http://127.0.0.1:{prometheus}/api/v1/write" }} ]
  pushgateway: [ {{ url: "http://127.0.0.1:{pushgateway}", every: 5s }} ]
)",
                     fmt::arg("port", port), fmt::arg("folder", folder),
                     fmt::arg("postgres", servers.postgres().port()),
                     fmt::arg("pgbouncer", servers.pgbouncer_port()),
                     fmt::arg("redis", servers.redis_port()),
                     fmt::arg("application", servers.application_port()),
                     fmt::arg("prometheus", servers.prometheus_port()),
                     fmt::arg("pushgateway", servers.pushgateway_port()));
}

std::string AlertingConfig(const StandIns& standins) {
  return fmt::format(R"(route:
  receiver: slack
  group_by: [alertname, instance]
  group_wait: 1s
  group_interval: 5s
  repeat_interval: 4h
  routes:
    - matchers: [ severity="critical" ]
      receiver: oncall
      group_wait: 0s
receivers:
  - name: slack
    slack_configs: &slack
      - api_url: {slack}
        channel: '#oncall'
        send_resolved: true
        text: |-
          severity={{{{ .CommonLabels.severity }}}}
          {{{{ range .Alerts }}}}{{{{ .Annotations.summary }}}}
          {{{{ .Annotations.runbook }}}}
          {{{{ end }}}}
  - name: oncall
    slack_configs: *slack
    pagerduty_configs:
      - routing_key: {key}
        url: {pagerduty}
        severity: '{{{{ .CommonLabels.severity }}}}'
        send_resolved: true
inhibit_rules:
  - source_matchers: [ severity="critical" ]
    target_matchers: [ severity="warning" ]
    equal: [ alertname, job, instance, pool, database, user, datname ]
)",
                     fmt::arg("slack", standins.slack_url()),
                     fmt::arg("pagerduty", standins.pagerduty_url()),
                     fmt::arg("key", standins.routing_key()));
}

Result<std::unique_ptr<WatchedDaemon>> WatchedDaemon::Start(const Options& options,
                                                            Servers& servers,
                                                            const StandIns& standins,
                                                            Screen& screen) {
  const int port = testing::FreePort();
  std::unique_ptr<WatchedDaemon> daemon(new WatchedDaemon(port, screen));
  const std::string& folder = options.folder;
  TOCSIN_ASSIGN_OR_RETURN(const auto shipped,
                          ReadText(options.source + "/rules/booking-platform.yaml"));
  TOCSIN_RETURN_IF_ERROR(WriteText(folder + "/rules.yaml", DeriveRules(shipped)));
  TOCSIN_RETURN_IF_ERROR(WriteText(folder + "/alertmanager.yml", AlertingConfig(standins)));
  TOCSIN_RETURN_IF_ERROR(WriteText(folder + "/tocsin.yaml", DaemonConfig(servers, port, folder)));
  TOCSIN_RETURN_IF_ERROR(testing::ChangeOwner(folder, options.user));

  testing::ProcessOptions process;
  process.argv = {options.program, "run", "--config", folder + "/tocsin.yaml"};
  process.user = options.user;
  process.directory = folder;
  process.output = folder + "/tocsin.out";
  TOCSIN_ASSIGN_OR_RETURN(daemon->process_, ChildProcess::Start(process));
  testing::WaitUntil([&] { return !daemon->Running() || daemon->api_.Ready(); }, kStartLimit);
  if (!daemon->Running() || !daemon->api_.Ready()) {
    return Error{ErrorCode::kUnavailable, "tocsin did not start:\n" + daemon->Output()};
  }
  return daemon;
}

WatchedDaemon::~WatchedDaemon() {
  if (!process_) return;
  process_->Signal(SIGTERM);
  if (!process_->Wait(kStopLimit)) screen_.Problem("tocsin did not stop within five seconds");
}

void WatchedDaemon::Poll() {
  PollTargets();
  PollAlerts();
}

void WatchedDaemon::PollTargets() {
  auto targets = api_.Targets();
  if (!targets.ok()) return;
  for (const auto& target : *targets) {
    const auto before =
        std::find_if(targets_.begin(), targets_.end(),
                     [&](const SeenTarget& known) { return SameTarget(known, target); });
    const bool changed = before == targets_.end() || before->health != target.health;
    if (changed && target.health != "unknown") screen_.Target(target);
  }
  targets_ = std::move(targets).value();
}

void WatchedDaemon::PollAlerts() {
  auto alerts = api_.Alerts();
  if (!alerts.ok()) return;
  const auto find = [](const std::vector<SeenAlert>& in, const SeenAlert& alert) {
    return std::find_if(in.begin(), in.end(),
                        [&](const SeenAlert& other) { return other.labels == alert.labels; });
  };
  for (const auto& alert : *alerts) {
    const auto before = find(alerts_, alert);
    if (before != alerts_.end() && before->state == alert.state) continue;
    screen_.Alert(alert, alert.state);
    transitions_.push_back({Now(), alert, alert.state});
  }
  for (const auto& before : alerts_) {
    if (find(*alerts, before) != alerts->end()) continue;
    // A pending alert that goes away was nothing.
    if (before.state == "firing") screen_.Alert(before, "resolved");
    transitions_.push_back({Now(), before, "resolved"});
  }
  alerts_ = std::move(alerts).value();
}

bool WatchedDaemon::AllTargetsUp() const {
  return !targets_.empty() && std::all_of(targets_.begin(), targets_.end(),
                                          [](const auto& target) { return target.health == "up"; });
}

}  // namespace tocsin::demo
