// `tocsin check rules` and `tocsin test rules` against Debian's promtool on the same
// files: the same verdict on each. The files speak no syntax that is new in Prometheus 3.

#include <gtest/gtest.h>

#include "daemon/base/file_system.h"
#include "daemon/base/go_numbers.h"
#include "daemon/base/text.h"
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

// The same verdict of promtool and of ours on a file with this text.
void ExpectTheSameVerdict(const std::string& command, const std::string& text) {
  const TemporaryFolder folder;
  const std::string file = folder.File("rules.yaml");
  PosixFileSystem files;
  ASSERT_TRUE(files.WriteAtomically(file, text).ok());
  const FinishedProcess theirs = RunProgram({"promtool", command, "rules", file});
  const FinishedProcess ours = RunProgram({TocsinProgram(), command, "rules", file});
  EXPECT_EQ(ours.status == 0, theirs.status == 0) << text << "\npromtool says:\n"
                                                  << theirs.output << "\nTocsin says:\n"
                                                  << ours.output;
}

// Scalars that YAML's dialects read differently.
const std::vector<std::string> kScalars = {
    "5",        "\"5\"",      "'5'",   "true",        "yes",
    "nil",      "~",          "",      "+5",          "-5",
    ".5",       "5.",         "5.7",   "1e3",         "1e+3",
    "1E3",      "1_000",      "1_0.5", "010",         "08",
    "0o10",     "0x10",       "0x1p4", "0b11",        "-0x10",
    "1:30",     "2001-01-01", ".inf",  "-.inf",       "+.Inf",
    ".nan",     "NaN",        "Inf",   "-Inf",        "\"\"",
    "|\n    5", "!!int 5",    "5s",    "99999999999", "9223372036854775808",
    "1e400",    "[5]",        "{}"};

TEST(RuleScalarsVerdictTest, ALimitIsWhatPromtoolTakes) {
  for (const std::string& scalar : kScalars) {
    ExpectTheSameVerdict("check", "groups:\n- name: g\n  limit: " + scalar + "\n  rules: []\n");
  }
}

// Of a sample: the file passes where both read the number that is written beside it.
TEST(RuleScalarsVerdictTest, AnExpectedValueIsTheNumberThatPromtoolReads) {
  for (const std::string& scalar : kScalars) {
    const std::string number = FormatDouble(ParseYamlNumber(scalar).value_or(5));
    ExpectTheSameVerdict(
        "test", "tests:\n- interval: 1m\n  promql_expr_test:\n  - expr: vector(" + number +
                    ")\n    exp_samples:\n    - labels: '{}'\n      value: " + scalar + "\n");
  }
}

TEST(RuleScalarsVerdictTest, TextsAndDurationsAreWhatPromtoolTakes) {
  for (const std::string& scalar : kScalars) {
    ExpectTheSameVerdict("check", "groups:\n- name: g\n  interval: " + scalar + "\n  rules: []\n");
    ExpectTheSameVerdict("check",
                         "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n    labels:\n"
                         "      a: " +
                             scalar + "\n");
  }
}

// What promtool says of a series' notation, and the place, stands in what Tocsin says.
TEST(RuleSeriesVerdictTest, AMistakeIsToldInPromtoolsWords) {
  const TemporaryFolder folder;
  const std::string file = folder.File("test.yaml");
  PosixFileSystem files;
  for (const auto& [series, values] :
       std::vector<std::pair<std::string, std::string>>{{"a", "1 two 3"},
                                                        {"a", "1+2"},
                                                        {"a", "1 + 2"},
                                                        {"a", "1+2 3"},
                                                        {"a{", "1"},
                                                        {"a {b=\"c\"}", "1"},
                                                        {"a{b=~\"c\"}", "1"},
                                                        {"a{b}", "1"},
                                                        {"a{b=c}", "1"},
                                                        {"a", "1x1e2"},
                                                        {"a", "1 ?"},
                                                        {"a", "1 5m"},
                                                        {"a", "1 1e999"},
                                                        {"a", "_x-3"},
                                                        {"a", "1 sum"},
                                                        {"a", "1 __"},
                                                        {"a", "_ x3"},
                                                        {"a", "1 -stale"},
                                                        {"a", "1-2-3x3"},
                                                        {"a", "1,2"},
                                                        {"a", "\"a\""},
                                                        {"a b", "1"},
                                                        {"a", "infx1"},
                                                        {"a", "stalex1"},
                                                        {"a", "010 _x2 stale -Inf NaN"},
                                                        {"a", "1-1x3 .5e1"}}) {
    SCOPED_TRACE(series + " " + values);
    ASSERT_TRUE(
        files
            .WriteAtomically(file, "tests:\n- interval: 1m\n  input_series:\n  - series: '" +
                                       series + "'\n    values: '" + values + "'\n")
            .ok());
    const FinishedProcess theirs = RunProgram({"promtool", "test", "rules", file});
    const FinishedProcess ours = RunProgram({TocsinProgram(), "test", "rules", file});
    EXPECT_EQ(ours.status == 0, theirs.status == 0) << theirs.output << ours.output;
    const std::size_t at = theirs.output.find("1:");
    if (theirs.status == 0 || at == std::string::npos) continue;
    const std::string told = theirs.output.substr(at, theirs.output.find('\n', at) - at);
    EXPECT_NE(ours.output.find(told), std::string::npos) << told << "\n" << ours.output;
  }
}

// What tests/golden holds Tocsin's templates to.
TEST(RuleTemplatesVerdictTest, TheGoldenTextsArePromtools) {
  const FinishedProcess theirs = RunProgram(
      {"promtool", "test", "rules", TOCSIN_SOURCE_DIR "/tests/golden/rules/templates.test.yaml"});
  EXPECT_EQ(theirs.status, 0) << theirs.output;
}

}  // namespace
}  // namespace tocsin::testing
