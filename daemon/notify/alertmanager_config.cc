// Alertmanager's configuration file: global, routes, inhibition, intervals.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <span>

#include "daemon/base/text.h"
#include "daemon/notify/config_parts.h"

namespace tocsin::notify {
namespace {

constexpr int kMaxRouteDepth = 50;
constexpr std::int64_t kMaxTemplateBytes = 1 << 20;

// Settings of `global` for kinds that we do not speak: harmless while no receiver
// of that kind is there, so that shared files load.
constexpr std::array kIgnoredGlobals = {"opsgenie_api_url",
                                        "opsgenie_api_key",
                                        "opsgenie_api_key_file",
                                        "wechat_api_url",
                                        "wechat_api_secret",
                                        "wechat_api_secret_file",
                                        "wechat_api_corp_id",
                                        "victorops_api_url",
                                        "victorops_api_key",
                                        "victorops_api_key_file",
                                        "telegram_api_url",
                                        "telegram_bot_token",
                                        "telegram_bot_token_file",
                                        "webex_api_url",
                                        "jira_api_url",
                                        "rocketchat_api_url",
                                        "rocketchat_token",
                                        "rocketchat_token_file",
                                        "rocketchat_token_id",
                                        "rocketchat_token_id_file",
                                        "mattermost_webhook_url",
                                        "mattermost_webhook_url_file"};

// The settings of mail are ignored, too, unless somebody gets mail: their password file
// may be for other eyes.
constexpr std::array kMailGlobals = {
    "smtp_from",          "smtp_smarthost",          "smtp_hello",       "smtp_auth_username",
    "smtp_auth_password", "smtp_auth_password_file", "smtp_auth_secret", "smtp_auth_secret_file",
    "smtp_auth_identity", "smtp_require_tls",        "smtp_tls_config"};

bool SendsMail(const ConfigNode& root) {
  const ConfigNode* receivers = root.Find("receivers");
  if (receivers == nullptr) return false;
  return std::any_of(
      receivers->items().begin(), receivers->items().end(),
      [](const ConfigNode& receiver) { return receiver.Find("email_configs") != nullptr; });
}

GlobalDefaults ReadGlobal(ConfigReader reader, bool sends_mail, FileSystem& files) {
  GlobalDefaults global;
  global.resolve_timeout = reader.Duration("resolve_timeout", global.resolve_timeout, Millis(1));
  global.http = ReadHttpOptions(reader.Map("http_config"), files, {});
  global.slack_api_url = reader.SecretValue("slack_api_url", files);
  CheckUrl(reader, "slack_api_url", global.slack_api_url.Reveal());
  global.slack_app_token = reader.SecretValue("slack_app_token", files);
  global.slack_app_url = reader.String("slack_app_url", global.slack_app_url);
  CheckUrl(reader, "slack_app_url", global.slack_app_url);
  global.pagerduty_url = reader.String("pagerduty_url", global.pagerduty_url);
  CheckUrl(reader, "pagerduty_url", global.pagerduty_url);
  if (sends_mail) ReadSmtpDefaults(reader, files, global.smtp);
  for (const char* key : kMailGlobals) reader.Node(key);
  for (const char* key : kIgnoredGlobals) reader.Node(key);
  reader.Finish();
  return global;
}

// Reads the tree, checking names against what the file defines.
class RouteReader {
 public:
  RouteReader(const std::vector<ReceiverConfig>& receivers,
              const std::map<std::string, NamedTimeInterval>& intervals) {
    for (const auto& receiver : receivers) receivers_.push_back(receiver.name);
    for (const auto& [name, interval] : intervals) intervals_.push_back(name);
  }

