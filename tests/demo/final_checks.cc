#include "tests/demo/final_checks.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <nlohmann/json.hpp>

namespace tocsin::demo {
namespace {

using nlohmann::json;

// One series of each kind of target, and what the rules make.
constexpr const char* kPushedSeries[] = {"up",
                                         "pg_up",
                                         "pg_stat_activity_count",
                                         "pg_query_duration_seconds_bucket",
                                         "pgbouncer_up",
                                         "redis_up",
                                         "probe_success",
                                         "app_pool_in_use",
                                         "bookings_total",
                                         "node_cpu_seconds_total"};

Check Make(std::string what, const std::vector<std::string>& problems) {
  return {std::move(what), fmt::format("{}", fmt::join(problems, "; "))};
}

void Collect(const json& panels, std::vector<PanelExpression>& expressions) {
  for (const auto& panel : panels) {
    if (panel.contains("panels")) Collect(panel["panels"], expressions);
    for (const auto& target : panel.value("targets", json::array())) {
      expressions.push_back({panel.value("title", ""), target.value("expr", "")});
    }
  }
}

}  // namespace

std::string FillVariables(std::string expression) {
  RE2::GlobalReplace(&expression, R"(\$(__rate_interval|__interval|__range)\b)", "20s");
  RE2::GlobalReplace(&expression, R"(\$\{?[A-Za-z_]\w*\}?)", ".+");
  return expression;
}

Result<std::vector<PanelExpression>> PanelExpressions(const std::string& dashboard) {
  const json parsed = json::parse(dashboard, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object() || !parsed.contains("panels")) {
    return Error{ErrorCode::kInvalidArgument, "the dashboard is no JSON object with panels"};
  }
  std::vector<PanelExpression> expressions;
  try {
    Collect(parsed["panels"], expressions);
  } catch (const json::exception& error) {
    return Error{ErrorCode::kInvalidArgument, error.what()};
  }
  return expressions;
}

Check PushedToPrometheus(const Servers& servers) {
  const PrometheusApi prometheus(servers.prometheus_port());
  std::vector<std::string> problems;
  for (const char* name : kPushedSeries) {
    const auto found = prometheus.Query(name);
    if (!found.ok()) {
      problems.push_back(found.error().message);
    } else if (found->empty()) {
      problems.push_back(std::string(name) + " is not there");
    }
  }
  return Make("remote_write reached Prometheus", problems);
}

Check PushedToPushgateway(const Servers& servers) {
  const auto page = WebGet(servers.pushgateway_port(), "/metrics");
  std::vector<std::string> problems;
  if (!page.ok()) {
    problems.push_back(page.error().message);
  } else {
    for (const char* name : kPushedSeries) {
      if (page->body.find(std::string("\n") + name + "{") == std::string::npos) {
        problems.push_back(std::string(name) + " is not there");
      }
    }
  }
  return Make("the push reached Pushgateway", problems);
}

Check DashboardHasData(const PrometheusApi& daemon, const std::string& source) {
  const std::string what = "every dashboard panel has data";
  const auto text = ReadText(source + "/dashboards/booking-platform.json");
  if (!text.ok()) return {what, text.error().message};
  const auto expressions = PanelExpressions(*text);
  if (!expressions.ok()) return {what, expressions.error().message};
  std::vector<std::string> problems;
  for (const auto& [panel, expression] : *expressions) {
    const auto found = daemon.Query(FillVariables(expression));
    if (!found.ok()) {
      problems.push_back(panel + ": " + found.error().message);
    } else if (found->empty()) {
      problems.push_back(panel + ": no data for " + expression);
    }
  }
  if (expressions->empty()) problems.push_back("no panel asks for anything");
  return Make(what, problems);
}

Check NothingRefused(const StandIns& standins) {
  std::vector<std::string> problems;
  for (const auto& message : standins.Messages()) {
    if (message.accepted() || message.status == 429) continue;
    problems.push_back(fmt::format("{} {}", message.status, message.refusal));
  }
  return Make("the vendors refused no message", problems);
}

}  // namespace tocsin::demo
