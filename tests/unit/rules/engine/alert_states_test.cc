// Prometheus' alert state machine, line by line, told as timelines.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rules/engine/rule_world.h"

namespace tocsin::rules {
namespace {

using ::testing::ElementsAre;
using testing::Group;
using ::testing::IsEmpty;
using testing::kCpu;
using testing::RuleWorld;

const std::string kHigh = Group(R"y(
  - alert: High
    expr: cpu > 80
    for: 30s
    labels: { severity: warning }
    annotations: { summary: "{{ $value }} on {{ $labels.instance }}" }
)y");

TEST(AlertStatesTest, FiresAfterForAndResolvesWithTheCurrentValue) {
  RuleWorld world;
  world.Set(kCpu, 50);
  world.Begin(kHigh);
  EXPECT_THAT(world.Alerts(), IsEmpty());
  world.Set(kCpu, 90);
  world.RunTo("10s");
  EXPECT_THAT(world.Alerts(), ElementsAre("High{severity=\"warning\"} pending since 10s value 90"));
  EXPECT_THAT(world.Timeline(), IsEmpty());
  world.RunTo("40s");
  EXPECT_THAT(world.Alerts(), ElementsAre("High{severity=\"warning\"} firing since 10s value 90"));
  world.Set(kCpu, 42);
  world.RunTo("50s");
  EXPECT_THAT(world.Alerts(), IsEmpty());
  EXPECT_THAT(world.Timeline(), ElementsAre("40s firing High{severity=\"warning\"} 90",
                                            "50s resolved High{severity=\"warning\"} 42"));
  EXPECT_EQ(world.sink().batches.back()[0].annotations.Get("summary"), "42 on db1:5432");
}

TEST(AlertStatesTest, AResolvedWithoutAPresentValueSaysTheLastOne) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kHigh);
  world.RunTo("30s");
  world.Set(kCpu, 95);
  world.RunTo("40s");
  world.End(kCpu);
  world.RunTo("50s");
  EXPECT_THAT(world.Timeline().back(), "50s resolved High{severity=\"warning\"} 95");
  EXPECT_EQ(world.sink().batches.back()[0].annotations.Get("summary"), "95 on db1:5432");
}

TEST(AlertStatesTest, AResolvedKeepsItsLabelsInItsTexts) {
  RuleWorld world;
  world.Set(R"(cpu{core="1"})", 90);
  world.Set(R"(cpu{core="2"})", 50);
  world.Set("limit", 80);
  world.Begin(Group(R"y(
  - { alert: High, expr: cpu > 80, annotations: { text: '{{ $labels }} {{ $value }}' } }
  - { alert: Most, expr: 'topk(1, cpu) > 80', annotations: { text: '{{ $labels }} {{ $value }}' } }
  - { alert: Less, expr: 'limit < on () group_right () cpu', annotations: { text: '{{ $labels }} {{ $value }}' } }
)y"));
  world.Set(R"(cpu{core="1"})", 10);
  world.RunTo("10s");
  const auto& batch = world.sink().batches.back();
  ASSERT_EQ(batch.size(), 3u);
  EXPECT_EQ(batch[0].annotations.Get("text"), "map[__name__:cpu core:1] 10");
  // The highest is the other's now: there is no value of its own.
  EXPECT_EQ(batch[1].annotations.Get("text"), "map[__name__:cpu core:1] 90");
  // What is compared has fewer labels than the alert.
  EXPECT_EQ(batch[2].annotations.Get("text"), "map[core:1] 80");
}

TEST(AlertStatesTest, ATextThatHasNothingToSayOfAResolvedStays) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Set("worst", 7);
  world.Begin(Group(R"y(
  - { alert: High, expr: cpu > 80, annotations: { worst: '{{ query "worst" | first | value }}' } }
)y"));
  world.Set(kCpu, 42);
  world.End("worst");
  world.RunTo("10s");
  EXPECT_EQ(world.Timeline().back(), "10s resolved High 42");
  EXPECT_EQ(world.sink().batches.back()[0].annotations.Get("worst"), "7");
}

TEST(AlertStatesTest, ForZeroFiresInTheSameEvaluation) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(Group("  - { alert: High, expr: cpu > 80 }\n"));
  EXPECT_THAT(world.Timeline(), ElementsAre("0s firing High 90"));
}

TEST(AlertStatesTest, PendingIsDroppedSilentlyAndStartsAnew) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kHigh);
  world.Set(kCpu, 10);
  world.RunTo("10s");
  EXPECT_THAT(world.Alerts(), IsEmpty());
  world.Set(kCpu, 90);
  world.RunTo("40s");
  EXPECT_THAT(world.Alerts(), ElementsAre("High{severity=\"warning\"} pending since 20s value 90"));
  world.RunTo("50s");
  EXPECT_THAT(world.Timeline(), ElementsAre("50s firing High{severity=\"warning\"} 90"));
}

