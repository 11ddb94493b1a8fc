#include "tests/support/store_model.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <set>

namespace tocsin::testing {
namespace {

constexpr std::size_t kDifferencesShown = 5;

}  // namespace

bool StoreModel::Append(const model::Labels& labels, std::int64_t time_ms, double value) {
  Samples& samples = series_[labels];
  if (!samples.empty() && samples.rbegin()->first >= time_ms) {
    // The last sample again is fine.
    const auto& [last_ms, bits] = *samples.rbegin();
    return last_ms == time_ms && bits == std::bit_cast<std::uint64_t>(value);
  }
  samples.emplace(time_ms, std::bit_cast<std::uint64_t>(value));
  return true;
}

std::map<std::string, StoreModel::Samples> StoreModel::Read(
    const std::vector<model::Matcher>& matchers, model::TimeRange range) const {
  std::map<std::string, Samples> result;
  for (const auto& [labels, samples] : series_) {
    if (!model::MatchesAll(matchers, labels)) continue;
    Samples within(samples.lower_bound(range.from_ms), samples.upper_bound(range.to_ms));
    if (!within.empty()) result.emplace(labels.Text(), std::move(within));
  }
  return result;
}

std::map<std::string, StoreModel::Samples> ReadAll(const model::Querier& querier,
                                                   const std::vector<model::Matcher>& matchers,
                                                   model::TimeRange range) {
  std::map<std::string, StoreModel::Samples> result;
  const auto selection = querier.Select(matchers, range);
  EXPECT_TRUE(selection.ok()) << selection.error().message;
  if (!selection.ok()) return result;
  for (std::size_t i = 0; i < (*selection)->size(); ++i) {
    model::SampleColumns columns;
    const auto read = (*selection)->Read(i, range, columns);
    EXPECT_TRUE(read.ok()) << read.error().message;
    StoreModel::Samples samples;
    for (std::size_t k = 0; k < columns.size(); ++k) {
      EXPECT_TRUE(k == 0 || columns.times_ms[k - 1] < columns.times_ms[k]) << "times must ascend";
      samples.emplace(columns.times_ms[k], std::bit_cast<std::uint64_t>(columns.values[k]));
    }
    if (samples.empty()) continue;
    const bool fresh = result.emplace((*selection)->labels(i).Text(), std::move(samples)).second;
    EXPECT_TRUE(fresh) << (*selection)->labels(i).Text() << " was selected twice";
  }
  return result;
}

std::string Difference(const std::map<std::string, StoreModel::Samples>& expected,
                       const std::map<std::string, StoreModel::Samples>& actual) {
  std::vector<std::string> lines;
  std::set<std::string> names;
  for (const auto& [name, samples] : expected) names.insert(name);
  for (const auto& [name, samples] : actual) names.insert(name);
  static const StoreModel::Samples kNone;
  for (const std::string& name : names) {
    const auto& want = expected.contains(name) ? expected.at(name) : kNone;
    const auto& have = actual.contains(name) ? actual.at(name) : kNone;
    if (want == have) continue;
    lines.push_back(
        fmt::format("{}: {} samples expected, {} found", name, want.size(), have.size()));
    for (const auto& [time_ms, bits] : want) {
      const auto found = have.find(time_ms);
      if (found != have.end() && found->second == bits) continue;
      lines.push_back(fmt::format(
          "  at {}: expected {}, {}", time_ms, std::bit_cast<double>(bits),
          found == have.end() ? "nothing found"
                              : fmt::format("found {}", std::bit_cast<double>(found->second))));
      break;
    }
    for (const auto& [time_ms, bits] : have) {
      if (want.contains(time_ms)) continue;
      lines.push_back(
          fmt::format("  at {}: found {}, nothing expected", time_ms, std::bit_cast<double>(bits)));
      break;
    }
    if (lines.size() > kDifferencesShown) break;
  }
  return fmt::format("{}", fmt::join(lines, "\n"));
}

}  // namespace tocsin::testing
