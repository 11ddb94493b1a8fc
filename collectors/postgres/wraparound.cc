#include "collectors/postgres/wraparound.h"

#include <algorithm>
#include <string>

namespace tocsin::collectors::postgres {
namespace {

// PostgreSQL takes no more writes three million before half of all numbers.
constexpr double kMostAge = 2'147'483'648.0 - 3'000'000;

}  // namespace

void ShowWraparoundDays(SubjectRun& run, std::string_view metric, std::string_view help,
                        double next, double Database::*age) {
  const auto per_day = run.memory.growth.PerDay(next, run.context.clock.SteadyNow());
  if (!per_day) return;
  const auto family = run.out.Declare(metric, help, model::MetricType::kGauge, {"datname"});
  for (const Database& database : run.databases) {
    run.out.Add(family, {database.name}, std::max(kMostAge - database.*age, 0.0) / *per_day);
  }
}

}  // namespace tocsin::collectors::postgres
