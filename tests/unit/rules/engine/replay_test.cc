// Rules over stored samples: which alerts, when, and that the window in memory answers
// as the history behind it does.

#include "rules/engine/replay.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/base/text.h"
#include "rules/engine/history_window.h"
#include "rules/engine/rule_test_store.h"
#include "rules/promql/parser.h"

namespace tocsin::rules {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

const WallTime kStart = FromUnixMillis(1'700'000'000'000);

class ReplayTest : public ::testing::Test {
 protected:
  // A sample each 10 s from `from` after the start, one for each value.
  void Add(const std::string& name, Millis from, const std::vector<double>& values) {
    const model::Labels labels{{"__name__", name}, {"instance", "db"}};
    for (std::size_t i = 0; i < values.size(); ++i) {
      history_.Add(labels, ToUnixMillis(kStart + from) + static_cast<std::int64_t>(i) * 10'000,
                   values[i]);
    }
  }

  ReplayReport Run(const std::string& rules, Millis from, Millis to, Millis step = 10s) {
    ConfigErrors errors;
    RuleSet set;
    set.groups = LoadRuleFile("groups:\n- name: g\n  rules:\n" + rules, "r.yaml", errors);
    EXPECT_TRUE(errors.empty()) << errors.Text();
    ReplayOptions options;
    options.start = kStart + from;
    options.end = kStart + to;
    options.step = step;
    auto report = Replay(std::move(set), history_, engine_, clock_, options);
    EXPECT_TRUE(report.ok()) << report.error().message;
    return report.ok() ? *std::move(report) : ReplayReport();
  }

  // "High: pending 0s, fired 20s, ended 1m", times rounded up to the ten seconds of a
  // sample, as the group's phase is its own.
  static std::vector<std::string> Lines(const ReplayReport& report) {
    const auto text = [](std::optional<WallTime> at) {
      if (!at) return std::string("-");
      return FormatDuration(std::chrono::floor<std::chrono::seconds>(*at - kStart) / 10 * 10);
    };
    std::vector<std::string> lines;
    for (const ReplayedAlert& alert : report.alerts) {
      lines.push_back(fmt::format("{}: pending {}, fired {}, ended {}",
                                  report.rules[alert.rule].name, text(alert.pending_at),
                                  text(alert.fired_at), text(alert.ended_at)));
    }
    return lines;
  }

