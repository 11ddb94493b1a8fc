#include "rules/promql/series_notation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "daemon/base/text.h"
#include "daemon/model/sample.h"

namespace tocsin::promql {
namespace {

std::string Shown(std::string_view text) {
  const auto values = ParseSequence(text);
  if (!values.ok()) return values.error().message;
  std::string shown;
  for (const SequenceValue& value : *values) {
    if (!shown.empty()) shown += ' ';
    shown += value.omitted                       ? "_"
             : model::IsStaleMarker(value.value) ? "stale"
                                                 : FormatDouble(value.value);
  }
  return shown;
}

TEST(SeriesNotationTest, SequencesExpand) {
  EXPECT_EQ(Shown(""), "");
  EXPECT_EQ(Shown("1 -2 +3 .5 1e3"), "1 -2 3 0.5 1000");
  EXPECT_EQ(Shown("NaN Inf -inf +Inf"), "NaN +Inf -Inf +Inf");
  EXPECT_EQ(Shown("_ _x2 stale"), "_ _ _ stale");
  EXPECT_EQ(Shown("5x2"), "5 5 5");
  EXPECT_EQ(Shown("1+2x3"), "1 3 5 7");
  EXPECT_EQ(Shown("10-5x2"), "10 5 0");
  EXPECT_EQ(Shown("-3-1x1 0x0"), "-3 -4 0");
  EXPECT_EQ(Shown("1e2+1e1x1"), "100 110");
}

TEST(SeriesNotationTest, ErrorsNameTheColumn) {
  EXPECT_EQ(Shown("1 two 3"),
            "1:3: parse error: unexpected \"two\" in series values, expected number or \"stale\"");
  EXPECT_EQ(Shown("1+2"),
            "1:4: parse error: unexpected \"\" in series values, expected number or \"stale\"");
  // Words are read whole.
  for (const char* word : {"stalex1", "NaNx2", "1+NaNx2", "1-infx2"}) {
    EXPECT_NE(Shown(word).find("unexpected"), std::string::npos) << word;
  }
  EXPECT_NE(Shown("1x-3").find("parse error"), std::string::npos);
  EXPECT_NE(Shown("{{schema:1}}").find("native histograms are not supported"), std::string::npos);
  EXPECT_NE(Shown("0x99999999999").find("at most"), std::string::npos);
}

TEST(SeriesNotationTest, SeriesCarryTheirLabels) {
  const auto series = ParseSeriesDescription("m{a=\"x y}\", \"b.c\"='d'} 1 2");
  ASSERT_TRUE(series.ok()) << series.error().message;
  EXPECT_EQ(series->labels, (model::Labels{{"__name__", "m"}, {"a", "x y}"}, {"b.c", "d"}}));
  EXPECT_EQ(series->values.size(), 2u);

  const auto bare = ParseSeriesDescription("some:metric _ 7");
  ASSERT_TRUE(bare.ok());
  EXPECT_EQ(bare->labels.Name(), "some:metric");

  const auto nameless = ParseSeriesDescription("{} 5");
  ASSERT_TRUE(nameless.ok());
  EXPECT_TRUE(nameless->labels.empty());

  EXPECT_FALSE(ParseSeriesDescription("m{a=~\"b\"} 1").ok());
  EXPECT_FALSE(ParseSeriesDescription("m{a=\"b\" 1").ok());
}

}  // namespace
}  // namespace tocsin::promql
