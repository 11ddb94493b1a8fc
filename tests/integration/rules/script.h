#pragma once

// A page whose series change at told seconds, the rules over it and how they are told:
// what Prometheus with Alertmanager and Tocsin are shown at the same time.

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "tests/support/http_server.h"

namespace tocsin::testing {

// From that second on a series has this value, or is not there.
struct Turn {
  double second = 0;
  std::optional<double> value;
};
using Script = std::map<std::string, std::vector<Turn>>;  // By series.

// Serves the script's page at any path; "/sick" fails from one second to another.
// Before Begin() it stands at second 0. Thread-safe.
class ScriptedPage {
 public:
  ScriptedPage(Script script, double sick_from, double sick_to)
      : script_(std::move(script)), sick_from_(sick_from), sick_to_(sick_to) {}

  std::string Url(const std::string& path) const { return server_.Url(path); }

  void Begin() { begin_ = clock_.WallNow().time_since_epoch(); }
  WallTime began() const { return WallTime(begin_.load()); }
  // Seconds since Begin().
  double Second(WallTime time) const { return ToSeconds(time.time_since_epoch() - begin_.load()); }
  double Now() const { return begin_.load() == Millis(0) ? 0 : Second(clock_.WallNow()); }

 private:
  ServedAnswer Answer(const ServedRequest& request) const {
    const double now = Now();
    ServedAnswer answer;
    answer.headers.emplace_back("Content-Type", "text/plain; version=0.0.4");
    if (request.target == "/sick") {
      answer.body = "pulse 1\n";
      if (now >= sick_from_ && now < sick_to_) answer.status = 500;
      return answer;
    }
    for (const auto& [series, turns] : script_) {
      std::optional<double> value;
      for (const Turn& turn : turns) {
        if (turn.second <= now) value = turn.value;
      }
      if (value) answer.body += series + " " + std::to_string(*value) + "\n";
    }
    return answer;
  }