TEST(AlertStatesTest, AnnotationsFollowTheValueAndLabelsAreIdentity) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kHigh);
  world.RunTo("30s");
  world.Set(kCpu, 95);
  world.RunTo("2m");
  ASSERT_GE(world.sink().batches.size(), 2u);
  const auto& first = world.sink().batches.front().front();
  const auto& repeat = world.sink().batches.back().front();
  EXPECT_EQ(first.annotations.Get("summary"), "90 on db1:5432");
  EXPECT_EQ(repeat.annotations.Get("summary"), "95 on db1:5432");
  EXPECT_EQ(first.labels, repeat.labels);
  EXPECT_EQ(first.starts_at, repeat.starts_at);
}

TEST(AlertStatesTest, KeepFiringForStartsAtFirstAbsenceAndIsClearedWhenSeen) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(Group("  - { alert: High, expr: cpu > 80, keep_firing_for: 30s }\n"));
  world.Set(kCpu, 10);
  world.RunTo("20s");
  EXPECT_THAT(world.Alerts(), ElementsAre("High firing since 0s value 90 kept since 10s"));
  world.Set(kCpu, 91);
  world.RunTo("30s");
  EXPECT_THAT(world.Alerts(), ElementsAre("High firing since 0s value 91"));
  world.Set(kCpu, 20);
  world.RunTo("60s");
  EXPECT_THAT(world.Alerts(), ElementsAre("High firing since 0s value 91 kept since 40s"));
  world.RunTo("70s");
  EXPECT_THAT(world.Timeline(), ElementsAre("0s firing High 90", "1m10s resolved High 20"));
}

TEST(AlertStatesTest, TwoElementsWithTheSameLabelsChangeNothing) {
  RuleWorld world;
  world.Set(R"(cpu{job="pg",instance="db1:5432"})", 90);
  world.Begin(Group("  - { alert: High, expr: cpu > 80, labels: { core: one } }\n"));
  world.Set(R"(cpu{job="pg",instance="db1:5432",core="2"})", 90);
  world.RunTo("10s");
  const auto groups = world.engine().Groups();
  EXPECT_EQ(groups[0].rules[0].health, RuleHealth::kError);
  EXPECT_EQ(groups[0].rules[0].last_error,
            "vector contains metrics with the same labelset after applying alert labels");
  EXPECT_THAT(world.Alerts(), ElementsAre("High{core=\"one\"} firing since 0s value 90"));
}

TEST(AlertStatesTest, AboveTheLimitAllAlertsOfTheRuleAreForgotten) {
  RuleWorld world;
  world.Set(R"(cpu{core="1"})", 90);
  world.Begin(Group("  - { alert: High, expr: cpu > 80 }\n", "  limit: 1\n"));
  EXPECT_EQ(world.Alerts().size(), 1u);
  world.Set(R"(cpu{core="2"})", 90);
  world.RunTo("10s");
  EXPECT_THAT(world.Alerts(), IsEmpty());
  EXPECT_EQ(world.engine().Groups()[0].rules[0].last_error, "exceeded limit of 1 with 2 alerts");
}

TEST(AlertStatesTest, AQueryErrorChangesNothingAndKeepsAlertsAlive) {
  RuleWorld world;
  world.Set(R"(cpu{core="1"})", 90);
  world.Set(R"(host{core="1"})", 1);
  world.Begin(Group("  - { alert: High, expr: cpu * on (core) host > 80 }\n"));
  const auto ends = world.sink().batches.back()[0].ends_at;
  world.Set(R"(host{core="1",more="2"})", 1);  // Many-to-many: the query fails.
  world.RunTo("3m");
  EXPECT_EQ(world.engine().Groups()[0].rules[0].health, RuleHealth::kError);
  EXPECT_THAT(world.Alerts(), ElementsAre("High{core=\"1\"} firing since 0s value 90"));
  EXPECT_GT(world.sink().batches.back()[0].ends_at, ends);
  EXPECT_THAT(world.Timeline(), ElementsAre("0s firing High{core=\"1\"} 90"));
}

