// The short `notify:` section, turned into the structures of the long one.

#include <fmt/format.h>

#include "daemon/notify/config_parts.h"
#include "daemon/notify/matcher_text.h"

namespace tocsin::notify {
namespace {

constexpr std::string_view kEverybody = "chat";
constexpr std::string_view kOnCall = "on-call";
constexpr Millis kCriticalGroupWait{0};
constexpr Millis kGroupWait = std::chrono::seconds(10);
constexpr Millis kGroupInterval = std::chrono::minutes(1);
constexpr Millis kRepeatInterval = std::chrono::hours(4);
constexpr Millis kMinHeartbeat = std::chrono::seconds(1);

constexpr std::string_view kTitle =
    "[{{ .Status | toUpper }}{{ if eq .Status \"firing\" }}:{{ .Alerts.Firing | len }}{{ end }}] "
    "{{ .CommonLabels.alertname }}{{ with .CommonLabels.severity }} ({{ . }}){{ end }}"
    "{{ with .CommonLabels.instance }} on {{ . }}{{ end }}";

// A line for each alert: what it is, the values, where to look.
constexpr std::string_view kText =
    "{{ range .Alerts }}{{ if eq .Status \"resolved\" }}Resolved: {{ end }}"
    "{{ with .Annotations.summary }}*{{ . }}*{{ else }}*{{ .Labels.alertname }}*{{ end }}"
    "{{ with .Annotations.description }}\n{{ . }}{{ end }}"
    "{{ with .Annotations.runbook_url }}\n<{{ . }}|Runbook>{{ end }}\n{{ end }}";

constexpr std::string_view kSummary =
    "{{ with .CommonLabels.severity }}{{ . | toUpper }}: {{ end }}"
    "{{ with .CommonAnnotations.summary }}{{ . }}{{ else }}"
    "{{ template \"pagerduty.default.description\" . }}{{ end }}";

model::Matcher SeverityIs(std::string value) {
  return model::Matcher::Make(model::MatchOp::kEqual, "severity", std::move(value)).value();
}

SlackConfig ReadSlack(ConfigReader reader, FileSystem& files) {
  SlackConfig slack = DefaultSlackConfig();
  slack.api_url = reader.SecretValue("webhook_url", files);
  CheckUrl(reader, "webhook_url", slack.api_url.Reveal());
  const std::string stand_in = reader.String("url");
  CheckUrl(reader, "url", stand_in);
  if (!stand_in.empty()) slack.api_url = Secret(stand_in);
  if (slack.api_url.empty() && !reader.Has("webhook_url_file")) {
    reader.Fail("webhook_url", "\"webhook_url\" or \"webhook_url_file\" is required");
  }
  slack.channel = reader.String("channel");
  slack.username = "Tocsin";
  slack.title = kTitle;
  slack.text = kText;
  slack.color =
      "{{ if eq .Status \"resolved\" }}good{{ else if eq .CommonLabels.severity \"warning\" }}"
      "warning{{ else }}danger{{ end }}";
  reader.Finish();
  return slack;
}

PagerDutyConfig ReadPagerDuty(ConfigReader reader, FileSystem& files) {
  PagerDutyConfig pagerduty = DefaultPagerDutyConfig();
  pagerduty.routing_key = reader.SecretValue("routing_key", files);
  if (pagerduty.routing_key.empty() && !reader.Has("routing_key_file")) {
    reader.Fail("routing_key", "\"routing_key\" or \"routing_key_file\" is required");
  }
  pagerduty.url = reader.String("url", pagerduty.url);
  CheckUrl(reader, "url", pagerduty.url);
  pagerduty.client = "Tocsin";
  pagerduty.description = kSummary;
  pagerduty.severity = "{{ .CommonLabels.severity }}";
  pagerduty.source = "{{ with .CommonLabels.instance }}{{ . }}{{ else }}tocsin{{ end }}";
  pagerduty.component = "{{ .CommonLabels.job }}";
  pagerduty.event_class = "{{ .CommonLabels.alertname }}";
  reader.Finish();
  return pagerduty;
}

WebhookConfig ReadWebhook(ConfigReader reader, FileSystem& files) {
  WebhookConfig webhook;
  webhook.url = reader.SecretValue("url", files);
  CheckUrl(reader, "url", webhook.url.Reveal());
  if (webhook.url.empty() && !reader.Has("url_file")) {
    reader.Fail("url", "\"url\" or \"url_file\" is required");
  }
  reader.Finish();
  return webhook;
}

template <class Settings>
void AddIntegration(ReceiverConfig& receiver, const Settings& settings) {
  IntegrationConfig integration;
  integration.settings = settings;
  integration.id = fmt::format("{}/{}/0", receiver.name, integration.Kind());
  receiver.integrations.push_back(std::move(integration));
}

void FillRoutes(NotifyConfig& config) {
  config.route.receiver = kEverybody;
  config.route.group_by = {"alertname", "instance"};
  config.route.group_wait = kGroupWait;
  config.route.group_interval = kGroupInterval;
  config.route.repeat_interval = kRepeatInterval;
  RouteConfig critical = config.route;
  critical.receiver = kOnCall;
  critical.matchers = {SeverityIs("critical")};
  critical.group_wait = kCriticalGroupWait;
  config.route.routes.push_back(std::move(critical));
  InhibitRule rule;
  rule.source_matchers = {SeverityIs("critical")};
  rule.target_matchers = {SeverityIs("warning")};
  rule.equal_all_other = true;
  config.inhibit_rules.push_back(std::move(rule));
}

}  // namespace

std::optional<HeartbeatConfig> ParseHeartbeat(ConfigReader& section, FileSystem& files) {
  if (!section.Has("heartbeat")) return std::nullopt;
  ConfigReader reader = section.Map("heartbeat");
  HeartbeatConfig heartbeat;
  heartbeat.url = reader.SecretValue("url", files);
  CheckUrl(reader, "url", heartbeat.url.Reveal());
  if (heartbeat.url.empty() && !reader.Has("url_file")) {
    reader.Fail("url", "\"url\" or \"url_file\" is required");
  }
  heartbeat.every = reader.Duration("every", heartbeat.every, kMinHeartbeat);
  reader.Finish();
  return heartbeat;
}

std::shared_ptr<const NotifyConfig> ParseShortForm(ConfigReader section, FileSystem& files) {
  const std::size_t errors_before = section.errors().errors().size();
  auto config = std::make_shared<NotifyConfig>();
  FillRoutes(*config);
  ReceiverConfig everybody{std::string(kEverybody), {}};
  ReceiverConfig on_call{std::string(kOnCall), {}};
  if (section.Has("webhook")) {
    const WebhookConfig webhook = ReadWebhook(section.Map("webhook"), files);
    AddIntegration(everybody, webhook);
    AddIntegration(on_call, webhook);
  }
  if (section.Has("pagerduty")) {
    AddIntegration(on_call, ReadPagerDuty(section.Map("pagerduty"), files));
  }
  if (section.Has("slack")) {
    const SlackConfig slack = ReadSlack(section.Map("slack"), files);
    AddIntegration(everybody, slack);
    AddIntegration(on_call, slack);
  }
  config->heartbeat = ParseHeartbeat(section, files);
  section.Finish();
  config->receivers = {std::move(everybody), std::move(on_call)};
  CheckTemplates(*config, section.node(), section.errors());
  if (section.errors().errors().size() > errors_before) return nullptr;
  return config;
}

}  // namespace tocsin::notify
