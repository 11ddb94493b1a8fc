// The demo changes durations of the shipped rules and nothing else.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <set>

#include "tests/demo/derive_rules.h"
#include "tests/demo/servers.h"

namespace tocsin::demo {
namespace {

std::string Shipped() { return *ReadText(TOCSIN_SOURCE_DIR "/rules/booking-platform.yaml"); }

// A slow, obvious way of its own to forget every duration inside brackets.
std::string WithoutRanges(const std::string& expression) {
  std::string kept;
  bool inside = false;
  for (const char c : expression) {
    if (c == ']') inside = false;
    if (!inside) kept += c;
    if (c == '[') inside = true;
  }
  return kept;
}

void ExpectSameButDurations(const YAML::Node& shipped, const YAML::Node& derived,
                            const std::string& where) {
  ASSERT_EQ(shipped.Type(), derived.Type()) << where;
  if (shipped.IsMap()) {
    ASSERT_EQ(shipped.size(), derived.size()) << where;
    for (const auto& entry : shipped) {
      const auto key = entry.first.as<std::string>();
      ASSERT_TRUE(derived[key]) << where << "." << key;
      if (key == "for") continue;
      if (key == "expr") {
        EXPECT_EQ(WithoutRanges(entry.second.as<std::string>()),
                  WithoutRanges(derived[key].as<std::string>()))
            << where;
      } else {
        ExpectSameButDurations(entry.second, derived[key], where + "." + key);
      }
    }
  } else if (shipped.IsSequence()) {
    ASSERT_EQ(shipped.size(), derived.size()) << where;
    for (std::size_t i = 0; i < shipped.size(); ++i) {
      ExpectSameButDurations(shipped[i], derived[i], where + "[" + std::to_string(i) + "]");
    }
  } else {
    EXPECT_EQ(shipped.Scalar(), derived.Scalar()) << where;
  }
}

TEST(DeriveRulesTest, NothingButDurationsDiffers) {
  const std::string shipped = Shipped();
  const std::string derived = DeriveRules(shipped);
  EXPECT_NE(shipped, derived);
  ExpectSameButDurations(YAML::Load(shipped), YAML::Load(derived), "rules");
}

TEST(DeriveRulesTest, EveryRowOfTheTableBecomesQuick) {
  const auto rules = YAML::Load(DeriveRules(Shipped()));
  std::set<std::string> quick;
  for (const auto& group : rules["groups"]) {
    for (const auto& rule : group["rules"]) {
      if (rule["alert"] && rule["for"].as<std::string>("") == "3s") {
        quick.insert(rule["alert"].as<std::string>() + "/" +
                     rule["labels"]["severity"].as<std::string>());
        EXPECT_THAT(rule["expr"].as<std::string>(), ::testing::Not(::testing::HasSubstr("[5m]")));
      }
    }
  }
  for (const char* alert :
       {"ApplicationPoolInUse", "PgBouncerPoolInUse", "PostgresConnectionsInUse",
        "QueryResponseTimeP95", "CacheHitRateLow", "DatabaseCpuHigh"}) {
    EXPECT_TRUE(quick.contains(std::string(alert) + "/warning")) << alert;
    EXPECT_TRUE(quick.contains(std::string(alert) + "/critical")) << alert;
  }
  EXPECT_TRUE(quick.contains("ApplicationResponseTime/critical"));
  EXPECT_TRUE(quick.contains("ApplicationRequestTime/critical"));
}

}  // namespace
}  // namespace tocsin::demo
