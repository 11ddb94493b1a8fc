// The dashboard is one Grafana can load; that its panels have data the demo asserts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/demo/final_checks.h"

namespace tocsin::demo {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Dashboard() { return *ReadText(TOCSIN_SOURCE_DIR "/dashboards/booking-platform.json"); }

TEST(DashboardTest, GrafanaCanLoadIt) {
  const auto dashboard = json::parse(Dashboard());
  EXPECT_GE(dashboard.at("schemaVersion"), 36);
  std::set<int> ids;
  for (const auto& panel : dashboard.at("panels")) {
    EXPECT_TRUE(ids.insert(panel.at("id").get<int>()).second) << panel.at("title");
    const auto& grid = panel.at("gridPos");
    EXPECT_LE(grid.at("x").get<int>() + grid.at("w").get<int>(), 24) << panel.at("title");
    if (panel.at("type") == "row") continue;
    ASSERT_FALSE(panel.at("targets").empty()) << panel.at("title");
  }
}

TEST(DashboardTest, EveryVariableOfAnExpressionIsDeclared) {
  const auto dashboard = json::parse(Dashboard());
  std::set<std::string> declared = {"__rate_interval"};
  for (const auto& variable : dashboard.at("templating").at("list")) {
    declared.insert(variable.at("name"));
  }
  const auto expressions = PanelExpressions(Dashboard());
  ASSERT_TRUE(expressions.ok()) << expressions.error().message;
  EXPECT_GT(expressions->size(), 20U);
  for (const auto& [panel, expression] : *expressions) {
    for (auto at = expression.find('$'); at != std::string::npos; at = expression.find('$', at)) {
      const auto end = expression.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789", ++at);
      const auto name = expression.substr(at, end - at);
      EXPECT_TRUE(declared.contains(name) || name == "1") << panel << ": $" << name;
    }
  }
}

TEST(DashboardTest, VariablesAreFilledInAndReplacementGroupsAreNot) {
  EXPECT_EQ(FillVariables(R"(rate(a{instance=~"$redis"}[$__rate_interval]))"),
            R"(rate(a{instance=~".+"}[20s]))");
  const std::string replace = R"x(label_replace(a, "b", "$1", "c", "(.+)"))x";
  EXPECT_EQ(FillVariables(replace), replace);
}

}  // namespace
}  // namespace tocsin::demo
