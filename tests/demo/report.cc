#include "tests/demo/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/base/text.h"
#include "tests/demo/servers.h"

namespace tocsin::demo {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kNameWidth = 32;

std::string Value(const std::optional<double>& value, const std::string& unit) {
  return value ? fmt::format("{:.4g} {}", *value, unit) : "-";
}

// Seconds from one moment to another; never negative, though what the API shows at
// the next poll may follow what a vendor received at once.
std::string Span(const std::optional<WallTime>& from, const std::optional<WallTime>& to) {
  if (!from || !to) return "-";
  const std::chrono::duration<double> span = *to - *from;
  return fmt::format("{:.1f} s", std::max(0.0, span.count()));
}

ordered_json Time(const std::optional<WallTime>& time) {
  return time ? ordered_json(FormatTime(*time)) : ordered_json(nullptr);
}

ordered_json Number(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

// A body as JSON where it is JSON.
ordered_json Body(const std::string& body) {
  if (body.empty()) return nullptr;
  auto parsed = ordered_json::parse(body, nullptr, /*allow_exceptions=*/false);
  return parsed.is_discarded() ? ordered_json(body) : parsed;
}

ordered_json Row(const Outcome& outcome) {
  const Step& step = outcome.step;
  return {{"row", step.row},
          {"signal", step.signal},
          {"alert", step.alert},
          {"severity", step.severity},
          {"passed", outcome.problem.empty()},
          {"problem", outcome.problem},
          {"unit", step.unit},
          {"value_seen_by_tocsin", Number(outcome.value_seen)},
          {"value_measured_independently", Number(outcome.value_measured)},
          {"condition_begun_at", Time(outcome.begun)},
          {"breached_at", Time(outcome.breached)},
          {"fired_at", Time(outcome.fired)},
          {"slack_told_at", Time(outcome.told_slack)},
          {"paged_at", Time(outcome.paged)},
          {"condition_ended_at", Time(outcome.ended)},
          {"resolved_at", Time(outcome.resolved)},
          {"slack_told_resolved_at", Time(outcome.told_slack_resolved)},
          {"page_resolved_at", Time(outcome.page_resolved)},
          {"slack_body", Body(outcome.slack_body)},
          {"pagerduty_body", Body(outcome.page_body)},
          {"slack_resolved_body", Body(outcome.slack_resolved_body)},
          {"pagerduty_resolved_body", Body(outcome.page_resolved_body)}};
}

}  // namespace

bool AllGood(const std::vector<Outcome>& outcomes, const std::vector<Check>& checks) {
  return std::all_of(outcomes.begin(), outcomes.end(),
                     [](const auto& outcome) { return outcome.problem.empty(); }) &&
         std::all_of(checks.begin(), checks.end(),
                     [](const auto& check) { return check.problem.empty(); });
}

std::string Table(const std::vector<Outcome>& outcomes, const std::vector<Check>& checks) {
  std::string table =
      fmt::format("{:<{}} {:<9} {:>10} {:>10} {:>8} {:>8} {:>9}\n", "signal", kNameWidth,
                  "severity", "tocsin", "measured", "fired", "told", "resolved");
  for (const auto& outcome : outcomes) {
    const Step& step = outcome.step;
    const auto& told = step.severity == "critical" ? outcome.paged : outcome.told_slack;
    const auto& told_resolved =
        step.severity == "critical" ? outcome.page_resolved : outcome.told_slack_resolved;
    table +=
        fmt::format("{:<{}} {:<9} {:>10} {:>10} {:>8} {:>8} {:>9}  {}\n", step.signal, kNameWidth,
                    step.severity, Value(outcome.value_seen, step.unit),
                    Value(outcome.value_measured, step.unit), Span(outcome.breached, outcome.fired),
                    Span(outcome.fired, told), Span(outcome.ended, told_resolved),
                    outcome.problem.empty() ? "ok" : outcome.problem);
  }
  if (!outcomes.empty()) {
    table +=
        "fired: after the demo saw the breach. told: after it fired. resolved: told so, after "
        "the condition ended.\n";
  }
  for (const auto& check : checks) {
    table += fmt::format("{:<{}} {}\n", check.what, kNameWidth,
                         check.problem.empty() ? "ok" : check.problem);
  }
  return table;
}

Result<> WriteResult(const std::string& path, const std::vector<Outcome>& outcomes,
                     const std::vector<Check>& checks) {
  ordered_json result = {{"passed", AllGood(outcomes, checks)},
                         {"rows", ordered_json::array()},
                         {"checks", ordered_json::array()}};
  for (const auto& outcome : outcomes) result["rows"].push_back(Row(outcome));
  for (const auto& check : checks) {
    result["checks"].push_back(
        {{"what", check.what}, {"passed", check.problem.empty()}, {"problem", check.problem}});
  }
  return WriteText(path, result.dump(2) + "\n");
}

}  // namespace tocsin::demo
