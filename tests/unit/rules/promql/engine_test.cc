#include "rules/promql/engine.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "rules/promql/parser.h"
#include "rules/promql/series_notation.h"
#include "tests/support/map_store.h"
#include "tests/support/sim_clock.h"

namespace tocsin::promql {
namespace {

class EngineTest : public ::testing::Test {
 protected:
  void Load(std::int64_t interval_ms, std::string_view text) {
    const auto series = ParseSeriesDescription(text);
    ASSERT_TRUE(series.ok()) << series.error().message;
    for (std::size_t i = 0; i < series->values.size(); ++i) {
      store_.Put(series->labels, static_cast<std::int64_t>(i) * interval_ms,
                 series->values[i].value);
    }
  }
  Result<QueryResult> Instant(const std::string& text, std::int64_t time_ms,
                              const QueryContext& context) const {
    return Engine(config_).Instant(**Parse(text), store_, time_ms, context);
  }
  Result<QueryResult> Instant(const std::string& text, std::int64_t time_ms) const {
    return Instant(text, time_ms, QueryContext{clock_});
  }
  Result<QueryResult> Range(const std::string& text, std::int64_t end_ms,
                            std::int64_t step_ms) const {
    return Engine(config_).Range(**Parse(text), store_, 0, end_ms, step_ms, QueryContext{clock_});
  }

  testing::MapStore store_;
  testing::SimClock clock_;
  PromqlConfig config_;
};

constexpr std::string_view kTooMany =
    "query processing would load too many samples into memory in query execution";

TEST_F(EngineTest, SamplesInMemoryAreLimited) {
  Load(1000, "m{i=\"1\"} 1x9");
  Load(1000, "m{i=\"2\"} 1x9");
  config_.max_samples = 20;
  EXPECT_TRUE(Instant("m", 9000).ok());
  EXPECT_TRUE(Instant("m[1h]", 9000).ok());
  EXPECT_TRUE(Range("m", 4000, 1000).ok());

  config_.max_samples = 9;
  for (const std::string query : {"m[1h]", "sum_over_time(m[1h])", "max_over_time(m[5s:1s])"}) {
    const Result<QueryResult> result = Instant(query, 9000);
    ASSERT_FALSE(result.ok()) << query;
    EXPECT_EQ(result.error().code, ErrorCode::kResourceExhausted);
    EXPECT_EQ(result.error().message, kTooMany);
  }
  EXPECT_FALSE(Range("m", 9000, 1000).ok());
  EXPECT_FALSE(Range("sum(m)", 9000, 1000).ok());
  EXPECT_FALSE(Range("1", 9000, 1000).ok());
  EXPECT_FALSE(Range("m @ 0", 9000, 1000).ok());
}

TEST_F(EngineTest, SubqueryOfTooManyStepsIsRefusedAtOnce) {
  Load(1000, "m 1");
  const Result<QueryResult> result = Instant("sum_over_time(m[10y:1ms])", 0);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message, kTooMany);
}

TEST_F(EngineTest, DeadlineEndsAQuery) {
  Load(1000, "m 1x9");
  QueryContext context{clock_};
  context.deadline = clock_.SteadyNow();
  const Result<QueryResult> result = Instant("m", 0, context);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(result.error().message, "query timed out in expression evaluation");
}

// `first`, and `rest` behind it `count` times.
std::string Repeated(std::string first, std::string_view rest, int count) {
  for (int i = 0; i < count; ++i) first += rest;
  return first;
}

TEST_F(EngineTest, ALongChainOfOperatorsIsEvaluatedFromTheLeft) {
  Load(1000, "m{i=\"1\"} 1+1x9");
  Load(1000, "m{i=\"2\"} 10+10x9");
  // The values at 3 s and 4 s, of each series.
  const auto values = [&](const std::string& query) {
    std::vector<double> all;
    const auto result = Range(query, 4000, 1000);
    EXPECT_TRUE(result.ok()) << result.error().message;
    if (!result.ok()) return all;
    for (const MatrixRow& row : std::get<Matrix>(result->value)) {
      for (std::size_t i = 3; i < row.samples.size(); ++i) all.push_back(row.samples.values[i]);
    }
    return all;
  };
  using Values = std::vector<double>;
  for (const int count : {32, 33, 64, 65, 2000}) {
    const double times = count + 1;
    EXPECT_EQ(values(Repeated("m", " + m", count)),
              (Values{4 * times, 5 * times, 40 * times, 50 * times}));
    EXPECT_EQ(values(Repeated("m", " - 1", count)),
              (Values{4.0 - count, 5.0 - count, 40.0 - count, 50.0 - count}));
    EXPECT_EQ(values(Repeated("1", " + 1", count)), (Values{times, times}));
    EXPECT_EQ(values(Repeated("1", " + 1", count) + " + m"),
              (Values{times + 4, times + 5, times + 40, times + 50}));
    // What is the same at every step, below what is not.
    EXPECT_EQ(values(Repeated(Repeated("m @ 1", " + m @ 1", count), " + m", count)),
              (Values{2 * times + 4 * count, 2 * times + 5 * count, 20 * times + 40 * count,
                      20 * times + 50 * count}));
    EXPECT_EQ(values(Repeated("nothing", " or nothing", count) + " or m"), (Values{4, 5, 40, 50}));
    EXPECT_EQ(values(Repeated("m", " and m", count)), (Values{4, 5, 40, 50}));
    EXPECT_EQ(values(Repeated("m", " > 0", count)), (Values{4, 5, 40, 50}));
    // A chain in another's operand.
    EXPECT_EQ(values(Repeated("m", " - m", count) + " + (" + Repeated("m", " + m", count) + ")"),
              (Values{8, 10, 80, 100}));
  }
}

TEST_F(EngineTest, TheDeepestTreeThatIsReadIsEvaluated) {
  Load(1000, "m 1x9");
  // Each level brings operators on both sides of its parentheses.
  std::string query = "m";
  std::string deepest;
  while (Parse(query).ok()) {
    deepest = query;
    query = "m + (" + Repeated(query, " + m", 63) + ")" + Repeated("", " + m", 40);
  }
  const Result<QueryResult> result = Instant(deepest, 1000);
  ASSERT_TRUE(result.ok()) << result.error().message;
  std::string parentheses = "m";
  while (Parse("(" + parentheses + ")").ok()) parentheses = "(" + parentheses + ")";
  EXPECT_TRUE(Instant(parentheses, 1000).ok());
}

// A clock that moves a little at every look, so that a query ages while it works.
class AgeingClock : public Clock {
 public:
  WallTime WallNow() const override { return {}; }
  SteadyTime SteadyNow() const override { return SteadyTime(Millis(++looks_)); }

