#include "rules/promql/promql_config.h"

#include <gtest/gtest.h>

namespace tocsin::promql {
namespace {

PromqlConfig Read(std::string_view text, ConfigErrors& errors) {
  ConfigReader reader(ConfigNode::Parse(text, "tocsin.yaml", ConfigNode::Expand::kNothing, errors),
                      errors);
  return ParsePromqlConfig(reader);
}

TEST(PromqlConfigTest, ReadsItsKeys) {
  ConfigErrors errors;
  const PromqlConfig config =
      Read("lookback: 1m\nclosed_left: true\nmax_samples: 10\ntimeout: 5s\n", errors);
  EXPECT_TRUE(errors.empty()) << errors.Text();
  EXPECT_EQ(config.lookback, Millis(60'000));
  EXPECT_TRUE(config.closed_left);
  EXPECT_EQ(config.max_samples, 10);
  EXPECT_EQ(config.timeout, Millis(5'000));
}

TEST(PromqlConfigTest, NamesWhatIsWrong) {
  ConfigErrors errors;
  Read("lookbck: 1m\nmax_samples: 0\n", errors);
  EXPECT_NE(errors.Text().find("lookback"), std::string::npos) << errors.Text();
  EXPECT_NE(errors.Text().find("max_samples"), std::string::npos) << errors.Text();
}

}  // namespace
}  // namespace tocsin::promql
