// /api/v1/rules and /api/v1/alerts, in the shapes of Prometheus.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <tuple>

#include "daemon/api/endpoints.h"
#include "daemon/api/json_text.h"
#include "daemon/api/parameters.h"
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
  std::vector<std::vector<model::Matcher>> selectors;  // Of the rule's own labels; any may fit.
  bool with_alerts = true;

  bool Takes(const rules::RuleStatus& rule) const {
    const bool is_alert = rule.kind == rules::Rule::Kind::kAlert;
    return Wanted(rule_names, rule.name) && (type.empty() || (type == "alert") == is_alert) &&
           FitsSelectors(rule);
  }
  bool Takes(const rules::GroupStatus& group) const {
    const auto takes = [this](const rules::RuleStatus& rule) { return Takes(rule); };
    return Wanted(groups, group.name) && Wanted(files, group.file) &&
           std::any_of(group.rules.begin(), group.rules.end(), takes);
  }

 private:
  bool FitsSelectors(const rules::RuleStatus& rule) const {
    if (selectors.empty()) return true;
    const auto labels = model::Labels::FromMap(rule.labels);
    return std::any_of(selectors.begin(), selectors.end(),
                       [&](const auto& matchers) { return model::MatchesAll(matchers, labels); });
  }
};

// Which part of a long list is asked for.
struct Page {
  std::int64_t group_limit = 0;  // 0: all.
  std::string token;             // Of the first group; empty: from the start.
};

std::string TokenOf(const rules::GroupStatus& group) {
  return Sha256Hex(group.file + ";" + group.name).substr(0, 40);
}

// The wrong parameter's answer, or nothing and `page` is filled.
std::optional<Response> ReadPage(const Request& request, Page& page) {
  const std::string limit = request.Param("group_limit").value_or("");
  if (!limit.empty()) {
    const auto number = ParseInt(limit);
    if (!number || *number > std::numeric_limits<std::int32_t>::max()) {
      return InvalidParameter("group_limit", "group_limit needs to be a valid number: " +
                                                 NotANumber("ParseInt", limit));
    }
    if (*number <= 0) {
      return InvalidParameter("group_limit", "group_limit needs to be greater than 0");
    }
    page.group_limit = *number;
  }
  page.token = request.Param("group_next_token").value_or("");
  if (!page.token.empty() && page.group_limit == 0) {
    return InvalidParameter("group_next_token",
                            "group_limit needs to be present in order to paginate over the groups");
  }
  return std::nullopt;
}

// The wrong parameter's answer, or nothing and `filter` is filled.
std::optional<Response> ReadFilter(const Request& request, RuleFilter& filter) {
  filter.rule_names = request.Params("rule_name[]");
  filter.groups = request.Params("rule_group[]");
  filter.files = request.Params("file[]");
  auto selectors = ParseApiSelectors(request);
  if (!selectors.ok()) return Failure(ErrorType::kBadData, selectors.error().message);
  filter.selectors = *std::move(selectors);
  filter.type = request.Param("type").value_or("");
  for (char& c : filter.type) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (!filter.type.empty() && filter.type != "alert" && filter.type != "record") {
    return InvalidParameter("type", "not supported value " + model::QuoteLabelValue(filter.type));
  }
  if (const auto text = request.Param("exclude_alerts"); text && !text->empty()) {
    const auto exclude = ParseApiBool(*text);
    if (!exclude.ok()) {
      return InvalidParameter("exclude_alerts",
                              "error converting exclude_alerts: " + exclude.error().message);
    }
    filter.with_alerts = !*exclude;
  }
  return std::nullopt;
}

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
  if (auto wrong = BrokenForm(request)) return *std::move(wrong);
  RuleFilter filter;
  if (auto wrong = ReadFilter(request, filter)) return *std::move(wrong);
  Page page;
  if (auto wrong = ReadPage(request, page)) return *std::move(wrong);
  std::string data = "{\"groups\":[";
  std::int64_t count = 0;
  std::string next_token;
  bool found = page.token.empty();
  auto groups = context.rules.Groups();
  std::sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) {
    return std::tie(a.file, a.name) < std::tie(b.file, b.name);
  });
  for (const rules::GroupStatus& group : groups) {
    found = found || TokenOf(group) == page.token;
    if (!found || !filter.Takes(group)) continue;
    if (page.group_limit > 0 && count == page.group_limit) {
      next_token = TokenOf(group);
      break;
    }
    if (count++ > 0) data += ',';
    AppendGroup(group, filter, data);
  }
  if (!found) {
    return InvalidParameter("group_next_token", "invalid group_next_token '" + page.token +
                                                    "'. were rule groups changed?");
  }
  data += ']';
  if (!next_token.empty()) {
    data += ",\"groupNextToken\":";
    AppendJsonString(next_token, data);
  }
  data += '}';
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