  RouteConfig ReadRoot(ConfigReader reader) {
    if (reader.node().IsNull()) {
      reader.Fail("route", "a \"route\" is required");
      return {};
    }
    if (!reader.Has("receiver")) reader.Fail("receiver", "the root route needs a \"receiver\"");
    for (const std::string_view key :
         {"matchers", "match", "match_re", "mute_time_intervals", "active_time_intervals"}) {
      if (reader.Has(key)) {
        reader.Fail(key, fmt::format("the root route takes every alert, always: it must not have "
                                     "\"{}\"",
                                     key));
      }
    }
    if (reader.Bool("continue", false)) {
      reader.Fail("continue", "the root route must not have \"continue\"");
    }
    return Read(reader, RouteConfig{}, 0);
  }

 private:
  RouteConfig Read(ConfigReader& reader, const RouteConfig& parent, int depth) {
    RouteConfig route;
    route.receiver = reader.String("receiver", parent.receiver);
    CheckName(reader, "receiver", route.receiver, receivers_);
    route.matchers = ReadMatchers(reader, "matchers", "match", "match_re");
    route.continue_matching = reader.Bool("continue", false);
    route.group_by = parent.group_by;
    route.group_by_all = parent.group_by_all;
    if (reader.Has("group_by")) ReadGroupBy(reader, route);
    route.labels = ReadLabels(reader, parent.labels);
    route.group_wait = reader.Duration("group_wait", parent.group_wait);
    route.group_interval = reader.Duration("group_interval", parent.group_interval, Millis(1));
    route.repeat_interval = reader.Duration("repeat_interval", parent.repeat_interval, Millis(1));
    route.mute_time_intervals = ReadIntervalNames(reader, "mute_time_intervals");
    route.active_time_intervals = ReadIntervalNames(reader, "active_time_intervals");
    if (depth == kMaxRouteDepth) {
      reader.Fail("routes", fmt::format("routes are nested deeper than {}", kMaxRouteDepth));
    } else {
      for (ConfigReader& child : reader.Maps("routes")) {
        route.routes.push_back(Read(child, route, depth + 1));
      }
    }
    reader.Finish();
    return route;
  }

  static void ReadGroupBy(ConfigReader& reader, RouteConfig& route) {
    route.group_by = reader.Strings("group_by");
    const auto all = std::find(route.group_by.begin(), route.group_by.end(), "...");
    route.group_by_all = all != route.group_by.end();
    if (route.group_by_all && route.group_by.size() > 1) {
      reader.Fail("group_by", "\"...\" groups by every label: no other name may stand beside it");
    }
    if (route.group_by_all) route.group_by.clear();
    std::sort(route.group_by.begin(), route.group_by.end());
    for (std::size_t i = 0; i < route.group_by.size(); ++i) {
      const std::string& name = route.group_by[i];
      if (!model::IsPlainLabelName(name)) {
        reader.Fail("group_by", fmt::format("\"{}\" is not a label name", name));
      }
      if (i > 0 && route.group_by[i - 1] == name) {
        reader.Fail("group_by", fmt::format("\"{}\" stands twice", name));
      }
    }
  }

  // Those of the parent, under its own.
  static model::Labels ReadLabels(ConfigReader& reader, const model::Labels& inherited) {
    std::map<std::string, std::string> all;
    for (const auto& [name, text] : inherited) all.emplace(name, text);
    for (auto& [name, text] : reader.StringMap("labels")) {
      if (!model::IsPlainLabelName(name)) {
        reader.Fail("labels", fmt::format("\"{}\" is not a label name", name));
      }
      all.insert_or_assign(name, std::move(text));
    }
    return model::Labels::FromMap({all.begin(), all.end()});
  }

  std::vector<std::string> ReadIntervalNames(ConfigReader& reader, std::string_view key) {
    std::vector<std::string> names = reader.Strings(key);
    for (const std::string& name : names) CheckName(reader, key, name, intervals_);
    return names;
  }