  const Script script_;
  const double sick_from_;
  const double sick_to_;
  SystemClock clock_;
  std::atomic<Millis> begin_{Millis(0)};
  HttpServer server_{[this](const ServedRequest& request) { return Answer(request); }};
};

inline Script SideBySideScript() {
  const auto flag = [](const std::string& name) { return "flag{name=\"" + name + "\"}"; };
  return {
      {"load{shard=\"1\"}", {{0, 5}, {4, 15}, {12, 25}, {20, 5}}},
      {"load{shard=\"2\"}", {{0, 1}}},
      {flag("forever"), {{0, 0}, {4, 1}}},
      {flag("kept"), {{0, 0}, {4, 1}, {8, 0}}},
      {flag("gone"), {{0, 1}, {6, std::nullopt}, {16, 1}}},
      {flag("pair1"), {{0, 0}, {4, 1}, {14, 0}}},
      {flag("pair2"), {{0, 0}, {4, 1}, {22, 0}}},
      {flag("many1"), {{0, 0}, {4, 1}, {24, 0}}},
      {flag("many2"), {{0, 0}, {10, 1}, {16, 0}}},
      {flag("brief"), {{0, 0}, {8, 1}, {12, 0}}},
      // Where the two differ on purpose.
      {"level", {{0, 0}, {4, 90}, {9, 70}, {15, 50}}},
      {flag("hushed"), {{0, 0}, {3, 1}, {11, 0}}},
      {flag("waking"), {{0, 0}, {3, 1}}},
      {flag("limited"), {{0, 0}, {3, 1}, {7, 0}}},
      {flag("mild"), {{0, 0}, {3, 1}}},
      {flag("urgent"), {{0, 0}, {7, 1}}},
  };
}
constexpr double kSickFrom = 8;
constexpr double kSickTo = 14;
constexpr double kScriptEnds = 27;

constexpr const char* kSideBySideRules = R"y(groups:
- name: chained
  interval: 1s
  rules:
  - { record: "job:load:sum", expr: "sum by(job)(load)", labels: { kind: recorded } }
  - { record: "job:load:double", expr: '2*job:load:sum{kind="recorded"}' }
  - { record: broken, expr: flag * on(job) load }
  - alert: Loaded
    expr: 'job:load:double>20'
    for: 2s
    labels: { severity: warning, team: 'of {{ $labels.kind }} {{ .Labels.job }}' }
    annotations:
      summary: 'load of {{ $labels.job }} in {{ $externalLabels.cluster }}'
      wrong: '{{ query "none" | first | value }}'
- name: states
  interval: 1s
  rules:
  - alert: Forever
    expr: '1536 * flag{name="forever"} > 0'
    for: 2s
    annotations:
      value: '{{ $value | humanize }} of {{ $labels.name }}'
      shards: '{{ with query "sort(load)" }}{{ range . }}{{ .Labels.shard }}={{ .Value | printf "%.1f" }} {{ end }}{{ end }}'
  - { alert: Slow, expr: 'flag{name="forever"} == 1', for: 1h }
  - { alert: Kept, expr: 'flag{name="kept"} == 1', keep_firing_for: 5s, labels: { severity: warning } }
  - { alert: Gone, expr: 'absent(flag{name="gone",job="app"})', for: 3s }
  - { alert: Pair, expr: 'flag{name=~"pair."} == 1', annotations: { name: '{{ $labels.name }}' } }
  - { alert: Brief, expr: 'flag{name="brief"} == 1', for: 10s }
  - { alert: SickDown, expr: 'up{job="sick"} == 0' }
- name: over alerts
  interval: 1s
  rules:
  - { alert: AnyLoaded, expr: 'count by (alertname) (ALERTS{alertname="Loaded",alertstate="firing"}) > 0' }
  - { record: "loaded:since", expr: 'count(ALERTS_FOR_STATE{alertname="Loaded"})' }
- name: limited
  interval: 1s
  limit: 1
  rules:
  - { alert: Many, expr: 'flag{name=~"many."} == 1' }
  - { record: "too:many", expr: 'load' }
- name: differing
  interval: 1s
  rules:
  - { alert: Held, expr: pulse == 1, labels: { case: held } }
  - { alert: Hysteresis, expr: level > 80, labels: { case: hysteresis }, annotations: { tocsin_resolve_when: level < 60 } }
  - { alert: Valued, expr: level > 80, labels: { case: value }, annotations: { text: 'level is {{ $value }}' } }
  - { alert: Hushed, expr: 'flag{name="hushed"} == 1', labels: { case: silence } }
  - { alert: Waking, expr: 'flag{name="waking"} == 1', labels: { case: silence } }
  - { alert: Limited, expr: 'flag{name="limited"} == 1', labels: { case: limited } }
  - { alert: Mild, expr: 'flag{name="mild"} == 1', labels: { case: known, severity: warning } }
  - { alert: Urgent, expr: 'flag{name="urgent"} == 1', labels: { case: known, severity: critical } }
)y";

// Each receiver at a path of its own below `url`.
inline std::string SideBySideAlerting(const std::string& url) {
  return "route: { receiver: same, group_by: [alertname], group_wait: 1s, group_interval: 2s,\n"
         "  routes: [ { matchers: ['case=\"limited\"'], receiver: limited, group_wait: 0s,\n"
         "              group_interval: 6s },\n"
         "            { matchers: ['case=\"known\"'], receiver: differs, group_by: [case],\n"
         "              group_wait: 0s, group_interval: 14s },\n"
         "            { matchers: ['case!=\"\"'], receiver: differs } ] }\n"
         "receivers:\n"
         "- { name: same, webhook_configs: [ { url: '" +
         url +
         "/same' } ] }\n"
         "- { name: differs, webhook_configs: [ { url: '" +
         url +
         "/differs' } ] }\n"
         "- { name: limited, webhook_configs: [ { url: '" +
         url + "/limited' } ] }\n";
}

}  // namespace tocsin::testing
