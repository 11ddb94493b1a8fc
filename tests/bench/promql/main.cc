// bench_promql: Tocsin beside Prometheus on the same data in the same run. Both are
// the real programs, asked over HTTP; the table says how many times better Tocsin is,
// by the median of paired runs.

#include <malloc.h>

#include <CLI/CLI.hpp>

#include "tests/bench/conclusion.h"
#include "tests/bench/promql/measure.h"

namespace tocsin::bench {
namespace {

Result<Report> Measure(const std::string& tocsin, const std::string& only, const Effort& effort) {
  const Workload workload;
  std::vector<Row> rows;
  if (only != "scrapes") {
    TOCSIN_ASSIGN_OR_RETURN(Pair pair, Pair::Start(tocsin, Work()));
    TOCSIN_ASSIGN_OR_RETURN(rows, MeasureQueries(pair, workload, effort));
  }
  if (only != "queries") {
    TOCSIN_ASSIGN_OR_RETURN(const auto scrapes, MeasureScrapes(tocsin, workload, effort));
    rows.insert(rows.end(), scrapes.begin(), scrapes.end());
  }
  return MakeReport(rows);
}

int Main(int argc, char** argv) {
  std::string tocsin;
  std::string only;
  std::string result = "bench_promql.json";
  bool quick = false;
  CLI::App app(
      "Measures Tocsin beside Prometheus on 100,000 series.\n"
      "Example: bench_promql --tocsin build/release/tocsin");
  app.add_option("--tocsin", tocsin, "the daemon")->required()->check(CLI::ExistingFile);
  app.add_option("--only", only, "one part of it")->check(CLI::IsMember({"queries", "scrapes"}));
  app.add_option("--result", result, "where to write the runs as JSON")->capture_default_str();
  app.add_flag("--quick", quick, "few runs: to see that it works");
  CLI11_PARSE(app, argc, argv);

  // The asking side keeps its memory, so that it costs both servers' answers the same
  // and little.
  constexpr int kMappedApartBytes = 32 << 20;  // The most that glibc takes.
  constexpr int kKeptBytes = 512 << 20;
  mallopt(M_MMAP_THRESHOLD, kMappedApartBytes);
  mallopt(M_TRIM_THRESHOLD, kKeptBytes);

  Effort effort;
  if (quick) effort = {3, 2, 30, 3, 4};
  return Conclude(Measure(tocsin, only, effort), result);
}

}  // namespace
}  // namespace tocsin::bench

int main(int argc, char** argv) { return tocsin::bench::Main(argc, argv); }
