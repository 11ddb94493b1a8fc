// The rows of the platform's table, as steps.

#include <limits>

#include "tests/demo/scenario.h"

namespace tocsin::demo {
namespace {

constexpr double kAbove = std::numeric_limits<double>::infinity();

std::vector<Step> Pool(const std::string& signal, const std::string& alert,
                       std::unique_ptr<Condition> (*hold)(Surroundings, double)) {
  const auto at = [hold](double percent) {
    return [hold, percent](Surroundings surroundings) { return hold(surroundings, percent); };
  };
  return {{"pool", signal, alert, "warning", 70, 90, "%", at(80)},
          {"pool", signal, alert, "critical", 90, kAbove, "%", at(95)}};
}

std::vector<Step> ApplicationPoolSteps() {
  return Pool("application pool in use", "ApplicationPoolInUse", HoldApplicationPool);
}

std::vector<Step> P95Steps() {
  const auto at = [](double seconds) {
    return [seconds](Surroundings surroundings) { return SlowStatements(surroundings, seconds); };
  };
  return {
      {"p95", "query response time, P95", "QueryResponseTimeP95", "warning", 0.5, 1, "s", at(0.7)},
      {"p95", "query response time, P95", "QueryResponseTimeP95", "critical", 1, kAbove, "s",
       at(1.6)}};
}

std::vector<Step> CacheSteps() {
  const auto at = [](double percent) {
    return [percent](Surroundings surroundings) { return FlushCache(surroundings, percent); };
  };
  return {{"cache", "cache hit rate", "CacheHitRateLow", "warning", 60, 75, "%", at(67.5)},
          {"cache", "cache hit rate", "CacheHitRateLow", "critical", 0, 60, "%", at(45)}};
}

std::vector<Step> CpuSteps() {
  const auto at = [](double percent) {
    return [percent](Surroundings surroundings) { return BurnCpu(surroundings, percent); };
  };
  return {{"cpu", "database CPU", "DatabaseCpuHigh", "warning", 60, 80, "%", at(70)},
          {"cpu", "database CPU", "DatabaseCpuHigh", "critical", 80, kAbove, "%", at(92)}};
}

std::vector<Step> ResponseSteps() {
  constexpr int kStallSeconds = 6;
  const auto stall = [](bool measure_probes) {
    return [measure_probes](Surroundings surroundings) {
      return StallApplication(surroundings, kStallSeconds, measure_probes);
    };
  };
  return {{"response", "probes answered within 5 s", "ApplicationResponseTime", "critical", -1, 95,
           "%", stall(/*measure_probes=*/true)},
          {"response", "requests answered within 5 s", "ApplicationRequestTime", "critical", -1, 95,
           "%", stall(/*measure_probes=*/false)}};
}

void Add(std::vector<Step>& steps, const std::vector<Step>& more) {
  steps.insert(steps.end(), more.begin(), more.end());
}

std::vector<Step> PoolSteps() {
  auto steps = ApplicationPoolSteps();
  Add(steps, Pool("PgBouncer pool in use", "PgBouncerPoolInUse", HoldPgBouncerPool));
  Add(steps,
      Pool("PostgreSQL connections in use", "PostgresConnectionsInUse", HoldPostgresConnections));
  return steps;
}

}  // namespace

std::vector<std::string> ScenarioNames() {
  return {"all", "quick", "pool", "p95", "cache", "cpu", "response", "none"};
}

std::vector<Step> StepsOf(const std::string& scenario) {
  std::vector<Step> steps;
  const bool all = scenario == "all";
  if (all || scenario == "pool") Add(steps, PoolSteps());
  if (all || scenario == "p95") Add(steps, P95Steps());
  if (scenario == "quick") Add(steps, ApplicationPoolSteps());
  if (all || scenario == "quick" || scenario == "cache") Add(steps, CacheSteps());
  if (all || scenario == "cpu") Add(steps, CpuSteps());
  if (all || scenario == "response") Add(steps, ResponseSteps());
  return steps;
}

}  // namespace tocsin::demo
