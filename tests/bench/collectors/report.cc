#include "tests/bench/collectors/report.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

namespace tocsin::bench {
namespace {

std::string Number(double value, const std::string& unit) {
  const std::string digits =
      value == std::floor(value) ? fmt::format("{:.0f}", value) : fmt::format("{:.2f}", value);
  return unit.empty() ? digits : digits + " " + unit;
}

}  // namespace

std::string Table(const std::vector<Row>& rows) {
  constexpr const char* kLine = "{:<60} {:>14} {:>14}  {}\n";
  std::string table = fmt::format(kLine, "", "exporter", "Tocsin", "goal");
  for (const Row& row : rows) {
    const std::string verdict = row.goal.empty() ? "" : row.goal + (row.met ? " met" : " NOT MET");
    table += fmt::format(kLine, row.work, row.exporter ? Number(*row.exporter, row.unit) : "",
                         Number(row.tocsin, row.unit), verdict);
  }
  return table;
}

Result<> WriteJson(const std::string& path, const std::vector<Row>& rows) {
  nlohmann::json list = nlohmann::json::array();
  for (const Row& row : rows) {
    nlohmann::json entry{{"work", row.work}, {"unit", row.unit}, {"tocsin", row.tocsin}};
    if (row.exporter) entry["exporter"] = *row.exporter;
    if (!row.goal.empty()) {
      entry["goal"] = row.goal;
      entry["met"] = row.met;
    }
    list.push_back(std::move(entry));
  }
  std::ofstream file(path);
  file << list.dump(2) << '\n';
  file.close();
  if (!file) return Error{ErrorCode::kIoError, path + ": cannot be written"};
  return {};
}

}  // namespace tocsin::bench
