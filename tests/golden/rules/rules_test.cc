// Rule files as users write them: each *.bad.yaml with what must be said about it
// (*.bad.txt), each *.test.yaml with what its tests find (*.test.txt; a file that
// passes has none), and the shipped rules.

#include <gtest/gtest.h>

#include "daemon/base/file_system.h"
#include "rules/engine/rule_file.h"
#include "rules/engine/rule_tests.h"
#include "tests/support/golden.h"

namespace tocsin::rules {
namespace {

const std::string kFolder = TOCSIN_SOURCE_DIR "/tests/golden/rules";

std::vector<std::string> Named(const std::string& ending) {
  PosixFileSystem files;
  std::vector<std::string> names;
  const auto paths = files.Glob(kFolder + "/*" + ending);
  if (!paths.ok()) return names;
  for (const std::string& path : *paths) {
    const std::string file = path.substr(path.rfind('/') + 1);
    names.push_back(file.substr(0, file.size() - ending.size()));
  }
  return names;
}

std::string NameOf(const ::testing::TestParamInfo<std::string>& info) { return info.param; }

class BrokenRulesTest : public ::testing::TestWithParam<std::string> {};

TEST_P(BrokenRulesTest, AllErrorsAreNamedWithTheirPlaces) {
  PosixFileSystem files;
  const std::string file = GetParam() + ".bad.yaml";
  const auto text = files.Read(kFolder + "/" + file, FileSystem::kDefaultReadLimitBytes);
  ASSERT_TRUE(text.ok());
  ConfigErrors errors;
  LoadRuleFile(*text, file, errors);
  tocsin::testing::ExpectGolden(errors.Text(), kFolder + "/" + GetParam() + ".bad.txt");
}

INSTANTIATE_TEST_SUITE_P(Golden, BrokenRulesTest, ::testing::ValuesIn(Named(".bad.yaml")), NameOf);

class RuleUnitTest : public ::testing::TestWithParam<std::string> {};

TEST_P(RuleUnitTest, FindsWhatItShould) {
  PosixFileSystem files;
  const SystemClock clock;
  const auto report =
      RunRuleTests(kFolder + "/" + GetParam() + ".test.yaml", files, clock, promql::PromqlConfig());
  ASSERT_TRUE(report.ok()) << report.error().message;
  std::string text;
  for (const auto& finding : report->findings) text += finding + "\n";
  const std::string expected = kFolder + "/" + GetParam() + ".test.txt";
  if (files.Status(expected).ok()) {
    tocsin::testing::ExpectGolden(text, expected);
  } else {
    EXPECT_EQ(text, "");
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, RuleUnitTest, ::testing::ValuesIn(Named(".test.yaml")), NameOf);

TEST(RuleFilesTest, TheShippedRulesAreGood) {
  PosixFileSystem files;
  ConfigErrors errors;
  const RuleSet rules = LoadRuleSet(RulesConfig(), files, TOCSIN_SOURCE_DIR "/rules", errors);
  EXPECT_EQ(errors.Text(), "");
  EXPECT_FALSE(rules.groups.empty());
}

TEST(RuleFilesTest, TheShippedRulesPassTheirOwnTests) {
  PosixFileSystem files;
  const SystemClock clock;
  const auto paths = files.Glob(TOCSIN_SOURCE_DIR "/rules/*.test.yaml");
  ASSERT_TRUE(paths.ok());
  EXPECT_FALSE(paths->empty());
  for (const std::string& path : *paths) {
    const auto report = RunRuleTests(path, files, clock, promql::PromqlConfig());
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_GT(report->tests, 0);
    for (const auto& finding : report->findings) ADD_FAILURE() << path << ": " << finding;
  }
}

TEST(RuleFilesTest, AFileThatIsNotThereIsAnErrorAPatternThatMatchesNothingIsNot) {
  PosixFileSystem files;
  RulesConfig config;
  config.files = {kFolder + "/nothing-*.yaml"};
  ConfigErrors errors;
  EXPECT_TRUE(LoadRuleSet(config, files, "", errors).groups.empty());
  EXPECT_TRUE(errors.empty());
  config.files = {kFolder + "/not-there.yaml"};
  LoadRuleSet(config, files, "", errors);
  EXPECT_EQ(errors.errors().size(), 1u);
}

}  // namespace
}  // namespace tocsin::rules
