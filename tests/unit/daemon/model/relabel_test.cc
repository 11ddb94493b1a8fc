#include "daemon/model/relabel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::model {
namespace {

using ::testing::HasSubstr;

RelabelRules Rules(const std::string& yaml, ConfigErrors& errors) {
  const ConfigNode node =
      ConfigNode::Parse("rules: " + yaml, "t.yaml", ConfigNode::Expand::kNothing, errors);
  ConfigReader reader(node, errors);
  return RelabelRules::Read(reader, "rules");
}

// The labels that come out, "dropped" if none do.
std::string After(const std::string& yaml, const Labels& labels) {
  ConfigErrors errors;
  const auto result = Rules(yaml, errors).Apply(labels);
  EXPECT_TRUE(errors.empty()) << errors.Text();
  return result ? result->Text() : "dropped";
}

const Labels kSeries = {{"__name__", "m"}, {"a", "foo"}, {"b", "bar"}, {"c", "baz"}};

TEST(RelabelTest, Replace) {
  EXPECT_EQ(
      After("[{source_labels: [a], target_label: d, regex: f(.*), replacement: 'ch${1}-ch${1}'}]",
            kSeries),
      R"(m{a="foo", b="bar", c="baz", d="choo-choo"})");
  EXPECT_EQ(After("[{source_labels: [a, b], target_label: d, regex: 'f(.*);(?P<x>.*)r', "
                  "replacement: '${x}$1$$'}]",
                  kSeries),
            R"(m{a="foo", b="bar", c="baz", d="baoo$"})");
  EXPECT_EQ(After("[{source_labels: [a], target_label: d, regex: oo, replacement: x}]", kSeries),
            kSeries.Text());
  EXPECT_EQ(After("[{source_labels: [a], target_label: '${1}_x', regex: '(.*)', replacement: y}]",
                  {{"a", "n"}}),
            R"({a="n", n_x="y"})");
  EXPECT_EQ(After("[{target_label: a, replacement: ''}]", kSeries), R"(m{b="bar", c="baz"})");
}

TEST(RelabelTest, KeepAndDrop) {
  EXPECT_EQ(After("[{source_labels: [a], regex: fo+, action: keep}]", kSeries), kSeries.Text());
  EXPECT_EQ(After("[{source_labels: [a], regex: fo, action: keep}]", kSeries), "dropped");
  EXPECT_EQ(After("[{source_labels: [__name__], regex: m, action: drop}]", kSeries), "dropped");
  EXPECT_EQ(After("[{source_labels: [a], target_label: b, action: keepequal}]", kSeries),
            "dropped");
  EXPECT_EQ(After("[{source_labels: [a], target_label: b, action: dropequal}]", kSeries),
            kSeries.Text());
}

TEST(RelabelTest, NamesOfLabels) {
  EXPECT_EQ(After("[{regex: '[ab]', action: labeldrop}]", kSeries), R"(m{c="baz"})");
  EXPECT_EQ(After("[{regex: '__name__|a', action: labelkeep}]", kSeries), R"(m{a="foo"})");
  EXPECT_EQ(After("[{regex: '(a|b)', replacement: 'x_$1', action: labelmap}]", kSeries),
            R"(m{a="foo", b="bar", c="baz", x_a="foo", x_b="bar"})");
  EXPECT_EQ(After("[{regex: '.*', action: labeldrop}]", kSeries), "dropped");
}

TEST(RelabelTest, CaseAndHash) {
  EXPECT_EQ(After("[{source_labels: [a], target_label: a, action: uppercase}]", {{"a", "aBc"}}),
            R"({a="ABC"})");
  EXPECT_EQ(After("[{source_labels: [a], target_label: a, action: lowercase}]", {{"a", "aBc"}}),
            R"({a="abc"})");
  // MD5 of "foo" is acbd18db4cc2f85cedef654fccc4a4d8: its last 8 bytes modulo 1000.
  EXPECT_EQ(After("[{source_labels: [a], target_label: d, modulus: 1000, action: hashmod}]",
                  {{"a", "foo"}}),
            "{a=\"foo\", d=\"" + std::to_string(0xedef654fccc4a4d8ULL % 1000) + "\"}");
}

TEST(RelabelTest, SaysWhatIsWrong) {
  ConfigErrors errors;
  Rules(
      "[{action: replac}, {regex: '('}, {source_labels: [a], action: hashmod, target_label: x}, "
      "{sauce: 1}]",
      errors);
  EXPECT_THAT(errors.Text(), HasSubstr("replac"));
  EXPECT_THAT(errors.Text(), HasSubstr("regular expression \"(\""));
  EXPECT_THAT(errors.Text(), HasSubstr("hashmod needs a modulus"));
  EXPECT_THAT(errors.Text(), HasSubstr("needs a target_label"));
  EXPECT_THAT(errors.Text(), HasSubstr("unknown key \"sauce\""));
}

}  // namespace
}  // namespace tocsin::model
