// Receivers and their integrations, as Alertmanager's file has them.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "daemon/base/text.h"
#include "daemon/notify/config_parts.h"

namespace tocsin::notify {
namespace {

// What Alertmanager speaks and we do not (yet).
constexpr std::array<std::string_view, 14> kUnsupportedKinds = {
    "opsgenie", "pushover", "victorops", "wechat", "sns",        "telegram",   "discord",
    "webex",    "msteams",  "msteamsv2", "jira",   "rocketchat", "mattermost", "incidentio"};

std::string DefaultTemplate(std::string_view name) {
  return fmt::format("{{{{ template \"{}\" . }}}}", name);
}

SlackAction ReadSlackAction(ConfigReader& reader) {
  SlackAction action;
  action.type = reader.RequiredString("type");
  action.text = reader.RequiredString("text");
  action.url = reader.String("url");
  action.style = reader.String("style");
  action.name = reader.String("name");
  action.value = reader.String("value");
  if (action.url.empty() && action.name.empty()) {
    reader.Fail("url", "an action needs \"url\" or \"name\"");
  }
  if (reader.Has("confirm")) {
    ConfigReader confirm = reader.Map("confirm");
    action.confirm = SlackConfirmation{};
    action.confirm->text = confirm.RequiredString("text");
    action.confirm->title = confirm.String("title");
    action.confirm->ok_text = confirm.String("ok_text");
    action.confirm->dismiss_text = confirm.String("dismiss_text");
    confirm.Finish();
  }
  if (!action.url.empty()) {
    // A link sends nothing back, as Alertmanager has it.
    action.name.clear();
    action.value.clear();
    action.confirm.reset();
  }
  reader.Finish();
  return action;
}

// The webhook or the bot's token, from here or from `global`.
void ReadSlackAddress(ConfigReader& reader, const GlobalDefaults& global, FileSystem& files,
                      SlackConfig& slack) {
  slack.api_url = reader.SecretValue("api_url", files);
  slack.app_token = reader.SecretValue("app_token", files);
  slack.app_url = reader.String("app_url", global.slack_app_url);
  CheckUrl(reader, "api_url", slack.api_url.Reveal());
  CheckUrl(reader, "app_url", slack.app_url);
  if (!slack.api_url.empty() && !slack.app_token.empty()) {
    reader.Fail("app_token", "\"api_url\" and \"app_token\" are both set: keep one of them");
  }
  if (!slack.api_url.empty() || !slack.app_token.empty()) return;
  slack.api_url = global.slack_api_url;
  if (slack.api_url.empty()) slack.app_token = global.slack_app_token;
  if (slack.api_url.empty() && slack.app_token.empty()) {
    reader.Fail("api_url",
                "no Slack webhook: set \"api_url\", \"api_url_file\" or "
                "\"app_token\" here, or \"slack_api_url\" in global");
  }
}

SlackConfig ReadSlack(ConfigReader& reader, const GlobalDefaults& global, FileSystem& files) {
  SlackConfig slack = DefaultSlackConfig();
  ReadSlackAddress(reader, global, files, slack);
  const auto take = [&](std::string_view key, std::string& into) {
    into = reader.String(key, into);
  };
  take("channel", slack.channel);
  take("username", slack.username);
  take("color", slack.color);
  take("title", slack.title);
  take("title_link", slack.title_link);
  take("pretext", slack.pretext);
  take("text", slack.text);
  take("fallback", slack.fallback);
  take("callback_id", slack.callback_id);
  take("icon_emoji", slack.icon_emoji);
  take("icon_url", slack.icon_url);
  take("image_url", slack.image_url);
  take("thumb_url", slack.thumb_url);
  take("footer", slack.footer);
  take("message_text", slack.message_text);
  slack.short_fields = reader.Bool("short_fields", false);
  slack.link_names = reader.Bool("link_names", false);
  if (reader.Has("mrkdwn_in")) slack.mrkdwn_in = reader.Strings("mrkdwn_in");
  for (ConfigReader& field : reader.Maps("fields")) {
    SlackField parsed{field.RequiredString("title"), field.RequiredString("value"), {}};
    if (field.Has("short")) parsed.is_short = field.Bool("short", false);
    field.Finish();
    slack.fields.push_back(std::move(parsed));
  }
  for (ConfigReader& action : reader.Maps("actions")) {
    slack.actions.push_back(ReadSlackAction(action));
  }
  if (!slack.app_token.empty() && slack.channel.empty()) {
    reader.Fail("channel", "\"channel\" is required with a bot's token");
  }
  return slack;
}

PagerDutyConfig ReadPagerDuty(ConfigReader& reader, const GlobalDefaults& global,
                              FileSystem& files) {
  PagerDutyConfig pagerduty = DefaultPagerDutyConfig();
  pagerduty.routing_key = reader.SecretValue("routing_key", files);
  for (const std::string_view key : {"service_key", "service_key_file"}) {
    if (reader.Has(key)) {
      reader.Fail(key, "Events API v1 is not supported: use \"routing_key\" (Events API v2)");
    }
  }
  if (pagerduty.routing_key.empty() && !reader.Has("routing_key_file") &&
      !reader.Has("service_key") && !reader.Has("service_key_file")) {
    reader.Fail("routing_key", "\"routing_key\" or \"routing_key_file\" is required");
  }
  pagerduty.url = reader.String("url", global.pagerduty_url);
  CheckUrl(reader, "url", pagerduty.url);
  const auto take = [&](std::string_view key, std::string& into) {
    into = reader.String(key, into);
  };
  take("client", pagerduty.client);
  take("client_url", pagerduty.client_url);
  take("description", pagerduty.description);
  take("severity", pagerduty.severity);
  pagerduty.source = reader.String("source", pagerduty.client);
  take("component", pagerduty.component);
  take("group", pagerduty.group);
  take("class", pagerduty.event_class);
  for (auto& [name, text] : reader.StringMap("details")) {
    const auto known = std::find_if(pagerduty.details.begin(), pagerduty.details.end(),
                                    [&](const auto& detail) { return detail.first == name; });
    if (known != pagerduty.details.end()) {
      known->second = text;
    } else {
      pagerduty.details.emplace_back(name, text);
    }
  }
  for (ConfigReader& image : reader.Maps("images")) {
    pagerduty.images.push_back({image.String("href"), image.String("src"), image.String("alt")});
    image.Finish();
  }
  for (ConfigReader& link : reader.Maps("links")) {
    pagerduty.links.push_back({link.String("href"), link.String("text")});
    link.Finish();
  }
  return pagerduty;
}

WebhookConfig ReadWebhook(ConfigReader& reader, FileSystem& files) {
  WebhookConfig webhook;
  webhook.url = reader.SecretValue("url", files);
  if (webhook.url.empty() && !reader.Has("url_file")) {
    reader.Fail("url", "\"url\" or \"url_file\" is required");
  }
  CheckUrl(reader, "url", webhook.url.Reveal());
  webhook.max_alerts = reader.Int("max_alerts", 0, 0, 1'000'000);
  return webhook;
}

ReceiverConfig ReadReceiver(ConfigReader& reader, const GlobalDefaults& global, FileSystem& files) {
  ReceiverConfig receiver;
  receiver.name = reader.RequiredString("name");
  const auto add = [&](std::string_view kind, bool send_resolved, auto read) {
    int index = 0;
    for (ConfigReader& entry : reader.Maps(std::string(kind) + "_configs")) {
      IntegrationConfig integration;
      integration.id = fmt::format("{}/{}/{}", receiver.name, kind, index++);
      integration.send_resolved = entry.Bool("send_resolved", send_resolved);
      integration.timeout = entry.Duration("timeout", Millis(0));
      if (kind != "email") {
        integration.http = ReadHttpOptions(entry.Map("http_config"), files, global.http);
      }
      integration.settings = read(entry);
      entry.Finish();
      receiver.integrations.push_back(std::move(integration));
    }
  };
  add("webhook", true, [&](ConfigReader& entry) { return ReadWebhook(entry, files); });
  add("email", false, [&](ConfigReader& entry) { return ReadEmail(entry, global, files); });
  add("pagerduty", true, [&](ConfigReader& entry) { return ReadPagerDuty(entry, global, files); });
  add("slack", false, [&](ConfigReader& entry) { return ReadSlack(entry, global, files); });
  for (const std::string_view kind : kUnsupportedKinds) {
    const std::string key = std::string(kind) + "_configs";
    if (!reader.Has(key)) continue;
    reader.Fail(key, fmt::format("receivers of kind \"{}\" are not supported; supported: slack, "
                                 "pagerduty, webhook, email",
                                 kind));
  }
  reader.Finish();
  return receiver;
}

}  // namespace

SlackConfig DefaultSlackConfig() {
  SlackConfig slack;
  slack.color = "{{ if eq .Status \"firing\" }}danger{{ else }}good{{ end }}";
  slack.username = DefaultTemplate("slack.default.username");
  slack.title = DefaultTemplate("slack.default.title");
  slack.title_link = DefaultTemplate("slack.default.titlelink");
  slack.pretext = DefaultTemplate("slack.default.pretext");
  slack.text = DefaultTemplate("slack.default.text");
  slack.fallback = DefaultTemplate("slack.default.fallback");
  slack.callback_id = DefaultTemplate("slack.default.callbackid");
  slack.icon_emoji = DefaultTemplate("slack.default.iconemoji");
  slack.icon_url = DefaultTemplate("slack.default.iconurl");
  slack.footer = DefaultTemplate("slack.default.footer");
  slack.mrkdwn_in = {"fallback", "pretext", "text"};
  return slack;
}

PagerDutyConfig DefaultPagerDutyConfig() {
  PagerDutyConfig pagerduty;
  pagerduty.client = DefaultTemplate("pagerduty.default.client");
  pagerduty.client_url = DefaultTemplate("pagerduty.default.clientURL");
  pagerduty.description = DefaultTemplate("pagerduty.default.description");
  pagerduty.source = pagerduty.client;
  pagerduty.severity = "error";
  pagerduty.details = {
      {"firing", "{{ template \"pagerduty.default.instances\" .Alerts.Firing }}"},
      {"resolved", "{{ template \"pagerduty.default.instances\" .Alerts.Resolved }}"},
      {"num_firing", "{{ .Alerts.Firing | len }}"},
      {"num_resolved", "{{ .Alerts.Resolved | len }}"},
  };
  return pagerduty;
}

std::vector<ReceiverConfig> ReadReceivers(ConfigReader& root, const GlobalDefaults& global,
                                          FileSystem& files) {
  std::vector<ReceiverConfig> receivers;
  for (ConfigReader& entry : root.Maps("receivers")) {
    ReceiverConfig receiver = ReadReceiver(entry, global, files);
    const bool twice = std::any_of(receivers.begin(), receivers.end(),
                                   [&](const auto& other) { return other.name == receiver.name; });
    if (twice && !receiver.name.empty()) {
      entry.Fail("name", fmt::format("receiver \"{}\" is defined twice", receiver.name));
    }
    receivers.push_back(std::move(receiver));
  }
  return receivers;
}

}  // namespace tocsin::notify
