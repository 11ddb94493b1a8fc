#include "tests/bench/promql/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tocsin::bench {
namespace {

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string Number(double value) {
  return value >= 100 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

}  // namespace

double Row::PrometheusMedian() const { return Median(prometheus); }
double Row::TocsinMedian() const { return Median(tocsin); }

double Row::Ratio() const {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(prometheus.size(), tocsin.size()); ++i) {
    ratios.push_back(more_is_better ? tocsin[i] / prometheus[i] : prometheus[i] / tocsin[i]);
  }
  return Median(ratios);
}

namespace {

std::string Table(const std::vector<Row>& rows) {
  std::string table = fmt::format("{:<58} {:>12} {:>12} {:>8} {:>6}\n", "work", "Prometheus",
                                  "Tocsin", "ratio", "goal");
  for (const Row& row : rows) {
    table += fmt::format("{:<58} {:>12} {:>12} {:>7.1f}× {:>5}× {}\n",
                         fmt::format("{} ({})", row.work, row.unit), Number(row.PrometheusMedian()),
                         Number(row.TocsinMedian()), row.Ratio(), row.goal,
                         row.Met() ? "met" : "NOT MET");
  }
  return table;
}

}  // namespace

Report MakeReport(const std::vector<Row>& rows) {
  nlohmann::json out = nlohmann::json::array();
  for (const Row& row : rows) {
    out.push_back({{"work", row.work},
                   {"unit", row.unit},
                   {"goal", row.goal},
                   {"ratio", row.Ratio()},
                   {"met", row.Met()},
                   {"prometheus", {{"median", row.PrometheusMedian()}, {"runs", row.prometheus}}},
                   {"tocsin", {{"median", row.TocsinMedian()}, {"runs", row.tocsin}}}});
  }
  return {Table(rows), out.dump(2)};
}

}  // namespace tocsin::bench
