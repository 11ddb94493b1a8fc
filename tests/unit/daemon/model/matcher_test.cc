#include "daemon/model/matcher.h"

#include <gtest/gtest.h>

#include <string>

namespace tocsin::model {
namespace {

Matcher Regex(const std::string& pattern, MatchOp op = MatchOp::kRegex) {
  auto matcher = Matcher::Make(op, "l", pattern);
  EXPECT_TRUE(matcher.ok()) << matcher.error().message;
  return matcher.ok() ? *matcher : *Matcher::Make(MatchOp::kEqual, "l", "refused");
}

std::string Refusal(const std::string& pattern) {
  const auto matcher = Matcher::Make(MatchOp::kRegex, "l", pattern);
  return matcher.ok() ? "taken" : matcher.error().message;
}

TEST(MatcherTest, APatternMatchesTheWholeValue) {
  EXPECT_TRUE(Regex("a.c|d").Matches("abc"));
  EXPECT_TRUE(Regex("a.c|d").Matches("a\nc"));
  EXPECT_TRUE(Regex("a|ab").Matches("ab"));
  EXPECT_TRUE(Regex("(?i)up").Matches("UP"));
  EXPECT_FALSE(Regex("a.c|d").Matches("abcd"));
  EXPECT_FALSE(Regex("a.c|d").Matches("xd"));
  EXPECT_FALSE(Regex("b$").Matches("b\n"));
  EXPECT_TRUE(Regex("a.c|d", MatchOp::kNotRegex).Matches("abcd"));
  EXPECT_TRUE(Regex("").MatchesEmpty());
  EXPECT_FALSE(Regex("").Matches("x"));
}

TEST(MatcherTest, LiteralsAreKnownAsSuch) {
  using Literals = std::vector<std::string>;
  EXPECT_EQ(Regex("c|a|b|a").Literals(), (Literals{"a", "b", "c"}));
  EXPECT_EQ(Regex("(a\\.b|)").Literals(), (Literals{"", "a.b"}));
  EXPECT_EQ(Regex("a|b+").Literals(), Literals{});
  EXPECT_EQ(Regex("a|b", MatchOp::kNotRegex).Literals(), Literals{});
  EXPECT_FALSE(Regex("a|b", MatchOp::kNotRegex).Matches("b"));
  EXPECT_TRUE(Regex("a|b", MatchOp::kNotRegex).Matches("c"));
}

TEST(MatcherTest, LongAlternationsAreTaken) {
  std::string names;
  for (int i = 0; i < 20'000; ++i) names += "host-" + std::to_string(i) + "\\.example:9100|";
  names += "last";
  EXPECT_TRUE(Regex(names).Matches("host-19999.example:9100"));
  EXPECT_FALSE(Regex(names).Matches("host-20000.example:9100"));
}

// Go's words, as Prometheus passes them on.
TEST(MatcherTest, WhatGoWouldRefuseIsRefusedInItsWords) {
  EXPECT_EQ(Refusal("1)|(2"), "error parsing regexp: unexpected ): `1)|(2`");
  EXPECT_EQ(Refusal("["), "error parsing regexp: missing closing ]: `[`");
  EXPECT_EQ(Refusal("("), "error parsing regexp: missing closing ): `(`");
  EXPECT_EQ(Refusal("*"), "error parsing regexp: missing argument to repetition operator: `*`");
  EXPECT_EQ(Refusal("x{1001}"), "error parsing regexp: invalid repeat count: `{1001}`");
  EXPECT_EQ(Refusal("x**"), "error parsing regexp: invalid nested repetition operator: `**`");
  EXPECT_EQ(Refusal("(?=a)"), "error parsing regexp: invalid or unsupported Perl syntax: `(?=`");
  EXPECT_EQ(Refusal("a\\C"), "error parsing regexp: invalid escape sequence: `\\C`");
  EXPECT_EQ(Refusal("\\\\C\\Q\\C\\E"), "taken");
  EXPECT_NE(Refusal("\xff"), "taken");
  EXPECT_LT(Refusal(std::string(100'000, 'x') + "[").size(), 500u);
  EXPECT_LT(Refusal("(" + std::string(100'000, 'x')).size(), 500u);
  // It would take seconds, and memory, to compile.
  EXPECT_EQ(Refusal("[\\pL\\pN]{1000}"),
            "error parsing regexp: expression too large: `[\\pL\\pN]{1000}`");
}

}  // namespace
}  // namespace tocsin::model
