#include "collectors/postgres/statement_durations.h"

#include <gtest/gtest.h>

#include <string>

namespace tocsin::collectors::postgres {
namespace {

struct Seen {
  double count = 0;
  double sum = 0;
};

class StatementDurationsTest : public ::testing::Test {
 protected:
  void Log(std::int64_t pid, std::string_view message, std::string_view severity = "LOG") {
    durations_.Add({pid, "app", "shop", severity, message});
  }

  Seen Total() const {
    model::MetricBatch batch;
    durations_.Emit(batch);
    Seen seen;
    for (std::size_t i = 0; i < batch.row_count(); ++i) {
      const auto row = batch.row(i);
      if (row.name == "pg_query_duration_seconds_count") seen.count += row.value;
      if (row.name == "pg_query_duration_seconds_sum") seen.sum += row.value;
    }
    return seen;
  }

  void Expect(double count, double sum_millis) const {
    EXPECT_EQ(Total().count, count);
    EXPECT_NEAR(Total().sum, sum_millis / 1000, 1e-9);
  }

  StatementDurations durations_;
};

TEST_F(StatementDurationsTest, ParseAndBindAreAddedToTheirExecute) {
  Log(1, "duration: 10 ms  parse <unnamed>: SELECT $1");
  Log(2, "duration: 500 ms  statement: SELECT 1");
  Log(1, "duration: 20 ms  bind <unnamed>: SELECT $1");
  Expect(1, 500);
  Log(1, "duration: 300 ms  execute <unnamed>: SELECT $1");
  Expect(2, 830);
  Log(1, "duration: 1 ms  bind S_1: SELECT $1");
  Log(1, "duration: 2 ms  execute S_1: SELECT $1");
  Expect(3, 833);
}

TEST_F(StatementDurationsTest, BareDurationsArePairedByProcess) {
  Log(1, "statement: SELECT 1");
  Log(2, "statement: SELECT 2");
  Log(2, "duration: 7 ms");
  Log(1, "duration: 5 ms");
  Expect(2, 12);
  // A parameterised one: parse and bind come before the line that names the execute.
  Log(1, "duration: 1 ms");
  Log(1, "duration: 2 ms");
  Log(1, "execute <unnamed>: SELECT $1");
  Log(1, "duration: 4 ms");
  Expect(3, 19);
}

TEST_F(StatementDurationsTest, AStatementThatFailsLeavesNothingBehind) {
  Log(1, "duration: 10 ms  parse <unnamed>: SELECT $1");
  Log(1, "invalid input syntax", "ERROR");
  Log(1, "duration: 1 ms  execute S_1: SELECT $1");
  Expect(1, 1);
  Log(1, "statement: SELECT 1/0");
  Log(1, "division by zero", "ERROR");
  Log(1, "duration: 3 ms");  // The parse of the next.
  Expect(1, 1);
}

TEST_F(StatementDurationsTest, PartsOfAPreparedStatementAreNotASimpleOnes) {
  Log(1, "duration: 10 ms  parse S_1: SELECT $1");
  Log(1, "duration: 2 ms  statement: SELECT 1");
  Expect(1, 2);
}

TEST_F(StatementDurationsTest, PlansAndCallsAreNoStatements) {
  Log(1, "duration: 10 ms  plan:");
  Log(1, "duration: 10 ms  fastpath function call: \"lo_read\" (OID 954)");
  Log(1, "fastpath function call: \"lo_read\" (OID 954)");
  Log(1, "duration: 10 ms");
  Log(1, "connection received: host=[local]");
  Expect(0, 0);
}

TEST_F(StatementDurationsTest, AGapForgetsWhatWasUnfinishedOnly) {
  Log(1, "duration: 10 ms  statement: SELECT 1");
  Log(1, "statement: SELECT 2");
  durations_.Break();
  Log(1, "duration: 10 ms");
  Expect(1, 10);
}

TEST_F(StatementDurationsTest, BucketsHoldTheirUpperBound) {
  Log(1, "duration: 500 ms  statement: SELECT 1");
  Log(1, "duration: 500.001 ms  statement: SELECT 1");
  Log(1, "duration: 60000 ms  statement: SELECT 1");
  model::MetricBatch batch;
  durations_.Emit(batch);
  const auto bucket = [&](std::string_view le) {
    for (std::size_t i = 0; i < batch.row_count(); ++i) {
      const auto row = batch.row(i);
      if (row.name != "pg_query_duration_seconds_bucket") continue;
      for (std::uint32_t j = 0; j < row.label_count; ++j) {
        const auto [name, value] = row.label(j);
        if (name == "le" && value == le) return row.value;
      }
    }
    return -1.0;
  };
  EXPECT_EQ(bucket("0.4"), 0);
  EXPECT_EQ(bucket("0.5"), 1);
  EXPECT_EQ(bucket("0.6"), 2);
  EXPECT_EQ(bucket("30"), 2);
  EXPECT_EQ(bucket("+Inf"), 3);
}

TEST_F(StatementDurationsTest, PairsBeyondTheLimitAreCounted) {
  for (std::size_t i = 0; i < StatementDurations::kMostHistograms + 5; ++i) {
    const std::string user = "user" + std::to_string(i);
    durations_.Add({1, user, "shop", "LOG", "duration: 1 ms  statement: SELECT 1"});
  }
  EXPECT_EQ(durations_.left_out(), 5u);
  EXPECT_EQ(Total().count, StatementDurations::kMostHistograms);
}

}  // namespace
}  // namespace tocsin::collectors::postgres