TEST(AlertStatesTest, FiringIsSentAgainEveryMinuteAndResolvedForAQuarterOfAnHour) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(Group("  - { alert: High, expr: cpu > 80 }\n"));
  world.RunTo("5m");
  // At 0 s, and then strictly later than a minute after the last time: every 70 s.
  EXPECT_EQ(world.sink().batches.size(), 5u);
  const auto& alert = world.sink().batches.back()[0];
  EXPECT_EQ(alert.ends_at - alert.updated_at, Millis(240'000));
  EXPECT_EQ(alert.generator_url, "http://tocsin/graph?g0.expr=cpu+%3E+80&g0.tab=1");
  world.Set(kCpu, 10);
  world.RunTo("30m");
  const auto& last = world.sink().batches.back()[0];
  EXPECT_LE(last.updated_at - last.ends_at, std::chrono::minutes(15));
  EXPECT_GE(last.updated_at - last.ends_at, std::chrono::minutes(13));
  EXPECT_THAT(world.Timeline(), ElementsAre("0s firing High 90", "5m10s resolved High 10"));
}

TEST(AlertStatesTest, ItsLinkShowsTheExpressionAsPrometheusPrintsIt) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(Group("  - { alert: High, expr: 'sum(cpu)by(job)>80' }\n"));
  EXPECT_EQ(world.sink().batches.back()[0].generator_url,
            "http://tocsin/graph?g0.expr=sum+by+%28job%29+%28cpu%29+%3E+80&g0.tab=1");
}

TEST(AlertStatesTest, AlertsSeriesAreWrittenAndEndWithMarkers) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kHigh);
  EXPECT_EQ(world.Latest("ALERTS{alertname=\"High\",alertstate=\"pending\",severity=\"warning\"}"),
            "1");
  EXPECT_EQ(
      world.Latest("ALERTS_FOR_STATE{alertname=\"High\"}"),
      FormatDouble(std::floor(ToUnixMillis(*world.engine().Groups()[0].last_evaluation) / 1000.0)));
  world.RunTo("30s");
  EXPECT_EQ(world.Latest("ALERTS{alertstate=\"pending\"}"), "");
  EXPECT_EQ(world.Latest("ALERTS{alertstate=\"firing\"}"), "1");
  world.Set(kCpu, 1);
  world.RunTo("40s");
  EXPECT_EQ(world.Latest("ALERTS"), "");
  EXPECT_EQ(world.Latest("ALERTS_FOR_STATE"), "");
}

TEST(AlertStatesTest, RecordingRulesAreVisibleToTheNextRuleAndEndWithMarkers) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(Group(R"y(
  - { record: "job:cpu:max", expr: "max by (job) (cpu)", labels: { kind: recorded } }
  - { alert: High, expr: 'job:cpu:max{kind="recorded"} > 80' }
)y"));
  EXPECT_THAT(world.Timeline(), ElementsAre("0s firing High{kind=\"recorded\"} 90"));
  EXPECT_EQ(world.Latest("job:cpu:max"), "90");
  world.End(kCpu);
  world.RunTo("10s");
  EXPECT_EQ(world.Latest("job:cpu:max"), "");
}

TEST(AlertStatesTest, ExternalLabelsGoOutWithAlertsUnlessTheyAreThere) {
  RuleWorld world;
  world.options().external_labels = {{"cluster", "booking"}, {"job", "other"}};
  world.Set(kCpu, 90);
  world.Begin(Group(R"y(
  - { alert: High, expr: cpu > 80, annotations: { c: "{{ $externalLabels.cluster }}" } }
)y"));
  const auto& alert = world.sink().batches.back()[0];
  EXPECT_EQ(alert.labels.Get("cluster"), "booking");
  EXPECT_EQ(alert.labels.Get("job"), "pg");
  EXPECT_EQ(alert.annotations.Get("c"), "booking");
  EXPECT_EQ(world.Latest("ALERTS{cluster=\"booking\"}"), "");
}

TEST(AlertStatesTest, AClockSetBackNeitherFiresEarlyNorStopsTheRules) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(kHigh);
  world.clock().JumpWall(-std::chrono::hours(1));
  world.map().Clear();
  world.Set(kCpu, 90);
  world.Run("20s");
  EXPECT_THAT(world.Timeline(), IsEmpty());
  world.Run("30s");
  EXPECT_EQ(world.Timeline().size(), 1u);
}

TEST(AlertStatesTest, NotifyThatRefusesIsAskedAgainAndNothingIsLost) {
  RuleWorld world;
  world.sink().refuses = true;
  world.Set(kCpu, 90);
  world.Begin(Group("  - { alert: High, expr: cpu > 80 }\n"));
  EXPECT_THAT(world.Timeline(), IsEmpty());
  world.sink().refuses = false;
  world.Run("1s");
  EXPECT_THAT(world.Timeline(), ElementsAre("0s firing High 90"));
}

}  // namespace
}  // namespace tocsin::rules
