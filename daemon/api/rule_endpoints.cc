// /api/v1/rules and /api/v1/alerts, in the shapes of Prometheus.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "daemon/api/endpoints.h"
#include "daemon/api/json_text.h"
#include "daemon/base/text.h"

namespace tocsin::api {
namespace {

// A value as Go prints it with %e and the shortest digits: "7.5e-01".
std::string ExponentText(double value) {
  if (!std::isfinite(value)) return FormatDouble(value);
  std::array<char, 64> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                          std::chars_format::scientific);
  return std::string(digits.data(), end);
}

void AppendPairs(const rules::TextPairs& pairs, std::string& out) {
  out += '{';
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (i > 0) out += ',';
    AppendJsonString(pairs[i].first, out);
    out += ':';
    AppendJsonString(pairs[i].second, out);
  }
  out += '}';
}

void AppendAlert(const rules::AlertStatus& alert, std::string& out) {
  out += "{\"labels\":";
  AppendJsonLabels(alert.labels, out);
  out += ",\"annotations\":";
  AppendJsonLabels(alert.annotations, out);
  out += ",\"state\":\"";
  out += rules::AlertStateName(alert.state);
  out += "\",\"activeAt\":";
  AppendJsonTime(alert.active_at, out);
  if (alert.keep_firing_since) {
    out += ",\"keepFiringSince\":";
    AppendJsonTime(*alert.keep_firing_since, out);
  }
  if (!alert.hold_reason.empty()) {
    out += ",\"holdReason\":";
    AppendJsonString(alert.hold_reason, out);
  }
  out += ",\"value\":";
  AppendJsonString(ExponentText(alert.value), out);
  out += '}';
}

void AppendAlerts(const std::vector<rules::AlertStatus>& alerts, std::string& out) {
  out += '[';
  for (std::size_t i = 0; i < alerts.size(); ++i) {
    if (i > 0) out += ',';
    AppendAlert(alerts[i], out);
  }
  out += ']';
}

// What both kinds of rule end with.
void AppendEvaluation(const rules::RuleStatus& rule, std::string& out) {
  out += ",\"health\":\"";
  out += rules::RuleHealthName(rule.health);
  out += '"';
  if (!rule.last_error.empty()) {
    out += ",\"lastError\":";
    AppendJsonString(rule.last_error, out);
  }
  out += ",\"evaluationTime\":";
  AppendJsonNumber(rule.evaluation_seconds, out);
  out += ",\"lastEvaluation\":";
  AppendJsonTime(rule.last_evaluation.value_or(WallTime()), out);
}

void AppendRule(const rules::RuleStatus& rule, bool with_alerts, std::string& out) {
  if (rule.kind == rules::Rule::Kind::kRecord) {
    out += "{\"name\":";
    AppendJsonString(rule.name, out);
    out += ",\"query\":";
    AppendJsonString(rule.query, out);
    if (!rule.labels.empty()) {
      out += ",\"labels\":";
      AppendPairs(rule.labels, out);
    }
    AppendEvaluation(rule, out);
    out += ",\"type\":\"recording\"}";
    return;
  }
  out += "{\"state\":\"";
  out += rule.state ? rules::AlertStateName(*rule.state) : "unknown";
  out += "\",\"name\":";
  AppendJsonString(rule.name, out);
  out += ",\"query\":";
  AppendJsonString(rule.query, out);
  out += ",\"duration\":";
  AppendJsonNumber(ToSeconds(rule.for_duration), out);
  out += ",\"keepFiringFor\":";
  AppendJsonNumber(ToSeconds(rule.keep_firing_for), out);
  out += ",\"labels\":";
  AppendPairs(rule.labels, out);
  out += ",\"annotations\":";
  AppendPairs(rule.annotations, out);
  out += ",\"alerts\":";
  AppendAlerts(with_alerts ? rule.alerts : std::vector<rules::AlertStatus>(), out);
  AppendEvaluation(rule, out);
  out += ",\"type\":\"alerting\"}";
}

bool Wanted(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

struct RuleFilter {
  std::string type;  // "alert", "record" or empty.
  std::vector<std::string> rule_names, groups, files;
  bool with_alerts = true;

  bool Takes(const rules::RuleStatus& rule) const {
    const bool is_alert = rule.kind == rules::Rule::Kind::kAlert;
    return Wanted(rule_names, rule.name) && (type.empty() || (type == "alert") == is_alert);
  }
};

void AppendGroup(const rules::GroupStatus& group, const RuleFilter& filter, std::string& out) {
  out += "{\"name\":";
  AppendJsonString(group.name, out);
  out += ",\"file\":";
  AppendJsonString(group.file, out);
  out += ",\"rules\":[";
  bool first = true;
  for (const rules::RuleStatus& rule : group.rules) {
    if (!filter.Takes(rule)) continue;
    if (!first) out += ',';
    first = false;
    AppendRule(rule, filter.with_alerts, out);
  }
  out += "],\"interval\":";
  AppendJsonNumber(ToSeconds(group.interval), out);
  out += ",\"limit\":" + std::to_string(group.limit) + ",\"evaluationTime\":";
  AppendJsonNumber(group.evaluation_seconds, out);
  out += ",\"lastEvaluation\":";
  AppendJsonTime(group.last_evaluation.value_or(WallTime()), out);
  out += '}';
}

}  // namespace

Response AnswerRules(const Context& context, const Request& request) {
  RuleFilter filter;
  filter.type = request.Param("type").value_or("");
  if (!filter.type.empty() && filter.type != "alert" && filter.type != "record") {
    return InvalidParameter("type", "not supported value \"" + filter.type + "\"");
  }
  filter.rule_names = request.Params("rule_name[]");
  filter.groups = request.Params("rule_group[]");
  filter.files = request.Params("file[]");
  filter.with_alerts = request.Param("exclude_alerts").value_or("false") != "true";
  std::string data = "{\"groups\":[";
  bool first = true;
  for (const rules::GroupStatus& group : context.rules.Groups()) {
    if (!Wanted(filter.groups, group.name) || !Wanted(filter.files, group.file)) continue;
    const auto takes = [&](const auto& rule) { return filter.Takes(rule); };
    const bool narrowed = !filter.type.empty() || !filter.rule_names.empty();
    if (narrowed && std::none_of(group.rules.begin(), group.rules.end(), takes)) continue;
    if (!first) data += ',';
    first = false;
    AppendGroup(group, filter, data);
  }
  data += "]}";
  return Success(std::move(data));
}

Response AnswerAlerts(const Context& context, const Request& /*request*/) {
  std::vector<rules::AlertStatus> alerts;
  for (const rules::GroupStatus& group : context.rules.Groups()) {
    for (const rules::RuleStatus& rule : group.rules) {
      alerts.insert(alerts.end(), rule.alerts.begin(), rule.alerts.end());
    }
  }
  std::string data = "{\"alerts\":";
  AppendAlerts(alerts, data);
  data += '}';
  return Success(std::move(data));
}

}  // namespace tocsin::api
