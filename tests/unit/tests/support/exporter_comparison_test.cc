#include "tests/support/exporter_comparison.h"

#include <gtest/gtest.h>

#include "daemon/formats/exposition.h"

namespace tocsin::testing {
namespace {

ExporterPage Page(std::string_view text) {
  model::MetricBatch batch;
  EXPECT_TRUE(formats::ParseExposition(text, {}, batch).ok());
  return PageOf(batch);
}

std::string Compare(std::string_view before, std::string_view ours, std::string_view after,
                    std::initializer_list<Difference> differences = {}) {
  const ExporterPage pages[] = {Page(before), Page(ours), Page(after)};
  return Lines(CompareWithExporter({pages[0], pages[1], pages[2]}, "x_", differences));
}

constexpr std::string_view kPage =
    "# TYPE x_keys gauge\nx_keys{db=\"0\"} 5\nx_keys{db=\"1\",empty=\"\"} NaN\n"
    "# TYPE x_calls counter\nx_calls 10\n"
    "# TYPE go_threads gauge\ngo_threads 7\n";

TEST(ExporterComparisonTest, EqualPagesAndCountersOnTheirWayAreAccepted) {
  EXPECT_EQ(Compare(kPage,
                    "# TYPE x_keys gauge\nx_keys{db=\"0\"} 5\nx_keys{db=\"1\"} NaN\n"
                    "x_keys{db=\"2\"} 8\n"
                    "# TYPE x_calls counter\nx_calls 12\n# TYPE x_more gauge\nx_more 1\n",
                    "# TYPE x_calls counter\nx_calls 13\n"
                    "# TYPE x_keys gauge\nx_keys{db=\"0\"} 5\nx_keys{db=\"1\"} NaN\n"),
            "");
}

TEST(ExporterComparisonTest, EachWayToBeDifferentIsNamed) {
  EXPECT_EQ(
      Compare(kPage, "# TYPE x_keys counter\nx_keys{db=\"0\",role=\"a\"} 5\nx_keys{db=\"1\"} 3\n",
              kPage),
      "x_calls is missing\n"
      "x_keys is a counter, the exporter's a gauge\n"
      "x_keys has labels [db,role], the exporter's [db]\n"
      "x_keys{db=\"0\"} is missing\n"
      "x_keys{db=\"1\"} is 3, the exporter's NaN");
  EXPECT_EQ(Compare("# TYPE x_calls counter\nx_calls 10\n", "# TYPE x_calls counter\nx_calls 14\n",
                    "# TYPE x_calls counter\nx_calls 13\n"),
            "x_calls is 14, the exporter's 10 before and 13 after");
}

TEST(ExporterComparisonTest, WhatIsListedMayDifferInThatAndNothingElse) {
  using In = Difference::In;
  constexpr std::string_view kOther = "# TYPE x_keys counter\nx_keys{db=\"0\"} 6\n";
  EXPECT_EQ(Compare(kPage, kOther, kPage,
                    {{"x_calls", "why", In::kFamily}, {"x_keys", "why", In::kType}}),
            "x_keys{db=\"0\"} is 6, the exporter's 5 before and 5 after\n"
            "x_keys{db=\"1\"} is missing");
  EXPECT_EQ(Compare(kPage, kOther, kPage,
                    {{"x_c*", "why", In::kFamily},
                     {"x_keys", "why", In::kType},
                     {"x_keys", "why", In::kSeries}}),
            "");
  constexpr std::string_view kMoreLabels =
      "# TYPE x_keys gauge\nx_keys{db=\"0\",role=\"a\"} 5\nx_keys{db=\"1\",role=\"a\"} 3\n";
  EXPECT_EQ(Compare(kPage, kMoreLabels, kPage,
                    {{"x_calls", "why", In::kFamily}, {"x_keys", "why", In::kLabels}}),
            "x_keys{db=\"1\"} is 3, the exporter's NaN");
  constexpr std::string_view kFive = "# TYPE x_keys gauge\nx_keys 5\n";
  constexpr std::string_view kSix = "# TYPE x_keys gauge\nx_keys 6\n";
  EXPECT_EQ(Compare(kFive, kSix, kFive, {{"x_keys", "why"}}), "");
  EXPECT_EQ(Compare(kFive, kSix, kFive, {{"x_keys", "why", In::kValues, 0.2}}), "");
  EXPECT_EQ(Compare(kFive, kSix, kFive, {{"x_keys", "why", In::kValues, 0.1}}),
            "x_keys is 6, the exporter's 5 before and 5 after");
}

TEST(ExporterComparisonTest, DifferenceThatNoFamilyBearsIsStale) {
  EXPECT_EQ(Compare(kPage, kPage, kPage, {{"x_gone", "it was slow"}}),
            "x_gone is not on the exporter's page, but may differ: it was slow");
}

TEST(ExporterComparisonTest, NobodyListeningIsAnEmptyPage) {
  EXPECT_EQ(GetPage(FreePort(), "/metrics"), "");
}

}  // namespace
}  // namespace tocsin::testing