  SystemClock clock_;
  promql::Engine engine_{promql::PromqlConfig()};
  RuleTestStore history_;
};

std::vector<double> Steps(std::initializer_list<std::pair<int, double>> parts) {
  std::vector<double> values;
  for (const auto& [count, value] : parts) values.insert(values.end(), count, value);
  return values;
}

TEST_F(ReplayTest, TellsWhenAlertsWereAndWouldHaveFired) {
  Add("cpu", 0s, Steps({{6, 10}, {6, 90}, {6, 10}, {2, 90}, {10, 10}}));
  const auto report =
      Run("  - { alert: High, expr: cpu > 80, for: 30s, annotations: { summary: 'at {{ $value }}' "
          "} }\n",
          0s, 290s);
  EXPECT_THAT(Lines(report), ElementsAre("High: pending 1m, fired 1m30s, ended 2m",
                                         "High: pending 3m, fired -, ended 3m20s"));
  EXPECT_EQ(report.rules[0].fired, 1);
  EXPECT_EQ(report.rules[0].only_pending, 1);
  EXPECT_EQ(report.rules[0].firing, 30s);
  EXPECT_EQ(report.alerts[0].annotations.Get("summary"), "at 90");
  EXPECT_EQ(report.alerts[0].value, 90);
}

TEST_F(ReplayTest, WhatWasUnderWayAtTheStartIsKnown) {
  Add("cpu", 0s, Steps({{60, 90}}));
  const auto report = Run("  - { alert: High, expr: cpu > 80, for: 2m }\n", 300s, 400s);
  ASSERT_EQ(report.alerts.size(), 1u);
  // Evaluation begins `for` before the range, no earlier: it fires at its start.
  EXPECT_THAT(Lines(report), ElementsAre("High: pending 3m, fired 5m, ended -"));
}

TEST_F(ReplayTest, WhatEndedBeforeTheRangeIsNotTold) {
  Add("cpu", 0s, Steps({{10, 90}, {60, 10}}));
  const auto report = Run("  - { alert: High, expr: cpu > 80, keep_firing_for: 1m }\n", 200s, 400s);
  EXPECT_THAT(report.alerts, IsEmpty());
  EXPECT_EQ(report.rules[0].fired, 0);
}

TEST_F(ReplayTest, AlertsReadWhatRecordingRulesComputeAnew) {
  Add("cpu", 0s, Steps({{12, 10}, {30, 90}}));
  // What history has under that name says otherwise, and does not count.
  Add("job:cpu:avg", 0s, Steps({{42, 1}}));
  const auto report =
      Run("  - { record: 'job:cpu:avg', expr: avg without () (cpu) }\n"
          "  - { alert: High, expr: 'avg_over_time(job:cpu:avg[30s]) > 80' }\n",
          60s, 400s);
  ASSERT_EQ(report.alerts.size(), 1u);
  EXPECT_THAT(Lines(report), ElementsAre("High: pending 2m20s, fired 2m20s, ended -"));
}

TEST_F(ReplayTest, AnEndedSeriesEndsItsAlertAtItsMarker) {
  Add("cpu", 0s, Steps({{6, 90}, {1, model::StaleMarker()}}));
  EXPECT_THAT(Lines(Run("  - { alert: High, expr: cpu > 80 }\n", 0s, 200s)),
              ElementsAre("High: pending 0s, fired 0s, ended 1m"));
}

TEST_F(ReplayTest, FailuresAreCountedAndTheFirstIsTold) {
  const model::Labels other{{"__name__", "cpu"}, {"instance", "db"}, {"mode", "user"}};
  Add("cpu", 0s, Steps({{6, 90}}));
  for (int i = 0; i < 6; ++i) history_.Add(other, ToUnixMillis(kStart) + i * 10'000, 1);
  const auto report = Run("  - { alert: Bad, expr: cpu * on (instance) cpu > 0 }\n", 10s, 50s);
  EXPECT_GE(report.rules[0].failures, 4);
  EXPECT_THAT(report.rules[0].first_error, HasSubstr("many-to-many"));
}

TEST_F(ReplayTest, ARangeThatIsTooMuchIsRefusedBeforeItBegins) {
  ConfigErrors errors;
  RuleSet set;
  set.groups =
      LoadRuleFile("groups: [ { name: g, rules: [ { alert: A, expr: up } ] } ]", "r.yaml", errors);
  ReplayOptions options;
  options.start = kStart;
  options.end = kStart + std::chrono::hours(24 * 365 * 100);
  const auto report = Replay(std::move(set), history_, engine_, clock_, options);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, ErrorCode::kResourceExhausted);
}

// The slow twin: each expression asked of the whole history at each step.
TEST_F(ReplayTest, TheWindowAnswersAsTheHistoryBehindItDoes) {
  std::uint32_t state = 7;
  const auto random = [&state] { return (state = state * 1664525 + 1013904223) >> 8; };
  for (int series = 0; series < 5; ++series) {
    const model::Labels labels{{"__name__", series < 3 ? "a" : "b"}, {"i", std::to_string(series)}};
    std::int64_t at = ToUnixMillis(kStart) - 7'200'000;
    while (at < ToUnixMillis(kStart) + 14'400'000) {
      at += 5'000 + random() % 40'000 + (random() % 50 == 0 ? 1'200'000 : 0);
      history_.Add(labels, at, random() % 60 == 0 ? model::StaleMarker() : random() % 1000);
    }
  }
  const std::vector<std::string> texts = {"a",
                                          "rate(a[5m])",
                                          "a offset 30m",
                                          "sum by (i) (b) > 500",
                                          "max_over_time(a[1h:5m])",
                                          "a and b",
                                          "delta(b[40m] offset 10m)",
                                          "a offset -2m",
                                          "{i=~'[13]'}",
                                          "a @ 1700000100",
                                          "avg_over_time(avg_over_time(a[10m])[20m:1m] offset 5m)"};
  std::vector<promql::ExprPtr> expressions;
  HistoryWindow window(history_, kStart, {});
  for (const std::string& text : texts) {
    auto expr = promql::Parse(text);
    ASSERT_TRUE(expr.ok()) << text << ": " << expr.error().message;
    window.Announce(**expr, engine_.config().lookback, 0s);
    expressions.push_back(*expr);
  }
  const auto ask = [&](const promql::Expr& expr, const model::Querier& querier, WallTime at) {
    auto result = engine_.Instant(expr, querier, ToUnixMillis(at), {clock_});
    EXPECT_TRUE(result.ok());
    std::vector<std::string> lines;
    for (const auto& sample : std::get<promql::Vector>(result->value)) {
      lines.push_back(sample.labels.Text() + " " + FormatDouble(sample.value));
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  };
  std::size_t answers = 0;
  for (WallTime from = kStart; from < kStart + 3h; from += 30min) {
    ASSERT_TRUE(window.MoveTo(from, from + 30min).ok());
    for (WallTime at = from; at <= from + 30min; at += 170s) {
      for (std::size_t i = 0; i < texts.size(); ++i) {
        const auto expected = ask(*expressions[i], history_, at);
        answers += expected.size();
        ASSERT_EQ(ask(*expressions[i], window, at), expected) << texts[i];
      }
    }
  }
  EXPECT_GT(answers, 500u);
}

}  // namespace
}  // namespace tocsin::rules
