#include "rules/promql/series_notation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/text.h"
#include "daemon/model/sample.h"

namespace tocsin::promql {
namespace {

std::string Shown(std::string_view text) {
  const auto series = ParseSeriesDescription("m " + std::string(text));
  if (!series.ok()) return series.error().message;
  std::string shown;
  for (const SequenceValue& value : series->values) {
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

TEST(SeriesNotationTest, NumbersAreThoseOfPromQL) {
  EXPECT_EQ(Shown("010 1_000x1 0x2"), "8 1000 1000 0 0 0");
}

TEST(SeriesNotationTest, ErrorsNameTheColumn) {
  const std::string unexpected = "parse error: unexpected ";
  for (const auto& [text, error] : std::vector<std::pair<std::string, std::string>>{
           {"1 two 3", "1:5: " + unexpected +
                           "identifier \"two\" in series values, expected number or \"stale\""},
           {"1+2", "1:6: " + unexpected + "end of input in series values"},
           {"1+2 3", "1:6: " + unexpected + "\" \" in series values"},
           {"1 + 2", "1:6: " + unexpected + "\" \" in series values"},
           {"1 -stale", "1:6: " + unexpected + "identifier \"stale\" in series values"},
           {"1 sum", "1:5: " + unexpected + "<aggr:sum>"},
           {"_ x3", "1:5: " + unexpected + "\"x\""},
           {"__", "1:4: " + unexpected + "\"_\""},
           {"1x-3", "1:5: " + unexpected + "<op:-> in series values"},
           {"1x1e2",
            "1:5: parse error: invalid repetition in series values: strconv.ParseUint: parsing "
            "\"1e2\": invalid syntax"},
           {"1x99999999999999999999",
            "1:5: parse error: invalid repetition in series values: strconv.ParseUint: parsing "
            "\"99999999999999999999\": value out of range"},
           {"1.2.3", "1:3: parse error: bad number syntax: \"1.2.\""},
           {"1 5m", "1:5: parse error: bad number syntax: \"5\""},
           {"1 1e999",
            "1:5: parse error: error parsing number: strconv.ParseFloat: parsing "
            "\"1e999\": value out of range"},
           {"1 ?", "1:5: parse error: unexpected character in series sequence: '?'"},
           {"{a=\"b\"} 1", "1:3: parse error: unexpected character in series sequence: '{'"}}) {
    EXPECT_EQ(Shown(text), error) << text;
  }
  // Words are read whole.
  for (const char* word : {"stalex1", "NaNx2", "1+NaNx2", "1-infx2"}) {
    EXPECT_NE(Shown(word).find("unexpected"), std::string::npos) << word;
  }
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

  const auto unequal = ParseSeriesDescription("m{a=~\"b\"} 1");
  ASSERT_FALSE(unequal.ok());
  EXPECT_EQ(unequal.error().message,
            "1:4: parse error: unexpected <op:=~> in label set, expected \"=\"");
  EXPECT_FALSE(ParseSeriesDescription("m{a=\"b\" 1").ok());
  EXPECT_FALSE(ParseSeriesDescription("m{a=\"b\",a=\"c\"} 1").ok());
}

}  // namespace
}  // namespace tocsin::promql
