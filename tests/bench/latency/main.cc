// bench_latency: from the moment a target goes down to the request at the webhook,
// Tocsin beside Prometheus with Alertmanager. All three are the real programs and watch
// the same targets in the same run, each by its own polls of 1 s.

#include <CLI/CLI.hpp>

#include "tests/bench/conclusion.h"
#include "tests/bench/latency/report.h"
#include "tests/bench/latency/trips.h"

namespace tocsin::bench {
namespace {

Result<Report> Measure(int trips, std::uint64_t seed) {
  TOCSIN_ASSIGN_OR_RETURN(const Trips measured, MeasureTrips(trips, seed));
  return MakeReport(measured);
}

int Main(int argc, char** argv) {
  int trips = 100;
  std::uint64_t seed = 1;
  std::string result = "bench_latency.json";
  bool quick = false;
  CLI::App app(
      "Measures how long a dead target takes to reach a webhook, in Tocsin and in Prometheus with\n"
      "Alertmanager.\n"
      "Example: bench_latency");
  app.add_option("--trips", trips, "how often a target goes down")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--seed", seed, "of the moments")->capture_default_str();
  app.add_option("--result", result, "where to write the trips as JSON")->capture_default_str();
  app.add_flag("--quick", quick, "10 trips: to see that it works");
  CLI11_PARSE(app, argc, argv);
  return Conclude(Measure(quick ? 10 : trips, seed), result);
}

}  // namespace
}  // namespace tocsin::bench

int main(int argc, char** argv) { return tocsin::bench::Main(argc, argv); }
