#pragma once

// What notify is told to do: Alertmanager's configuration file, or the short
// `notify:` section of tocsin.yaml turned into the same structures. A NotifyConfig
// that came from the functions below cannot be wrong: every route names a
// receiver, every interval exists, every URL, matcher and template is sound, and
// values that a route inherits are filled in. Immutable afterwards; thread-safe to read.
//
// Reference: https://prometheus.io/docs/alerting/latest/configuration/

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/config_node.h"
#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"
#include "daemon/base/secret.h"
#include "daemon/model/labels.h"
#include "daemon/model/matcher.h"
#include "daemon/notify/time_interval.h"

namespace tocsin::notify {

// `http_config`: how a receiver is reached.
struct HttpOptions {
  std::string basic_auth_user;
  Secret basic_auth_password;
  std::string authorization_type = "Bearer";
  Secret authorization;  // The credentials behind the type; empty: none.
  TlsOptions tls;
  std::string proxy_url;
  bool follow_redirects = true;
};

// Texts marked (template) are Go templates over the alert group.

struct SlackField {
  std::string title;  // (template)
  std::string value;  // (template)
  std::optional<bool> is_short;
};

struct SlackConfirmation {
  std::string title, text, ok_text, dismiss_text;  // (template)
};

struct SlackAction {
  std::string type, text, url, style, name, value;  // (template)
  std::optional<SlackConfirmation> confirm;
};

// slack_configs: an incoming webhook, or chat.postMessage with a bot's token.
struct SlackConfig {
  Secret api_url;    // The webhook; empty with an app_token.
  Secret app_token;  // A bot's token; empty with a webhook.
  std::string app_url = "https://slack.com/api/chat.postMessage";
  std::string channel, username, color, title, title_link, pretext, text;  // (template)
  std::string fallback, callback_id, icon_emoji, icon_url, image_url;      // (template)
  std::string thumb_url, footer, message_text;                             // (template)
  std::vector<SlackField> fields;
  std::vector<SlackAction> actions;
  std::vector<std::string> mrkdwn_in;
  bool short_fields = false;
  bool link_names = false;
};

struct PagerDutyImage {
  std::string href, src, alt;  // (template)
};

struct PagerDutyLink {
  std::string href, text;  // (template)
};

// pagerduty_configs: Events API v2.
struct PagerDutyConfig {
  Secret routing_key;
  std::string url = "https://events.pagerduty.com/v2/enqueue";
  std::string client, client_url, description, severity, source;  // (template)
  std::string component, group, event_class;                      // (template)
  std::vector<std::pair<std::string, std::string>> details;       // Value is a template.
  std::vector<PagerDutyImage> images;
  std::vector<PagerDutyLink> links;
};

// webhook_configs: Alertmanager's webhook, version 4.
struct WebhookConfig {
  Secret url;
  std::int64_t max_alerts = 0;  // 0: all.
};

// email_configs: mail by SMTP.
struct EmailConfig {
  std::string to, from;    // (template) Lists of addresses; `from` of one.
  std::string host, port;  // `smarthost`. TLS from the first byte on port 465.
  std::string hello = "localhost";
  std::string auth_username;  // Empty: no authentication.
  Secret auth_password;       // For PLAIN and LOGIN.
  Secret auth_secret;         // For CRAM-MD5.
  std::string auth_identity;
  bool require_tls = true;  // STARTTLS or nothing; false: no STARTTLS.
  TlsOptions tls;
  // By name, in Go's spelling ("Reply-To"); Subject, To and From among them. Value is a template.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string html, text;  // (template)

  static constexpr std::string_view kImplicitTlsPort = "465";
};

// One entry of a receiver's `*_configs`.
struct IntegrationConfig {
  std::variant<SlackConfig, PagerDutyConfig, WebhookConfig, EmailConfig> settings;
  std::string id;  // "RECEIVER/slack/0": names it in the log, metrics and the database.
  bool send_resolved = true;
  Millis timeout{0};  // Of one attempt; 0: kDefaultAttemptTimeout.
  HttpOptions http;

  // "slack", "pagerduty", "webhook", "email".
  std::string_view Kind() const;

  static constexpr Millis kDefaultAttemptTimeout = std::chrono::seconds(30);
};

struct ReceiverConfig {
  std::string name;
  std::vector<IntegrationConfig> integrations;  // May be empty: told to nobody.
};

// A node of the route tree, inherited values filled in.
struct RouteConfig {
  std::string receiver;
  std::vector<model::Matcher> matchers;  // None: every alert.
  bool continue_matching = false;
  std::vector<std::string> group_by;  // Sorted.
  bool group_by_all = false;          // ['...']
  model::Labels labels;               // Of its notifications. (template)
  Millis group_wait = std::chrono::seconds(30);
  Millis group_interval = std::chrono::minutes(5);
  Millis repeat_interval = std::chrono::hours(4);
  std::vector<std::string> mute_time_intervals;    // Not inherited.
  std::vector<std::string> active_time_intervals;  // Not inherited.
  std::vector<RouteConfig> routes;
};

struct InhibitRule {
  std::vector<model::Matcher> source_matchers;
  std::vector<model::Matcher> target_matchers;
  std::vector<std::string> equal;
  // `equal: ['...']`, ours alone: equal in every label but those that the
  // matchers of either side name.
  bool equal_all_other = false;
};

// A request that goes out only while polling, evaluation and delivery all work.
struct HeartbeatConfig {
  Secret url;
  Millis every = std::chrono::minutes(1);
};

struct NotifyConfig {
  Millis resolve_timeout = std::chrono::minutes(5);
  RouteConfig route;
  std::vector<ReceiverConfig> receivers;
  std::vector<InhibitRule> inhibit_rules;
  std::map<std::string, NamedTimeInterval> time_intervals;
  // `templates`: each file's path and text.
  std::vector<std::pair<std::string, std::string>> templates;
  std::vector<std::string> template_patterns;  // As the file has them.
  std::optional<HeartbeatConfig> heartbeat;

  const ReceiverConfig* FindReceiver(const std::string& name) const;
};

// Reads Alertmanager's configuration file. Everything that is wrong with it is
// added to `errors`, each with its place; the result is null exactly if
// something was. Receiver kinds we do not speak are errors that name the kind.
// `files` reads `*_file` credentials and `templates` (relative to the file).
std::shared_ptr<const NotifyConfig> ParseAlertmanagerConfig(const ConfigNode& root,
                                                            FileSystem& files,
                                                            ConfigErrors& errors);

// Reads `heartbeat: {url | url_file, every}` of `section`; nothing if there is none.
std::optional<HeartbeatConfig> ParseHeartbeat(ConfigReader& section, FileSystem& files);

// Reads the short form, the value of `notify` in tocsin.yaml:
//   slack:      {webhook_url | webhook_url_file, channel, url}
//   pagerduty:  {routing_key | routing_key_file, url}
//   webhook:    {url | url_file}
//   heartbeat:  {url | url_file, every}
// Critical pages PagerDuty and tells Slack, everything else tells Slack, the
// webhook hears all; grouped by alertname and instance. A critical alert mutes the
// warning that equals it in every label but severity. Errors as above; no
// section (a null node) is a configuration that tells nobody.
std::shared_ptr<const NotifyConfig> ParseShortForm(ConfigReader section, FileSystem& files);

// The alertmanager.yml that `config` stands for. Credentials read "<secret>", as
// Alertmanager shows them.
std::string PrintAlertmanager(const NotifyConfig& config);

}  // namespace tocsin::notify
