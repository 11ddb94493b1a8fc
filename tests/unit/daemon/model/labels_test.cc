#include "daemon/model/labels.h"

#include <gtest/gtest.h>

#include "daemon/model/matcher.h"

namespace tocsin::model {
namespace {

TEST(LabelsTest, OrderDoesNotMatterAndEmptyValuesAreAbsent) {
  const Labels a{{"job", "pg"}, {"__name__", "up"}, {"gone", ""}};
  const Labels b{{"__name__", "up"}, {"job", "pg"}};
  EXPECT_EQ(a, b);
  EXPECT_EQ(a.Hash(), b.Hash());
  EXPECT_EQ(a.size(), 2u);
  EXPECT_EQ(a.Text(), "up{job=\"pg\"}");
  EXPECT_EQ(Labels().Text(), "{}");
}

TEST(LabelsTest, TheSameBytesCutElsewhereAreOtherLabels) {
  EXPECT_FALSE((Labels{{"ab", "c"}} == Labels{{"a", "bc"}}));
}

TEST(LabelsTest, TextsOfAnyLengthComeBack) {
  for (const std::size_t length : {0xfff0u, 0x10000u, 0x30000u}) {
    const std::string value(length, 'v');
    const Labels labels{{"a", value}, {"b", "1"}, {"c", value}};
    EXPECT_EQ(labels.Get("a"), value);
    EXPECT_EQ(labels.Get("b"), "1");
    EXPECT_EQ(labels.Get("c"), value);
    EXPECT_EQ(labels, (Labels{{"c", value}, {"b", "1"}, {"a", value}}));
    EXPECT_FALSE(labels == labels.With("b", "2"));
  }
}

TEST(LabelsTest, CopiesShareAndChangesDoNot) {
  const Labels original{{"a", "1"}, {"b", "2"}};
  const Labels copy = original;
  const Labels changed = copy.With("a", "9").Without("b");
  EXPECT_EQ(original, copy);
  EXPECT_EQ(changed, (Labels{{"a", "9"}}));
  EXPECT_EQ(original.Overlay(Labels{{"b", "3"}, {"c", "4"}}),
            (Labels{{"a", "1"}, {"b", "3"}, {"c", "4"}}));
  EXPECT_EQ(original.Keep({"b"}), (Labels{{"b", "2"}}));
  EXPECT_EQ(original.Drop({"b"}), (Labels{{"a", "1"}}));
}

TEST(LabelsTest, NamedSetsAreAsOthersAre) {
  const Labels rest{{"job", "pg"}, {"relname", "t1"}};
  const Labels named = Labels::Named(Labels{{"__name__", "scans"}}, rest);
  const Labels flat{{"__name__", "scans"}, {"job", "pg"}, {"relname", "t1"}};
  const Labels again =
      Labels::Named(Labels{{"__name__", "scans"}}, Labels{{"job", "pg"}, {"relname", "t1"}});
  for (const Labels& other : {flat, again}) {
    EXPECT_EQ(named, other);
    EXPECT_EQ(other, named);
    EXPECT_EQ(named.Hash(), other.Hash());
    EXPECT_EQ(named.Fingerprint(), other.Fingerprint());
    EXPECT_FALSE(named < other || other < named);
  }
  EXPECT_EQ(named.size(), 3u);
  EXPECT_EQ(named.Text(), "scans{job=\"pg\", relname=\"t1\"}");
  EXPECT_EQ(named.Name(), "scans");
  EXPECT_EQ(named.Get("relname"), "t1");
  for (const Labels& other :
       {Labels{{"__name__", "scan"}, {"job", "pg"}, {"relname", "t1"}},
        Labels{{"__name__", "scans"}, {"job", "pg"}, {"relname", "t2"}},
        Labels{{"__name__", "scans"}, {"job", "pg"}}, rest, Labels{{"__name__", "scans"}},
        Labels::Named(Labels{{"__name__", "tuples"}}, rest)}) {
    EXPECT_FALSE(named == other) << other.Text();
    EXPECT_FALSE(other == named) << other.Text();
  }
}

TEST(LabelsTest, NamedSetsChangeAsOthersDo) {
  const Labels rest{{"job", "pg"}, {"relname", "t1"}};
  const Labels flat{{"__name__", "scans"}, {"job", "pg"}, {"relname", "t1"}};
  const Labels named = Labels::Named(Labels{{"__name__", "scans"}}, rest);
  EXPECT_EQ(named.Without("__name__"), rest);
  EXPECT_EQ(named.Without("__name__").Get("job").data(), rest.Get("job").data()) << "shared";
  EXPECT_EQ(named.Without("job"), flat.Without("job"));
  EXPECT_EQ(named.Without("relname"), flat.Without("relname"));
  EXPECT_EQ(named.Without("other"), flat);
  EXPECT_EQ(named.With("job", "x"), flat.With("job", "x"));
  EXPECT_EQ(named.Keep({"__name__"}), flat.Keep({"__name__"}));
  EXPECT_EQ(named.Drop({"__name__", "job"}), flat.Drop({"__name__", "job"}));
  EXPECT_EQ(named.Overlay(Labels{{"a", "1"}}), flat.Overlay(Labels{{"a", "1"}}));
  EXPECT_EQ(Labels::Named(Labels{{"__name__", "up"}}, Labels()), (Labels{{"__name__", "up"}}));
}

TEST(LabelsTest, PartsOfNamedSetsLiveAsLongAsTheyAreNeeded) {
  Labels rest;
  Labels copy;
  {
    const Labels named = Labels::Named(Labels{{"__name__", "scans"}}, Labels{{"job", "pg"}});
    copy = named;
    rest = named.Without("__name__");
  }
  EXPECT_EQ(copy.Text(), "scans{job=\"pg\"}");
  copy = Labels();
  EXPECT_EQ(rest.Get("job"), "pg");
}

TEST(LabelsTest, TheFingerprintIsAlertmanagers) {
  const Labels labels{{"alertname", "PgDown"},
                      {"cluster", "c1"},
                      {"instance", "db1:9187"},
                      {"severity", "critical"}};
  EXPECT_EQ(FingerprintText(labels.Fingerprint()), "1fd7b4c807575a38");
}

TEST(LabelsTest, ValuesAreQuotedWithTheirEscapes) {
  EXPECT_EQ(QuoteLabelValue("a\"b\\c\nd"), R"("a\"b\\c\nd")");
}

Matcher Make(MatchOp op, const std::string& value) { return *Matcher::Make(op, "l", value); }

TEST(MatcherTest, RegularExpressionsAreAnchoredAndDotMatchesLineBreaks) {
  EXPECT_TRUE(Make(MatchOp::kRegex, "a.c").Matches("a\nc"));
  EXPECT_FALSE(Make(MatchOp::kRegex, "b").Matches("abc"));
  EXPECT_TRUE(Make(MatchOp::kNotRegex, "b").Matches("abc"));
  EXPECT_TRUE(Make(MatchOp::kRegex, ".*").MatchesEmpty());
  EXPECT_FALSE(Matcher::Make(MatchOp::kRegex, "l", "(").ok());
}

TEST(MatcherTest, AlternationsOfLiteralsAreKnownAsSuch) {
  EXPECT_EQ(Make(MatchOp::kRegex, "a|b\\.c").Literals(), (std::vector<std::string>{"a", "b.c"}));
  EXPECT_EQ(Make(MatchOp::kRegex, "(x|y)").Literals(), (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(Make(MatchOp::kRegex, "a.*|b").Literals().empty());
  EXPECT_TRUE(Make(MatchOp::kRegex, "(a|b)(c|d)").Literals().empty());
  EXPECT_TRUE(Make(MatchOp::kRegex, "a|").Matches(""));
  EXPECT_TRUE(Make(MatchOp::kRegex, "(?i)abc").Matches("ABC"));
}

}  // namespace
}  // namespace tocsin::model
