#pragma once

// Which seeds a simulation runs: TOCSIN_SIM_SEED=n that one alone, TOCSIN_SIM_SEEDS=n
// the first n. A failure says what reproduces it.

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <string>

#include "daemon/base/text.h"

namespace tocsin::testing {

inline std::uint64_t FromEnvironment(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  const auto number = text ? ParseInt(text) : std::nullopt;
  return number ? static_cast<std::uint64_t>(*number) : fallback;
}

// The command that runs the present test with this number alone.
inline std::string Reproduced(const std::string& variable, std::uint64_t number) {
  const std::string suite = ::testing::UnitTest::GetInstance()->current_test_suite()->name();
  return variable + "=" + std::to_string(number) +
         " build/PRESET/tests/sim_daemon --gtest_filter='" + suite + ".*' reproduces it";
}

inline void ForEachSeed(std::uint64_t seeds, const std::function<void(std::uint64_t)>& simulate) {
  const std::uint64_t only = FromEnvironment("TOCSIN_SIM_SEED", 0);
  const std::uint64_t last = only ? only : FromEnvironment("TOCSIN_SIM_SEEDS", seeds);
  for (std::uint64_t seed = only ? only : 1; seed <= last; ++seed) {
    SCOPED_TRACE(Reproduced("TOCSIN_SIM_SEED", seed));
    simulate(seed);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace tocsin::testing
