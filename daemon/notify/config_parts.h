#pragma once

// Pieces that the parsers of this room's configuration share. Internal.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/config_node.h"
#include "daemon/base/file_system.h"
#include "daemon/notify/notify_config.h"

namespace tocsin::notify {

// `smtp_*` of `global`: what a mail's settings are unless its receiver has its own.
struct SmtpDefaults {
  std::string from;
  std::string smarthost;
  std::string hello = "localhost";
  std::string auth_username;
  Secret auth_password;
  Secret auth_secret;
  std::string auth_identity;
  bool require_tls = true;
  TlsOptions tls;
};

// What `global` sets for every receiver.
struct GlobalDefaults {
  Millis resolve_timeout = std::chrono::minutes(5);
  HttpOptions http;
  Secret slack_api_url;
  Secret slack_app_token;
  std::string slack_app_url = "https://slack.com/api/chat.postMessage";
  std::string pagerduty_url = "https://events.pagerduty.com/v2/enqueue";
  SmtpDefaults smtp;
};

// Adds an error at `key` unless `url` is empty or starts with http:// or https://
// and names a host. The message never holds the URL.
void CheckUrl(ConfigReader& reader, std::string_view key, const std::string& url);

// `key` (a list of matcher texts), `match_key` and `match_re_key` (maps), sorted
// as Alertmanager sorts them.
std::vector<model::Matcher> ReadMatchers(ConfigReader& reader, std::string_view key,
                                         std::string_view match_key, std::string_view match_re_key);

HttpOptions ReadHttpOptions(ConfigReader reader, FileSystem& files, HttpOptions defaults);

std::vector<ReceiverConfig> ReadReceivers(ConfigReader& root, const GlobalDefaults& global,
                                          FileSystem& files);

// email_config.cc
void ReadSmtpDefaults(ConfigReader& global, FileSystem& files, SmtpDefaults& smtp);
EmailConfig ReadEmail(ConfigReader& reader, const GlobalDefaults& global, FileSystem& files);

// A receiver's settings with Alertmanager's default templates.
SlackConfig DefaultSlackConfig();
PagerDutyConfig DefaultPagerDutyConfig();
EmailConfig DefaultEmailConfig();  // Without headers.

// Adds an error for each text of `config` that is no template: of the receivers, the
// routes and the files. `root` is what `config` was read from.
void CheckTemplates(const NotifyConfig& config, const ConfigNode& root, ConfigErrors& errors);

std::vector<NamedTimeInterval> ReadTimeIntervals(ConfigReader& root, std::string_view key);

}  // namespace tocsin::notify
