// A NotifyConfig as the alertmanager.yml it stands for.

#include <fmt/format.h>

#include <algorithm>

#include "daemon/base/text.h"
#include "daemon/notify/config_parts.h"

namespace tocsin::notify {
namespace {

template <class List, class Text>
std::string Flow(const List& list, Text text) {
  std::string out;
  for (const auto& item : list) out += (out.empty() ? "" : ", ") + QuotedYaml(text(item));
  return "[" + out + "]";
}

std::string Flow(const std::vector<std::string>& list) {
  return Flow(list, [](const std::string& item) { return item; });
}

std::string Flow(const std::vector<model::Matcher>& matchers) {
  return Flow(matchers, [](const model::Matcher& matcher) { return matcher.Text(); });
}

// Lines at an indentation; the first of a list item begins with "- ".
class Printer {
 public:
  void Line(int depth, const std::string& text) {
    out_.append(static_cast<std::size_t>(depth) * 2, ' ');
    if (item_) {
      out_.replace(out_.size() - 2, 2, "- ");
      item_ = false;
    }
    out_ += text + "\n";
  }
  void Pair(int depth, std::string_view key, std::string_view value) {
    Line(depth, fmt::format("{}: {}", key, QuotedYaml(value)));
  }
  void PairUnless(int depth, std::string_view key, const std::string& value,
                  const std::string& usual) {
    if (value != usual) Pair(depth, key, value);
  }
  void BeginItem() { item_ = true; }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
  bool item_ = false;
};

constexpr std::string_view kHidden = "<secret>";

void PrintRoute(Printer& printer, const RouteConfig& route, int depth) {
  printer.Pair(depth, "receiver", route.receiver);
  if (!route.matchers.empty()) printer.Line(depth, "matchers: " + Flow(route.matchers));
  if (route.continue_matching) printer.Line(depth, "continue: true");
  printer.Line(depth, "group_by: " + (route.group_by_all ? "[\"...\"]" : Flow(route.group_by)));
  if (!route.labels.empty()) printer.Line(depth, "labels:");
  for (const auto& [name, text] : route.labels) printer.Pair(depth + 1, name, text);
  printer.Line(depth, "group_wait: " + FormatDuration(route.group_wait));
  printer.Line(depth, "group_interval: " + FormatDuration(route.group_interval));
  printer.Line(depth, "repeat_interval: " + FormatDuration(route.repeat_interval));
  if (!route.mute_time_intervals.empty()) {
    printer.Line(depth, "mute_time_intervals: " + Flow(route.mute_time_intervals));
  }
  if (!route.active_time_intervals.empty()) {
    printer.Line(depth, "active_time_intervals: " + Flow(route.active_time_intervals));
  }
  if (route.routes.empty()) return;
  printer.Line(depth, "routes:");
  for (const RouteConfig& child : route.routes) {
    printer.BeginItem();
    PrintRoute(printer, child, depth + 1);
  }
}

bool IsUsual(const HttpOptions& http) {
  const TlsOptions& tls = http.tls;
  return http.basic_auth_user.empty() && http.authorization.empty() && http.proxy_url.empty() &&
         http.follow_redirects && tls.ca_file.empty() && tls.cert_file.empty() &&
         tls.server_name.empty() && !tls.insecure_skip_verify &&
         tls.min_version == TlsVersion::kDefault && tls.max_version == TlsVersion::kDefault;
}

// `scheme://user:password@host`, the user and the password hidden.
std::string WithoutUser(std::string url) {
  const std::size_t scheme = url.find("://");
  const std::size_t at = url.rfind('@');
  if (scheme == url.npos || at == url.npos || at < scheme) return url;
  return url.replace(scheme + 3, at - scheme - 3, kHidden);
}

// As Go's programs spell it.
std::string VersionText(TlsVersion version) {
  if (version == TlsVersion::kDefault) return {};
  return fmt::format("TLS1{}", static_cast<int>(version) - static_cast<int>(TlsVersion::k10));
}

void PrintTls(Printer& printer, const TlsOptions& tls, int depth) {
  printer.Line(depth, "tls_config:");
  printer.PairUnless(depth + 1, "ca_file", tls.ca_file, "");
  printer.PairUnless(depth + 1, "cert_file", tls.cert_file, "");
  printer.PairUnless(depth + 1, "key_file", tls.key_file, "");
  printer.PairUnless(depth + 1, "server_name", tls.server_name, "");
  printer.PairUnless(depth + 1, "min_version", VersionText(tls.min_version), "");
  printer.PairUnless(depth + 1, "max_version", VersionText(tls.max_version), "");
  printer.Line(depth + 1, fmt::format("insecure_skip_verify: {}", tls.insecure_skip_verify));
}

void PrintHttp(Printer& printer, const HttpOptions& http, int depth) {
  if (IsUsual(http)) return;
  printer.Line(depth, "http_config:");
  if (!http.basic_auth_user.empty()) {
    printer.Line(depth + 1, fmt::format("basic_auth: {{username: {}, password: {}}}",
                                        QuotedYaml(http.basic_auth_user), QuotedYaml(kHidden)));
  }
  if (!http.authorization.empty()) {
    printer.Line(depth + 1, fmt::format("authorization: {{type: {}, credentials: {}}}",
                                        QuotedYaml(http.authorization_type), QuotedYaml(kHidden)));
  }
  printer.PairUnless(depth + 1, "proxy_url", WithoutUser(http.proxy_url), "");
  printer.Line(depth + 1, fmt::format("follow_redirects: {}", http.follow_redirects));
  PrintTls(printer, http.tls, depth + 1);
}

void PrintSlackParts(Printer& printer, const SlackConfig& slack, int depth) {
  if (!slack.fields.empty()) printer.Line(depth, "fields:");
  for (const SlackField& field : slack.fields) {
    printer.BeginItem();
    printer.Pair(depth + 1, "title", field.title);
    printer.Pair(depth + 1, "value", field.value);
    if (field.is_short) printer.Line(depth + 1, fmt::format("short: {}", *field.is_short));
  }
  if (!slack.actions.empty()) printer.Line(depth, "actions:");
  for (const SlackAction& action : slack.actions) {
    printer.BeginItem();
    printer.Pair(depth + 1, "type", action.type);
    printer.Pair(depth + 1, "text", action.text);
    printer.PairUnless(depth + 1, "url", action.url, "");
    printer.PairUnless(depth + 1, "style", action.style, "");
    printer.PairUnless(depth + 1, "name", action.name, "");
    printer.PairUnless(depth + 1, "value", action.value, "");
    if (!action.confirm) continue;
    printer.Line(depth + 1, "confirm:");
    printer.Pair(depth + 2, "text", action.confirm->text);
    printer.PairUnless(depth + 2, "title", action.confirm->title, "");
    printer.PairUnless(depth + 2, "ok_text", action.confirm->ok_text, "");
    printer.PairUnless(depth + 2, "dismiss_text", action.confirm->dismiss_text, "");
  }
}

void Print(Printer& printer, const SlackConfig& slack, int depth) {
  const SlackConfig usual = DefaultSlackConfig();
  if (slack.app_token.empty()) {
    printer.Pair(depth, "api_url", kHidden);
  } else {
    printer.Pair(depth, "app_token", kHidden);
    printer.PairUnless(depth, "app_url", slack.app_url, usual.app_url);
  }
  const auto pair = [&](std::string_view key, std::string SlackConfig::*member) {
    printer.PairUnless(depth, key, slack.*member, usual.*member);
  };
  pair("channel", &SlackConfig::channel);
  pair("username", &SlackConfig::username);
  pair("color", &SlackConfig::color);
  pair("title", &SlackConfig::title);
  pair("title_link", &SlackConfig::title_link);
  pair("pretext", &SlackConfig::pretext);
  pair("text", &SlackConfig::text);
  pair("fallback", &SlackConfig::fallback);
  pair("callback_id", &SlackConfig::callback_id);
  pair("icon_emoji", &SlackConfig::icon_emoji);
  pair("icon_url", &SlackConfig::icon_url);
  pair("image_url", &SlackConfig::image_url);
  pair("thumb_url", &SlackConfig::thumb_url);
  pair("footer", &SlackConfig::footer);
  pair("message_text", &SlackConfig::message_text);
  if (slack.mrkdwn_in != usual.mrkdwn_in) {
    printer.Line(depth, "mrkdwn_in: " + Flow(slack.mrkdwn_in));
  }
  if (slack.short_fields) printer.Line(depth, "short_fields: true");
  if (slack.link_names) printer.Line(depth, "link_names: true");
  PrintSlackParts(printer, slack, depth);
}

void Print(Printer& printer, const PagerDutyConfig& pagerduty, int depth) {
  const PagerDutyConfig usual = DefaultPagerDutyConfig();
  printer.Pair(depth, "routing_key", kHidden);
  const auto pair = [&](std::string_view key, std::string PagerDutyConfig::*member) {
    printer.PairUnless(depth, key, pagerduty.*member, usual.*member);
  };
  pair("url", &PagerDutyConfig::url);
  pair("client", &PagerDutyConfig::client);
  pair("client_url", &PagerDutyConfig::client_url);
  pair("description", &PagerDutyConfig::description);
  pair("severity", &PagerDutyConfig::severity);
  pair("source", &PagerDutyConfig::source);
  pair("component", &PagerDutyConfig::component);
  pair("group", &PagerDutyConfig::group);
  pair("class", &PagerDutyConfig::event_class);
  if (pagerduty.details != usual.details) {
    printer.Line(depth, "details:");
    for (const auto& [name, text] : pagerduty.details) {
      printer.Pair(depth + 1, QuotedYaml(name), text);
    }
  }
  if (!pagerduty.images.empty()) printer.Line(depth, "images:");
  for (const PagerDutyImage& image : pagerduty.images) {
    printer.BeginItem();
    printer.Pair(depth + 1, "src", image.src);
    printer.PairUnless(depth + 1, "href", image.href, "");
    printer.PairUnless(depth + 1, "alt", image.alt, "");
  }
  if (!pagerduty.links.empty()) printer.Line(depth, "links:");
  for (const PagerDutyLink& link : pagerduty.links) {
    printer.BeginItem();
    printer.Pair(depth + 1, "href", link.href);
    printer.PairUnless(depth + 1, "text", link.text, "");
  }
}

void Print(Printer& printer, const WebhookConfig& webhook, int depth) {
  // With a scheme, or Alertmanager's own tools do not read it.
  printer.Pair(depth, "url", fmt::format("http://{}", kHidden));
  if (webhook.max_alerts > 0) {
    printer.Line(depth, fmt::format("max_alerts: {}", webhook.max_alerts));
  }
}

void Print(Printer& printer, const EmailConfig& email, int depth) {
  const EmailConfig usual = DefaultEmailConfig();
  printer.Pair(depth, "to", email.to);
  printer.Pair(depth, "from", email.from);
  printer.Pair(depth, "smarthost", fmt::format("{}:{}", email.host, email.port));
  printer.Pair(depth, "hello", email.hello);
  printer.PairUnless(depth, "auth_username", email.auth_username, "");
  if (!email.auth_password.empty()) printer.Pair(depth, "auth_password", kHidden);
  if (!email.auth_secret.empty()) printer.Pair(depth, "auth_secret", kHidden);
  printer.PairUnless(depth, "auth_identity", email.auth_identity, "");
  printer.Line(depth, fmt::format("require_tls: {}", email.require_tls));
  PrintTls(printer, email.tls, depth);
  printer.Line(depth, "headers:");
  for (const auto& [name, value] : email.headers) {
    printer.Pair(depth + 1, QuotedYaml(name), value);
  }
  printer.PairUnless(depth, "html", email.html, usual.html);
  printer.PairUnless(depth, "text", email.text, usual.text);
}

void PrintReceiver(Printer& printer, const ReceiverConfig& receiver) {
  printer.BeginItem();
  printer.Pair(1, "name", receiver.name);
  for (const std::string_view kind : {"webhook", "email", "pagerduty", "slack"}) {
    bool first = true;
    for (const IntegrationConfig& integration : receiver.integrations) {
      if (integration.Kind() != kind) continue;
      if (first) printer.Line(1, fmt::format("{}_configs:", kind));
      first = false;
      printer.BeginItem();
      printer.Line(2, fmt::format("send_resolved: {}", integration.send_resolved));
      if (integration.timeout > Millis(0)) {
        printer.Line(2, "timeout: " + FormatDuration(integration.timeout));
      }
      std::visit([&](const auto& settings) { Print(printer, settings, 2); }, integration.settings);
      PrintHttp(printer, integration.http, 2);
    }
  }
}

// Alertmanager has no word for "every other label": what groups alerts tells them apart best.
std::string NearestEqual(const RouteConfig& root) {
  return Flow(root.group_by.empty() ? std::vector<std::string>{"alertname"} : root.group_by);
}

void PrintInhibitRule(Printer& printer, const InhibitRule& rule, const RouteConfig& root) {
  printer.BeginItem();
  printer.Line(1, "source_matchers: " + Flow(rule.source_matchers));
  printer.Line(1, "target_matchers: " + Flow(rule.target_matchers));
  if (rule.equal_all_other) {
    printer.Line(1, "# Here: equal: [\"...\"], every label but those matched. The nearest that");
    printer.Line(1, "# Alertmanager can say:");
    printer.Line(1, "equal: " + NearestEqual(root));
  } else if (!rule.equal.empty()) {
    printer.Line(1, "equal: " + Flow(rule.equal));
  }
}

void PrintTimeInterval(Printer& printer, const TimeInterval& interval) {
  printer.BeginItem();
  printer.Pair(2, "location", interval.location);
  if (!interval.minutes_of_day.empty()) printer.Line(2, "times:");
  for (const IntRange range : interval.minutes_of_day) {
    printer.BeginItem();
    printer.Pair(3, "start_time", TimeOfDayText(range.from));
    printer.Pair(3, "end_time", TimeOfDayText(range.to));
  }
  const auto ranges = [&](std::string_view key, const std::vector<IntRange>& list, auto text) {
    if (!list.empty()) printer.Line(2, fmt::format("{}: {}", key, Flow(list, text)));
  };
  ranges("weekdays", interval.weekdays, WeekdaysText);
  ranges("days_of_month", interval.days_of_month, NumbersText);
  ranges("months", interval.months, NumbersText);
  ranges("years", interval.years, NumbersText);
}

}  // namespace

std::string PrintAlertmanager(const NotifyConfig& config) {
  Printer printer;
  printer.Line(0, "global:");
  printer.Line(1, "resolve_timeout: " + FormatDuration(config.resolve_timeout));
  printer.Line(0, "route:");
  PrintRoute(printer, config.route, 1);
  printer.Line(0, "receivers:");
  for (const ReceiverConfig& receiver : config.receivers) PrintReceiver(printer, receiver);
  if (!config.inhibit_rules.empty()) printer.Line(0, "inhibit_rules:");
  for (const InhibitRule& rule : config.inhibit_rules) {
    PrintInhibitRule(printer, rule, config.route);
  }
  if (!config.time_intervals.empty()) printer.Line(0, "time_intervals:");
  for (const auto& [name, interval] : config.time_intervals) {
    printer.BeginItem();
    printer.Pair(1, "name", name);
    printer.Line(1, "time_intervals:");
    for (const TimeInterval& one : interval.intervals) PrintTimeInterval(printer, one);
  }
  if (!config.template_patterns.empty()) {
    printer.Line(0, "templates: " + Flow(config.template_patterns));
  }
  return printer.Take();
}

}  // namespace tocsin::notify