  static void CheckName(ConfigReader& reader, std::string_view key, const std::string& name,
                        const std::vector<std::string>& defined) {
    if (name.empty() || std::find(defined.begin(), defined.end(), name) != defined.end()) return;
    const std::vector<std::string_view> candidates(defined.begin(), defined.end());
    reader.Fail(key, fmt::format("\"{}\" is not defined{}", name, Suggestion(name, candidates)));
  }

  std::vector<std::string> receivers_;
  std::vector<std::string> intervals_;
};

std::vector<InhibitRule> ReadInhibitRules(ConfigReader& root) {
  std::vector<InhibitRule> rules;
  for (ConfigReader& reader : root.Maps("inhibit_rules")) {
    InhibitRule rule;
    reader.String("name");  // Alertmanager 0.34's; for people.
    rule.source_matchers =
        ReadMatchers(reader, "source_matchers", "source_match", "source_match_re");
    rule.target_matchers =
        ReadMatchers(reader, "target_matchers", "target_match", "target_match_re");
    rule.equal = reader.Strings("equal");
    rule.equal_all_other = rule.equal == std::vector<std::string>{"..."};
    if (rule.equal_all_other) rule.equal.clear();
    for (const std::string& name : rule.equal) {
      if (model::IsPlainLabelName(name)) continue;
      reader.Fail("equal", fmt::format("\"{}\" is not a label name", name));
    }
    reader.Finish();
    rules.push_back(std::move(rule));
  }
  return rules;
}

void ReadIntervals(ConfigReader& root, NotifyConfig& config) {
  for (const std::string_view key : {"time_intervals", "mute_time_intervals"}) {
    for (NamedTimeInterval& interval : ReadTimeIntervals(root, key)) {
      const std::string name = interval.name;
      if (!config.time_intervals.emplace(name, std::move(interval)).second) {
        root.Fail(key, fmt::format("time interval \"{}\" is defined twice", name));
      }
    }
  }
}

void ReadTemplates(ConfigReader& root, FileSystem& files, NotifyConfig& config) {
  config.template_patterns = root.Strings("templates");
  for (const std::string& pattern : config.template_patterns) {
    auto paths = files.Glob(PathBeside(root.node().file(), pattern));
    if (!paths.ok()) {
      root.Fail("templates", paths.error().message);
      continue;
    }
    for (const std::string& path : *paths) {
      auto text = files.Read(path, kMaxTemplateBytes);
      if (text.ok()) {
        config.templates.emplace_back(path, *std::move(text));
      } else {
        root.Fail("templates", text.error().message);
      }
    }
  }
}

}  // namespace

std::string_view IntegrationConfig::Kind() const {
  constexpr std::array<std::string_view, 4> kKinds = {"slack", "pagerduty", "webhook", "email"};
  return kKinds[settings.index()];
}

const ReceiverConfig* NotifyConfig::FindReceiver(const std::string& name) const {
  const auto found = std::find_if(receivers.begin(), receivers.end(),
                                  [&](const auto& receiver) { return receiver.name == name; });
  return found == receivers.end() ? nullptr : &*found;
}

std::shared_ptr<const NotifyConfig> ParseAlertmanagerConfig(const ConfigNode& root,
                                                            FileSystem& files,
                                                            ConfigErrors& errors) {
  const std::size_t errors_before = errors.errors().size();
  auto config = std::make_shared<NotifyConfig>();
  ConfigReader reader(root, errors);
  const GlobalDefaults global = ReadGlobal(reader.Map("global"), SendsMail(root), files);
  config->resolve_timeout = global.resolve_timeout;
  config->receivers = ReadReceivers(reader, global, files);
  ReadIntervals(reader, *config);
  config->route =
      RouteReader(config->receivers, config->time_intervals).ReadRoot(reader.Map("route"));
  config->inhibit_rules = ReadInhibitRules(reader);
  ReadTemplates(reader, files, *config);
  reader.Finish();
  CheckTemplates(*config, root, errors);
  if (errors.errors().size() > errors_before) return nullptr;
  return config;
}

}  // namespace tocsin::notify