 private:
  mutable std::atomic<std::int64_t> looks_ = 0;
};

TEST_F(EngineTest, ConfiguredTimeoutIsCheckedBetweenSeries) {
  for (int i = 0; i < 1000; ++i) Load(1000, "m{i=\"" + std::to_string(i) + "\"} 1x9");
  config_.timeout = Millis(50);
  const AgeingClock clock;
  const Result<QueryResult> result = Instant("sum(rate(m[10s]))", 9000, QueryContext{clock});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
}

// Bytes that are allocated and not freed.
std::size_t BytesInUse() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST_F(EngineTest, AQueryThatIsEndedGivesItsMemoryBack) {
  for (int i = 0; i < 1000; ++i) Load(1000, "m{i=\"" + std::to_string(i) + "\"} 1x200");
  constexpr std::size_t kSlackBytes = 64 << 10;  // Far less than what the queries hold.
  const std::string query = "sort(max_over_time(m[100s:1s]) + on(i) m)";
  const auto bytes_left_by = [&](const QueryContext& context, ErrorCode code) {
    const auto run = [&] {
      const Result<QueryResult> result = Instant(query, 199'000, context);
      EXPECT_EQ(result.ok() ? ErrorCode::kInternal : result.error().code, code);
    };
    run();  // What is kept from query to query is there afterwards.
    const std::size_t before = BytesInUse();
    run();
    const std::size_t after = BytesInUse();
    return after > before ? after - before : 0;
  };
  config_.max_samples = 90'000;
  EXPECT_LT(bytes_left_by(QueryContext{clock_}, ErrorCode::kResourceExhausted), kSlackBytes);
  config_ = PromqlConfig();
  config_.timeout = Millis(100);
  const AgeingClock clock;
  EXPECT_LT(bytes_left_by(QueryContext{clock}, ErrorCode::kDeadlineExceeded), kSlackBytes);
}

TEST_F(EngineTest, StopTokenCancelsAQuery) {
  Load(1000, "m 1x9");
  std::stop_source stop;
  stop.request_stop();
  QueryContext context{clock_};
  context.stop = stop.get_token();
  const Result<QueryResult> result = Instant("sum(m)", 0, context);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(result.error().message, "query was canceled in query execution");
}

TEST_F(EngineTest, QueriesBeyondTheConcurrencyWaitForTheirTurn) {
  config_.max_concurrency = 0;
  const AgeingClock clock;
  QueryContext context{clock};
  context.deadline = SteadyTime(Millis(5));
  const Result<QueryResult> result = Instant("1", 0, context);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message, "query timed out in query queue");
}

TEST_F(EngineTest, ManyThreadsShareOneEngine) {
  Load(1000, "m{i=\"1\"} 0+1x100");
  Load(1000, "m{i=\"2\"} 0+2x100");
  config_.max_concurrency = 2;
  const Engine engine(config_);
  const ExprPtr expr = *Parse("sum(rate(m[10s]))");
  const SystemClock clock;
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const auto result = engine.Instant(*expr, store_, 50'000, QueryContext{clock});
      if (result.ok() && std::get<Vector>(result->value).at(0).value == 3) ++right;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 8);
}

TEST_F(EngineTest, LookbackOfOneQueryMayDiffer) {
  Load(1000, "m 1");
  QueryContext context{clock_};
  context.lookback = Millis(500);
  EXPECT_TRUE(std::get<Vector>(Instant("m", 500, context)->value).empty());
  EXPECT_EQ(std::get<Vector>(Instant("m", 499, context)->value).size(), 1u);
}

TEST_F(EngineTest, RangeVectorAnswersWithItsSamples) {
  Load(1000, "m 1 stale 3");
  const auto result = Instant("m[10s]", 2000);
  ASSERT_TRUE(result.ok());
  const auto& matrix = std::get<Matrix>(result->value);
  ASSERT_EQ(matrix.size(), 1u);
  EXPECT_EQ(matrix[0].samples.times_ms, (std::vector<std::int64_t>{0, 2000}));
  EXPECT_EQ(matrix[0].samples.values, (std::vector<double>{1, 3}));

  const auto subquery = Instant("(m * 2)[3s:1s]", 2000);
  ASSERT_TRUE(subquery.ok());
  EXPECT_EQ(std::get<Matrix>(subquery->value)[0].samples.values, (std::vector<double>{2, 6}));
  EXPECT_EQ(std::get<Matrix>(subquery->value)[0].labels, model::Labels());
}

TEST_F(EngineTest, RangeOfAStringOrARangeVectorIsAnError) {
  const auto result = Range("m[5m]", 1000, 1000);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message,
            "invalid expression type \"range vector\" for range query, must be Scalar or instant "
            "Vector");
}

