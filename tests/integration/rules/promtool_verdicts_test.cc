// `tocsin check rules` and `tocsin test rules` against Debian's promtool on the same
// files: the same verdict on each. The files speak no syntax that is new in Prometheus 3.

#include <gtest/gtest.h>

#include "daemon/base/file_system.h"
#include "tests/support/daemon_process.h"

namespace tocsin::testing {
namespace {

const std::string kFolder = TOCSIN_SOURCE_DIR "/tests/integration/rules";

std::vector<std::string> Files(const std::string& pattern) {
  PosixFileSystem disk;
  FileSystem& files = disk;
  const auto paths = files.Glob(kFolder + "/" + pattern);
  return paths.ok() ? *paths : std::vector<std::string>();
}

FinishedProcess RunProgram(std::vector<std::string> argv) {
  auto finished = RunProcess({.argv = std::move(argv)});
  EXPECT_TRUE(finished.ok()) << finished.error().message;
  return finished.ok() ? *finished : FinishedProcess{-1, ""};
}

std::string NameOf(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param.substr(kFolder.size() + 1);
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

class RuleFileVerdictTest : public ::testing::TestWithParam<std::string> {};

TEST_P(RuleFileVerdictTest, IsPromtools) {
  const bool good = GetParam().find("/good/") != std::string::npos;
  const FinishedProcess theirs = RunProgram({"promtool", "check", "rules", GetParam()});
  ASSERT_EQ(theirs.status == 0, good) << theirs.output;
  const FinishedProcess ours = RunProgram({TocsinProgram(), "check", "rules", GetParam()});
  EXPECT_EQ(ours.status, good ? 0 : 1) << ours.output << "promtool says:\n" << theirs.output;
}

INSTANTIATE_TEST_SUITE_P(Good, RuleFileVerdictTest, ::testing::ValuesIn(Files("check/good/*.yaml")),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Bad, RuleFileVerdictTest, ::testing::ValuesIn(Files("check/bad/*.yaml")),
                         NameOf);

class RuleUnitTestVerdictTest : public ::testing::TestWithParam<std::string> {};

TEST_P(RuleUnitTestVerdictTest, IsPromtools) {
  const FinishedProcess theirs = RunProgram({"promtool", "test", "rules", GetParam()});
  ASSERT_TRUE(theirs.status == 0 || theirs.status == 1) << theirs.output;
  const FinishedProcess ours = RunProgram({TocsinProgram(), "test", "rules", GetParam()});
  EXPECT_EQ(ours.status, theirs.status) << ours.output << "promtool says:\n" << theirs.output;
}

INSTANTIATE_TEST_SUITE_P(Promtool, RuleUnitTestVerdictTest,
                         ::testing::ValuesIn(Files("test/*.test.yaml")), NameOf);

// What tests/golden holds Tocsin's templates to.
TEST(RuleTemplatesVerdictTest, TheGoldenTextsArePromtools) {
  const FinishedProcess theirs = RunProgram(
      {"promtool", "test", "rules", TOCSIN_SOURCE_DIR "/tests/golden/rules/templates.test.yaml"});
  EXPECT_EQ(theirs.status, 0) << theirs.output;
}

}  // namespace
}  // namespace tocsin::testing
