#include "tests/bench/latency/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace tocsin::bench {
namespace {

// The smallest value that `share` of the values do not exceed.
double Quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(share * static_cast<double>(values.size()));
  return values.at(static_cast<std::size_t>(std::max(1.0, rank)) - 1);
}

struct Row {
  const char* name;
  double share;
  double goal_seconds;  // Of Tocsin; 0: none.
};
constexpr Row kRows[] = {{"median", 0.5, 0.55}, {"p99", 0.99, 0}, {"worst", 1, 1.1}};
constexpr double kFromCommitGoalSeconds = 0.020;

std::string Verdict(double value, double goal, const std::string& goal_text) {
  if (goal == 0) return "";
  return fmt::format("{} {}", goal_text, value <= goal ? "met" : "NOT MET");
}

std::string Table(const Trips& trips) {
  constexpr const char* kLine = "{:<44} {:>14} {:>9} {:>7}  {}\n";
  std::string table = fmt::format(
      kLine, fmt::format("target down → webhook, {} trips each (s)", trips.tocsin.size()),
      "Prom.+Alertm.", "Tocsin", "ratio", "goal");
  for (const Row& row : kRows) {
    const double theirs = Quantile(trips.prometheus, row.share);
    const double ours = Quantile(trips.tocsin, row.share);
    table += fmt::format(kLine, row.name, fmt::format("{:.3f}", theirs),
                         fmt::format("{:.3f}", ours), fmt::format("{:.1f}×", theirs / ours),
                         Verdict(ours, row.goal_seconds, fmt::format("≤ {}", row.goal_seconds)));
  }
  const double from_commit = Quantile(trips.tocsin_from_commit, 0.99);
  table += fmt::format(kLine, "commit of the poll → webhook, median", "",
                       fmt::format("{:.3f}", Quantile(trips.tocsin_from_commit, 0.5)), "", "");
  table += fmt::format(kLine, "commit of the poll → webhook, p99", "",
                       fmt::format("{:.3f}", from_commit), "",
                       Verdict(from_commit, kFromCommitGoalSeconds, "< 0.02"));
  table += fmt::format(kLine, "one synced write on this disk, p99", "",
                       fmt::format("{:.3f}", Quantile(trips.disk_sync, 0.99)), "", "");
  return table;
}

}  // namespace

Report MakeReport(const Trips& trips) {
  return {Table(trips), nlohmann::json{{"unit", "s"},
                                       {"prometheus", trips.prometheus},
                                       {"tocsin", trips.tocsin},
                                       {"tocsin_from_commit", trips.tocsin_from_commit},
                                       {"disk_sync", trips.disk_sync}}
                            .dump(2)};
}

}  // namespace tocsin::bench
