#include "daemon/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <random>

#include "daemon/base/sqlite.h"
#include "tests/unit/daemon/store/store_fixture.h"

namespace tocsin::store {
namespace {

using model::Labels;
using model::MatchOp;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class StoreTest : public StoreFixture {
 protected:
  std::size_t CountSamples(const Labels& labels, model::TimeRange range = kAlways) {
    std::vector<model::Matcher> matchers;
    for (const auto& [name, value] : labels) {
      matchers.push_back(Match(MatchOp::kEqual, std::string(name), std::string(value)));
    }
    const auto read = tocsin::testing::ReadAll(*store_, matchers, range);
    const auto found = read.find(labels.Text());
    return found == read.end() ? 0 : found->second.size();
  }
};

const Labels kUp = {{"__name__", "up"}, {"job", "pg"}, {"instance", "a"}};

TEST_F(StoreTest, AnyTimeThatTheSeriesCanStillTakeIsStored) {
  Open();
  EXPECT_EQ(Put(kUp, -5000, 1).stored, 1);
  EXPECT_EQ(Put(kUp, 0, 2).stored, 1);
  EXPECT_EQ(Put(kUp, 1, 3).stored, 1);
  const Labels other = {{"__name__", "other"}};
  EXPECT_EQ(Put(other, std::numeric_limits<std::int64_t>::min(), 1).stored, 1);
  EXPECT_EQ(Put(other, std::numeric_limits<std::int64_t>::max(), 1).stored, 1);
  EXPECT_EQ(CountSamples(kUp), 3U);
  EXPECT_EQ(CountSamples(other), 2U);
  EXPECT_EQ(CountSamples(kUp, {0, 0}), 1U);
}

TEST_F(StoreTest, SamplesOfOneChunkMayLieAnyTimeApart) {
  Open();
  const model::Labels labels{{"__name__", "rare"}};
  const std::vector<std::int64_t> times = {
      std::numeric_limits<std::int64_t>::min(), -1, 0, 4'294'967'295, 4'294'967'296, 9'000'000'000,
      std::numeric_limits<std::int64_t>::max()};
  for (const std::int64_t time_ms : times) EXPECT_EQ(Put(labels, time_ms, 1).stored, 1);
  const auto selection =
      store_->Select({Match(model::MatchOp::kEqual, "__name__", "rare")}, kAlways);
  ASSERT_TRUE(selection.ok());
  model::SampleColumns samples;
  ASSERT_TRUE((*selection)->Read(0, kAlways, samples).ok());
  EXPECT_EQ(samples.times_ms, times);
}

TEST_F(StoreTest, RepeatedAndLateSamplesAreToldApart) {
  Open();
  Put(kUp, 1000, 1);
  EXPECT_EQ(Put(kUp, 1000, 1).stored, 1) << "the same again is silently fine";
  EXPECT_EQ(Put(kUp, 1000, 2).duplicate, 1);
  EXPECT_EQ(Put(kUp, 999, 1).out_of_order, 1);
  Put(kUp, 2000, model::StaleMarker());
  EXPECT_EQ(Put(kUp, 2000, model::StaleMarker()).stored, 1);
  EXPECT_EQ(CountSamples(kUp), 2U);
}

TEST_F(StoreTest, CommittedSamplesAreThereAfterReopening) {
  Open();
  for (int i = 0; i < 1000; ++i) Put(kUp, i * 15'000, i * 0.5);
  Open();
  EXPECT_EQ(CountSamples(kUp), 1000U);
  EXPECT_EQ(Put(kUp, 999 * 15'000, 7).stored, 0) << "the order goes on where it was";
  EXPECT_EQ(Put(kUp, 1000 * 15'000, 7).stored, 1);
}

TEST_F(StoreTest, FullChunksMoveToHistoryAndTheirJournalRowsGo) {
  Open();
  for (int i = 0; i < 1024; ++i) Put(kUp, i, i);
  EXPECT_GE(store_->Stats().unsaved_chunks, 4) << "of 235 to 255 samples";
  EXPECT_EQ(store_->Stats().journal_rows, 1024);
  Pass(seconds(30));
  EXPECT_EQ(store_->Stats().unsaved_chunks, 0);
  EXPECT_LE(store_->Stats().journal_rows, 255) << "of the open chunk";
  EXPECT_GE(store_->Stats().chunks, 4) << "readable in memory for the memory window";
  Pass(config_.memory_window * 2 + minutes(1));
  EXPECT_EQ(store_->Stats().chunks, 0);
  EXPECT_EQ(store_->Stats().journal_rows, 0);
  EXPECT_EQ(CountSamples(kUp), 1024U);
  Open();
  EXPECT_EQ(CountSamples(kUp), 1024U);
}

TEST_F(StoreTest, ChunkThatFillsSlowlyIsSavedAllTheSame) {
  Open();
  Put(kUp, 1, 1);
  Pass(hours(2) + minutes(1));
  EXPECT_EQ(store_->Stats().journal_rows, 0);
  EXPECT_EQ(CountSamples(kUp), 1U);
}

// Its only sample must not hold the journal for as long as somebody asks for the series.
TEST_F(StoreTest, SampleThatComesAgainAndAgainIsSavedAllTheSame) {
  Open();
  const std::int64_t time_ms = Now();
  for (int minute = 0; minute < 240; ++minute) {
    Put({{"__name__", "again"}, {"job", "a"}}, time_ms, 1);
    Put({{"__name__", "else"}, {"job", "a"}}, Now(), minute);
    Pass(std::chrono::minutes(1));
  }
  EXPECT_LT(store_->Stats().journal_rows, 300) << "of two hours, not of four";
}

TEST_F(StoreTest, IdleSeriesLeavesTheHeadAndComesBack) {
  Open();
  const auto ref = store_->Resolve(kUp);
  Put(kUp, 1000, 1);
  Pass(minutes(59));
  const std::vector<model::SeriesSample> sample = {{&*ref, 2000, 2}};
  ASSERT_TRUE(store_->Commit({}, sample).ok()) << "a ref lives for an hour after its last append";
  Pass(hours(8));
  EXPECT_EQ(store_->Stats().series, 0);
  EXPECT_EQ(store_->Stats().archived_series, 1);
  EXPECT_EQ(store_->Commit({}, sample).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(CountSamples(kUp), 2U);
  EXPECT_THAT(*store_->LabelValues("job", {}, kAlways), ElementsAre("pg"));
  EXPECT_THAT(*store_->LabelValues("job", {}, {5000, 6000}), IsEmpty());

  EXPECT_EQ(Put(kUp, 1500, 1).stored, 0) << "older than what history holds";
  EXPECT_EQ(Put(kUp, 3000, 3).stored, 1);
  EXPECT_EQ(store_->Stats().archived_series, 0);
  EXPECT_EQ(CountSamples(kUp), 3U);
  Open();
  EXPECT_EQ(CountSamples(kUp), 3U);
}

// Also if it was asked for while a chunk was open, which has left memory since.
TEST_F(StoreTest, RefLivesForAnHourWhereverItsChunkIs) {
  config_.memory_window = minutes(10);
  Open();
  Put(kUp, 1000, 1);
  Pass(minutes(59));
  const auto ref = store_->Resolve(kUp);
  Pass(minutes(50));
  EXPECT_EQ(store_->Stats().chunks, 0);
  const std::vector<model::SeriesSample> sample = {{&*ref, 2000, 2}};
  EXPECT_TRUE(store_->Commit({}, sample).ok());
  EXPECT_EQ(CountSamples(kUp), 2U);
}

TEST_F(StoreTest, SelectionDoesNotSeeLaterCommits) {
  Open();
  Put(kUp, 1000, 1);
  const auto selection = store_->Select({}, kAlways);
  ASSERT_TRUE(selection.ok());
  Put(kUp, 2000, 2);
  model::SampleColumns columns;
  ASSERT_EQ((*selection)->size(), 1U);
  ASSERT_TRUE((*selection)->Read(0, kAlways, columns).ok());
  EXPECT_THAT(columns.times_ms, ElementsAre(1000));
}

TEST_F(StoreTest, SelectionOutlivesItsSeriesInTheHead) {
  Open();
  for (int i = 0; i < 300; ++i) Put(kUp, i, i);
  const auto selection = store_->Select({}, kAlways);
  Pass(hours(9));
  ASSERT_EQ(store_->Stats().series, 0);
  model::SampleColumns columns;
  ASSERT_TRUE((*selection)->Read(0, kAlways, columns).ok());
  EXPECT_THAT(columns.times_ms, SizeIs(300));
}

TEST_F(StoreTest, MatchersFindTheSameSeriesHoweverTheyAreWritten) {
  Open();
  tocsin::testing::StoreModel model;
  for (int i = 0; i < 600; ++i) {
    const std::string code = std::to_string(200 + i % 5 * 100);
    Labels labels = {{"__name__", i % 2 == 0 ? "requests" : "errors"},
                     {"code", code},
                     {"path", "/p/" + std::to_string(i / 10)}};
    if (i % 3 == 0) labels = labels.With("env", "prod");
    Put(labels, 1000, i);
    model.Append(labels, 1000, i);
  }
  using Case = std::vector<model::Matcher>;
  const std::vector<Case> cases = {
      {},
      {Match(MatchOp::kEqual, "__name__", "requests")},
      {Match(MatchOp::kEqual, "__name__", "requests"), Match(MatchOp::kRegex, "code", "4..|500")},
      {Match(MatchOp::kRegex, "code", "200|300|200")},
      {Match(MatchOp::kRegex, "path", "/p/1.*")},
      {Match(MatchOp::kRegex, "path", "/p/1?")},
      {Match(MatchOp::kRegex, "path", ".+")},
      {Match(MatchOp::kRegex, "path", ".*"), Match(MatchOp::kNotEqual, "code", "200")},
      {Match(MatchOp::kNotRegex, "path", "/p/[0-4].*")},
      {Match(MatchOp::kEqual, "env", "")},
      {Match(MatchOp::kNotEqual, "env", "")},
      {Match(MatchOp::kRegex, "env", "|prod")},
      {Match(MatchOp::kNotEqual, "env", "prod"), Match(MatchOp::kEqual, "code", "200")},
      {Match(MatchOp::kEqual, "nothing", "x")},
      {Match(MatchOp::kNotEqual, "nothing", "x"), Match(MatchOp::kEqual, "path", "/p/7")},
      {Match(MatchOp::kNotRegex, "code", "200|300"), Match(MatchOp::kRegex, "path", "/p/(1|2)")},
  };
  for (const Case& matchers : cases) {
    std::string text;
    for (const auto& matcher : matchers) text += matcher.Text() + " ";
    EXPECT_EQ(tocsin::testing::Difference(model.Read(matchers, kAlways),
                                          tocsin::testing::ReadAll(*store_, matchers, kAlways)),
              "")
        << "for " << text;
  }
  EXPECT_THAT(*store_->LabelNames({}, kAlways), ElementsAre("__name__", "code", "env", "path"));
  EXPECT_THAT(*store_->LabelValues("code", {Match(MatchOp::kEqual, "path", "/p/0")}, kAlways),
              ElementsAre("200", "300", "400", "500", "600"));
}

TEST_F(StoreTest, SeriesLimitsRefuseAndAreCounted) {
  config_.max_series = 5;
  config_.max_series_per_target = 3;
  Open();
  const auto of_target = [](const std::string& job, int i) {
    return Labels{{"__name__", "m"}, {"job", job}, {"i", std::to_string(i)}};
  };
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(store_->Resolve(of_target("a", i)).ok());
  const auto refused = store_->Resolve(of_target("a", 3));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(refused.error().message, HasSubstr("max_series_per_target"));
  EXPECT_TRUE(store_->Resolve(of_target("a", 2)).ok()) << "known series stay";
  ASSERT_TRUE(store_->Resolve(of_target("b", 0)).ok());
  ASSERT_TRUE(store_->Resolve(of_target("b", 1)).ok());
  EXPECT_EQ(store_->Resolve(of_target("c", 0)).error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(MetricText("tocsin_store_series_refused_total{limit=\"all\"}"), "1");
  EXPECT_EQ(MetricText("tocsin_store_series_refused_total{limit=\"target\"}"), "1");
  Pass(hours(1) + minutes(1));
  EXPECT_TRUE(store_->Resolve(of_target("c", 0)).ok()) << "series nobody wrote to make room";
}

TEST_F(StoreTest, SeriesWithoutANameIsRefused) {
  Open();
  EXPECT_EQ(store_->Resolve({{"a", "b"}}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(store_->Resolve({}).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(StoreTest, RetentionByAgeCountsFromArrival) {
  config_.retention = hours(24);
  Open();
  const Labels old = {{"__name__", "old"}};
  Put(old, 0, 1);  // From 1970, but arriving now.
  Pass(hours(20));
  EXPECT_EQ(CountSamples(old), 1U);
  Put(kUp, Now(), 1);
  Pass(hours(8));
  EXPECT_EQ(CountSamples(old), 0U);
  EXPECT_EQ(CountSamples(kUp), 1U);
  Pass(hours(24));
  EXPECT_EQ(CountSamples(kUp), 0U);
  EXPECT_EQ(store_->Stats().archived_series, 0) << "a series without samples is forgotten";
}

TEST_F(StoreTest, RetentionBySizeDeletesTheOldestAndTheFileShrinks) {
  config_.max_size_bytes = 300'000;
  config_.memory_window = minutes(10);
  Open();
  std::uint64_t random = 1;
  for (int i = 0; i < 400; ++i) {
    std::vector<model::SeriesSample> samples;
    const auto ref = store_->Resolve(kUp);
    for (int k = 0; k < 256; ++k) {
      random = random * 6364136223846793005ULL + 1442695040888963407ULL;
      samples.push_back({&*ref, i * 1000 + k, static_cast<double>(random) / 3});
    }
    ASSERT_TRUE(store_->Commit({}, samples).ok());
    if (i % 10 == 0) Pass(seconds(10));
  }
  Pass(minutes(30));
  const std::size_t left = CountSamples(kUp);
  EXPECT_LT(left, 60'000U);
  EXPECT_GT(left, 10'000U);
  EXPECT_EQ(CountSamples(kUp, {399'000, 400'000}), 256U) << "the newest stay";
}

TEST_F(StoreTest, WithoutAPathEverythingWorksInMemory) {
  config_.path = "";
  config_.retention = hours(24);
  Open();
  for (int i = 0; i < 1000; ++i) Put(kUp, i, i);
  Pass(hours(3));
  EXPECT_EQ(CountSamples(kUp), 1000U);
  ASSERT_TRUE(store_->Flush().ok());
  EXPECT_EQ(store_->Stats().disk_bytes, 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/history.db"));
  Pass(hours(30));
  EXPECT_EQ(CountSamples(kUp), 0U);
  EXPECT_EQ(store_->Stats().series, 0);
}

TEST_F(StoreTest, MemoryOnlyStoreKeepsToItsSize) {
  config_.path = "";
  config_.max_size_bytes = 20'000;
  Open();
  for (int i = 0; i < 50'000; ++i) {
    Put(kUp, i, i * 0.1 / 3);
    if (i % 1000 == 0) Pass(seconds(10));
  }
  Pass(seconds(20));
  EXPECT_LE(store_->Stats().chunk_bytes, 20'000);
  EXPECT_GT(CountSamples(kUp), 500U);
  EXPECT_EQ(CountSamples(kUp, {49'999, 49'999}), 1U);
}

TEST_F(StoreTest, StatsCountWhatAPageShows) {
  Open();
  for (int i = 0; i < 20; ++i) Put({{"__name__", "m"}, {"i", std::to_string(i)}}, 1000 + i, i);
  Put({{"__name__", "single"}, {"i", "1"}}, 5000, 1);
  const StoreStats stats = store_->Stats(2);
  EXPECT_EQ(stats.series, 21);
  EXPECT_EQ(stats.samples, 21);
  EXPECT_EQ(stats.label_pairs, 22);
  EXPECT_EQ(stats.min_time_ms, 1000);
  EXPECT_EQ(stats.max_time_ms, 5000);
  EXPECT_THAT(stats.series_by_metric, ElementsAre(NamedCount("m", 20), NamedCount("single", 1)));
  EXPECT_THAT(stats.values_by_label, ElementsAre(NamedCount("i", 20), NamedCount("__name__", 2)));
  EXPECT_THAT(stats.series_by_label_pair,
              ElementsAre(NamedCount("__name__=m", 20), NamedCount("i=1", 2)));
  EXPECT_GT(stats.disk_bytes, 0);
  EXPECT_FALSE(stats.disk_failing);
}

TEST_F(StoreTest, FileOfANewerVersionIsRefusedAndLeftAlone) {
  Open();
  store_.reset();
  {
    auto database = Database::Open({.path = folder_ + "/history.db"});
    ASSERT_TRUE((*database)->Execute("PRAGMA user_version=99").ok());
  }
  MetricRegistry metrics;
  const auto opened = Store::Open(config_, clock_, executors_, files_, metrics);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(opened.error().message, HasSubstr("newer"));
}

// Random appends, queries, reopenings and long waits against the obvious twin.
class StoreModelTest : public StoreFixture, public ::testing::WithParamInterface<int> {};

TEST_P(StoreModelTest, AnswersAsAMapWould) {
  std::mt19937_64 random(static_cast<std::uint64_t>(GetParam()));
  config_.memory_window = minutes(10);
  config_.retention = Millis(0);
  config_.path = GetParam() % 4 == 3 ? "" : folder_;
  Open();
  tocsin::testing::StoreModel model;
  const auto labels_of = [](std::uint64_t i) {
    return Labels{{"__name__", "m" + std::to_string(i % 3)},
                  {"i", std::to_string(i)},
                  {"parity", i % 2 == 0 ? "" : "odd"}};
  };
  std::int64_t clock_ms = -50'000;
  for (int operation = 0; operation < 250; ++operation) {
    SCOPED_TRACE("operation " + std::to_string(operation));
    const auto dice = random() % 100;
    if (dice < 70) {
      std::vector<model::SeriesRef> refs;
      for (std::uint64_t n = random() % 6; n-- > 0;) {
        refs.push_back(*store_->Resolve(labels_of(random() % 12)));
      }
      std::vector<model::SeriesSample> samples;
      std::int64_t expected = 0;
      for (const auto& ref : refs) {
        for (std::uint64_t n = random() % 60; n-- > 0;) {
          clock_ms += static_cast<std::int64_t>(random() % 40) - 2;
          const double value =
              random() % 9 == 0 ? model::StaleMarker() : static_cast<double>(random() % 1000) / 4;
          samples.push_back({&ref, clock_ms, value});
          if (model.Append(ref.labels, clock_ms, value)) ++expected;
        }
      }
      const auto outcome = store_->Commit({}, samples);
      ASSERT_TRUE(outcome.ok()) << outcome.error().message;
      EXPECT_EQ(outcome->stored, expected);
      EXPECT_EQ(outcome->stored + outcome->out_of_order + outcome->duplicate,
                static_cast<std::int64_t>(samples.size()));
    } else if (dice < 74 && !config_.path.empty()) {
      Open();
    } else if (dice < 78) {
      ASSERT_TRUE(store_->Flush().ok());
    } else if (dice < 90) {
      Pass(seconds(random() % 120));
    } else if (dice < 92) {
      Pass(hours(3));
    } else {
      const std::int64_t from = static_cast<std::int64_t>(random() % 100'000) - 50'000;
      const model::TimeRange range = {from, from + static_cast<std::int64_t>(random() % 50'000)};
      std::vector<model::Matcher> matchers;
      if (random() % 2 == 0) matchers.push_back(Match(MatchOp::kEqual, "__name__", "m1"));
      if (random() % 3 == 0) matchers.push_back(Match(MatchOp::kRegex, "i", "[1-5]|11"));
      if (random() % 3 == 0) matchers.push_back(Match(MatchOp::kEqual, "parity", ""));
      EXPECT_EQ(tocsin::testing::Difference(model.Read(matchers, range),
                                            tocsin::testing::ReadAll(*store_, matchers, range)),
                "");
    }
    if (HasFailure()) FAIL() << "seed " << GetParam();
  }
  EXPECT_EQ(tocsin::testing::Difference(model.Read({}, kAlways),
                                        tocsin::testing::ReadAll(*store_, {}, kAlways)),
            "");
}

INSTANTIATE_TEST_SUITE_P(Seeds, StoreModelTest, ::testing::Range(1, 13));

}  // namespace
}  // namespace tocsin::store
