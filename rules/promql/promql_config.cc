#include "rules/promql/promql_config.h"

namespace tocsin::promql {
namespace {

constexpr std::int64_t kMostSamples = 100'000'000'000;

}  // namespace

PromqlConfig ParsePromqlConfig(ConfigReader& section) {
  PromqlConfig config;
  config.lookback = section.Duration("lookback", config.lookback, Millis(1));
  config.closed_left = section.Bool("closed_left", config.closed_left);
  config.max_samples = section.Int("max_samples", config.max_samples, 1, kMostSamples);
  config.timeout = section.Duration("timeout", config.timeout, Millis(1));
  section.Finish();
  return config;
}

}  // namespace tocsin::promql
