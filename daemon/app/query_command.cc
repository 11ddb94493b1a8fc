// `tocsin query EXPR` and `tocsin version`.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "daemon/app/api_client.h"
#include "daemon/app/subcommand.h"
#include "daemon/base/text.h"
#include "daemon/base/version.h"

namespace tocsin::app {
namespace {

using nlohmann::json;

struct QueryOptions {
  DaemonAddress daemon;
  std::string expression;
  std::string time, start, end, step = "15s";
  bool as_json = false;
};

std::string SeriesText(const json& metric) {
  std::string labels;
  for (const auto& [name, value] : metric.items()) {
    if (name == "__name__") continue;
    labels +=
        fmt::format("{}{}=\"{}\"", labels.empty() ? "" : ", ", name, value.get<std::string>());
  }
  return metric.value("__name__", "") + "{" + labels + "}";
}

// One character per point, from the lowest to the highest of the series.
std::string Sparkline(const json& values) {
  constexpr const char* kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr std::size_t kWidth = 60;
  std::vector<double> points;
  for (const json& pair : values) {
    points.push_back(ParseDouble(pair.at(1).get<std::string>()).value_or(NAN));
  }
  double low = INFINITY, high = -INFINITY;
  for (const double point : points) {
    if (!std::isfinite(point)) continue;
    low = std::min(low, point);
    high = std::max(high, point);
  }
  std::string out;
  const std::size_t width = std::min(kWidth, points.size());
  for (std::size_t i = 0; i < width; ++i) {
    const double point = points[i * points.size() / width];
    if (!std::isfinite(point)) {
      out += ' ';
      continue;
    }
    const double share = high > low ? (point - low) / (high - low) : 0;
    out += kBlocks[static_cast<int>(std::lround(share * 7))];
  }
  if (!(low <= high)) return out + "  no number";  // NaN and infinities only.
  return fmt::format("{}  {} … {}, last {}", out, FormatDouble(low), FormatDouble(high),
                     FormatDouble(points.back()));
}

void Print(const json& data) {
  const std::string type = data.at("resultType");
  const json& result = data.at("result");
  if (type == "scalar" || type == "string") {
    std::cout << result.at(1).get<std::string>() << "\n";
    return;
  }
  std::size_t width = 0;
  for (const json& row : result) width = std::max(width, SeriesText(row.at("metric")).size());
  for (const json& row : result) {
    const std::string value =
        type == "vector" ? row.at("value").at(1).get<std::string>() : Sparkline(row.at("values"));
    std::cout << fmt::format("{:<{}}  {}\n", SeriesText(row.at("metric")), width, value);
  }
  if (result.empty()) std::cerr << "no series\n";
}

int Fail(const Error& error) {
  std::cerr << "tocsin: " << error.message << "\n";
  return kExitFindings;
}

// Runs `print` on the answer's data; an answer of another shape is an error.
template <class Print>
int PrintData(const std::string& body, Print print) {
  try {
    print(json::parse(body).at("data"));
    return kExitGood;
  } catch (const json::exception&) {
    return Fail({ErrorCode::kCorruption, "the daemon answered something unknown"});
  }
}

// As the API takes it: "1h" is an hour before `now`, nothing is `now` itself.
std::string ApiTime(const std::string& text, WallTime now) {
  if (text.empty()) return FormatTime(now);
  const auto ago = ParseDuration(text);
  return ago.ok() && !ParseDouble(text) ? FormatTime(now - *ago) : text;
}

int Query(const QueryOptions& options) {
  std::vector<std::pair<std::string, std::string>> params{{"query", options.expression}};
  const WallTime now = SystemClock().WallNow();
  const bool is_range = !options.start.empty();
  if (is_range) {
    params.insert(params.end(), {{"start", ApiTime(options.start, now)},
                                 {"end", ApiTime(options.end, now)},
                                 {"step", options.step}});
  } else if (!options.time.empty()) {
    params.emplace_back("time", ApiTime(options.time, now));
  }
  const auto body = AskDaemon(options.daemon, is_range ? "/api/v1/query_range" : "/api/v1/query",
                              params, AskBy::kPost);
  if (!body.ok()) return Fail(body.error());
  if (options.as_json) {
    std::cout << *body << "\n";
    return kExitGood;
  }
  const json answer = json::parse(*body, nullptr, false);
  if (answer.is_object()) {
    for (const char* kind : {"warnings", "infos"}) {
      for (const json& text : answer.value(kind, json::array())) std::cerr << text << "\n";
    }
  }
  return PrintData(*body, Print);
}

}  // namespace

void AddQueryCommand(CLI::App& program, std::function<int()>& run) {
  auto options = std::make_shared<QueryOptions>();
  auto* command = program.add_subcommand("query", "Evaluate a PromQL expression");
  command->add_option("EXPR", options->expression, "The expression")->required();
  AddAddressOptions(*command, options->daemon);
  command->add_option("--time", options->time,
                      "When: RFC 3339, Unix seconds, or how long ago (5m); default now");
  command->add_option("--start", options->start, "Start of a range; then one line per series");
  command->add_option("--end", options->end, "End of the range; default now");
  command->add_option("--step", options->step, "Step of the range")->capture_default_str();
  command->add_flag("--json", options->as_json, "Print the API's answer");
  command->footer(
      "One line per series: its value, or over a range a line of blocks from its lowest to its "
      "highest value.\n"
      "Example: tocsin query 'rate(pg_stat_database_xact_commit[5m])' --start 1h --step 1m");
  command->callback([&run, options] { run = [options] { return Query(*options); }; });
}

void AddVersionCommand(CLI::App& program, std::function<int()>& run) {
  auto* command = program.add_subcommand("version", "Print the version");
  command->footer("Example: tocsin version");
  command->callback([&run] {
    run = [] {
      std::cout << "tocsin " << Version() << "\n";
      return kExitGood;
    };
  });
}

}  // namespace tocsin::app