TEST_F(EngineTest, RowsOfARangeAreSortedAndNeverEmpty) {
  Load(1000, "m{i=\"2\"} 1x5");
  Load(1000, "m{i=\"1\"} 9x5");
  Load(1000, "m{i=\"3\"} 0x5");
  const auto result = Range("m > 0", 5000, 1000);
  const auto& matrix = std::get<Matrix>(result->value);
  ASSERT_EQ(matrix.size(), 2u);
  EXPECT_EQ(matrix[0].labels.Get("i"), "1");
  EXPECT_EQ(matrix[1].labels.Get("i"), "2");
}

TEST_F(EngineTest, StatsCountWhatWasRead) {
  Load(1000, "m{i=\"1\"} 1x9");
  Load(1000, "m{i=\"2\"} 1x9");
  const auto result = Instant("sum_over_time(m[5s])", 9000);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->stats.samples_read, 10);
  EXPECT_EQ(result->stats.series_read, 2);
  EXPECT_GE(result->stats.peak_samples, 5);
}

TEST_F(EngineTest, TimesAtTheEndsOfTheNumbersAreHarmless) {
  Load(1000, "m 1");
  EXPECT_TRUE(Instant("m offset 290y", 0).ok());
  EXPECT_TRUE(Instant("rate(m[290y])", 0).ok());
  EXPECT_TRUE(Instant("m @ -9000000000000", 0).ok());
  EXPECT_TRUE(Instant("hour(vector(1e300))", 0).ok());
}

}  // namespace
}  // namespace tocsin::promql
