// bench_collectors: what the collectors cost, beside the exporters where one does the
// same work, on real servers in the same run. The table holds the goals.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <iostream>

#include "tests/bench/collectors/parts.h"

namespace tocsin::bench {
namespace {

constexpr std::array kParts = {
    Part{"http", "1,000 HTTP targets at 1 s on one core, a hundred of them hung",
         MeasureHttpTargets},
};

int Main(int argc, char** argv) {
  std::vector<std::string> only;
  std::string result = "bench_collectors.json";
  Effort effort;
  std::vector<std::string> names;
  std::string help = "Measures what the collectors cost. Parts:\n";
  for (const Part& part : kParts) {
    names.emplace_back(part.name);
    help.append("  ").append(part.name).append(": ").append(part.what).append("\n");
  }
  CLI::App app(help + "Example: bench_collectors --only http");
  app.add_option("--only", only, "these parts")->check(CLI::IsMember(names));
  app.add_option("--result", result, "where to write the numbers as JSON")->capture_default_str();
  app.add_flag("--quick", effort.quick, "short runs: to see that it works");
  CLI11_PARSE(app, argc, argv);

  std::vector<Row> rows;
  for (const Part& part : kParts) {
    if (!only.empty() && std::find(only.begin(), only.end(), part.name) == only.end()) continue;
    const auto measured = part.measure(effort);
    if (!measured.ok()) {
      std::cerr << part.name << ": " << measured.error().message << "\n";
      return 1;
    }
    rows.insert(rows.end(), measured->begin(), measured->end());
  }
  std::cout << Table(rows);
  if (auto written = WriteJson(result, rows); !written.ok()) {
    std::cerr << written.error().message << "\n";
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace tocsin::bench

int main(int argc, char** argv) { return tocsin::bench::Main(argc, argv); }
