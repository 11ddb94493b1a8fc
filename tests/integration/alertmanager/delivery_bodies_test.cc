// What Slack, PagerDuty and a webhook are sent is what Debian's Alertmanager sends them.

#include "tests/integration/alertmanager/delivery_side_by_side.h"

namespace tocsin::testing {
namespace {

// Each kind of receiver with Alertmanager's defaults and with all that can be set.
constexpr const char* kEveryField = R"(
global: { slack_api_url: '{url}/slack', pagerduty_url: '{url}/pagerduty' }
route:
  receiver: defaults
  group_by: [alertname, cluster]
  group_wait: 1s
  group_interval: 3s
  routes: [ { receiver: set, continue: true }, { receiver: defaults } ]
receivers:
- name: defaults
  slack_configs: [ { channel: '#db', send_resolved: true } ]
  pagerduty_configs: [ { routing_key: 0123456789abcdef0123456789abcdef } ]
  webhook_configs: [ { url: '{url}/webhook' } ]
- name: set
  slack_configs:
  - api_url: '{url}/slack-set'
    channel: '#{{ .CommonLabels.cluster }}'
    username: bell
    icon_emoji: ':bell:'
    icon_url: 'https://icons.test/{{ .Status }}.png'
    link_names: true
    color: '{{ if eq .Status "firing" }}#ff0000{{ else }}good{{ end }}'
    title: '{{ with .CommonLabels.cluster }}{{ $.Status | toUpper }} <{{ . }}> & {{ $.Alerts.Firing | len }}{{ end }}'
    title_link: '{{ .ExternalURL }}/{{ .Receiver }}'
    pretext: '{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}'
    text: '{{ range .Alerts }}{{ .Annotations.summary }} since {{ .StartsAt }}{{ "\n" }}{{ end }}'
    fallback: '{{ template "slack.default.fallback" . }}'
    footer: '{{ .GroupLabels.Names }} {{ .GroupLabels.Values }} {{ (.CommonLabels.Remove .GroupLabels.Names).SortedPairs }}'
    callback_id: '{{ .CommonLabels.alertname }}'
    image_url: 'https://images.test/a.png'
    thumb_url: 'https://images.test/b.png'
    mrkdwn_in: [ text ]
    short_fields: true
    fields:
    - { title: '{{ .CommonLabels.alertname }}', value: '{{ .CommonLabels.cluster }}' }
    - { title: '{{ .CommonLabels.cluster }}', value: '{{ .Alerts.Firing | len }}', short: false }
    actions:
    - { type: button, text: Runbook, url: 'https://r.test/{{ .CommonLabels.alertname }}', style: danger }
    - { type: button, text: Mute, name: mute, value: '{{ .CommonLabels.cluster }}',
        confirm: { text: 'Sure?', title: Mute, ok_text: 'Yes', dismiss_text: 'No' } }
    - { type: button, text: Link, url: 'https://r.test/', name: n, value: v, confirm: { text: Sure } }
    - { type: button, text: Empty, name: e, confirm: { text: '{{ .CommonLabels.cluster }}' } }
    send_resolved: true
  pagerduty_configs:
  - routing_key: fedcba9876543210fedcba9876543210
    url: '{url}/pagerduty-set'
    client: bell
    client_url: '{{ .ExternalURL }}'
    description: '{{ .CommonLabels.alertname }} on {{ .CommonLabels.cluster }}'
    severity: '{{ .CommonLabels.severity }}'
    source: '{{ .CommonLabels.alertname }}'
    class: '{{ .Status }}'
    component: database
    group: '{{ .Receiver }}'
    details: { firing: '{{ .Alerts.Firing | len }}', own: '{{ .CommonAnnotations.summary }}' }
    images: [ { src: 'https://images.test/a.png', alt: picture, href: 'https://a.test/' },
              { src: '{{ .CommonLabels.cluster }}', alt: none } ]
    links: [ { href: 'https://l.test/{{ .Status }}', text: more }, { href: '{{ .CommonLabels.cluster }}', text: none } ]
  webhook_configs: [ { url: '{url}/webhook-set', max_alerts: 9 } ]
)";

TEST_F(DeliverySideBySideTest, EveryBodyIsTheSame) {
  Start(kEveryField);
  if (HasFatalFailure()) return;
  const auto pool = [&](const std::string& instance) {
    json alert = Alert("PoolExhausted", {{"cluster", "eu"},
                                         {"severity", "warning"},
                                         {"instance", instance},
                                         {"sql", "select 'a\\b' \"c\"\n\t<d> & ü 𝄞"}});
    alert["annotations"] = {{"summary", "no \"connections\" <left> on " + instance},
                            {"runbook_url", "https://r.test/?a=1&b=2"}};
    alert["generatorURL"] = "http://prometheus.test/graph?g0.expr=up&g0.tab=1";
    return alert;
  };
  const auto lag = Alert("Lag", {{"severity", "info"}});
  const std::vector<std::string> kReceivers = {"slack",     "pagerduty",     "webhook",
                                               "slack-set", "pagerduty-set", "webhook-set"};
  const auto wait_for = [&](std::size_t count) {
    for (const std::string& receiver : kReceivers) {
      ASSERT_TRUE(WaitForBoth(receiver, count)) << receiver;
    }
  };
  // Two groups; one grows and shrinks; both end.
  Post(json::array({pool("db1:9187"), lag, pool("db2:9187")}));
  wait_for(2);
  const json first_ended = Ended(pool("db1:9187"));
  Post(json::array({first_ended, pool("db3:9187")}));
  wait_for(3);
  Post(json::array({Ended(pool("db2:9187")), Ended(pool("db3:9187")), Ended(lag)}));
  wait_for(5);

  for (const std::string& receiver : kReceivers) {
    SCOPED_TRACE(receiver);
    const auto sent = [&](const Side& side) {
      std::map<std::string, std::vector<Told>> by_group;  // Groups are told in any order.
      for (const Told& told : Requests(side, receiver)) {
        const bool is_lag = told.request.body.find("PoolExhausted") == std::string::npos;
        by_group[is_lag ? "lag" : "pool"].push_back(told);
      }
      return by_group;
    };
    const auto theirs = sent(theirs_);
    const auto ours = sent(ours_);
    for (const std::string group : {"pool", "lag"}) {
      SCOPED_TRACE(group);
      ASSERT_EQ(theirs.at(group).size(), ours.at(group).size());
      for (std::size_t i = 0; i < theirs.at(group).size(); ++i) {
        const Told& a = theirs.at(group)[i];
        const Told& b = ours.at(group)[i];
        EXPECT_TRUE(a.body == b.body)
            << "from theirs to ours: " << json::diff(a.body, b.body).dump(1)
            << "\ntheirs: " << a.request.body;
        EXPECT_EQ(a.request.method, b.request.method);
        EXPECT_EQ(a.request.Header("Content-Type"), b.request.Header("Content-Type"));
      }
    }
  }
}

}  // namespace
}  // namespace tocsin::testing
