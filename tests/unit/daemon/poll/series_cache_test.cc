#include "daemon/poll/series_cache.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/map_store.h"

namespace tocsin::poll {
namespace {

using model::MetricBatch;

class SeriesCacheTest : public ::testing::Test {
 protected:
  static void Fill(MetricBatch& batch, const std::vector<std::string>& values) {
    batch.Clear();
    const auto family = batch.DeclareFamily("m", "", model::MetricType::kGauge, {"l"});
    for (const std::string& value : values) batch.Add(family, {value}, 1);
  }

  // What a collection sees: row by row unless the batch repeats the one before.
  std::vector<std::string> Collect(const MetricBatch& batch, bool& again) {
    cache_.Begin();
    std::vector<std::string> seen;
    const auto known = cache_.FindAgain(batch);
    again = !known.empty();
    for (const model::SeriesRef& series : known) seen.emplace_back(series.labels.Get("l"));
    for (std::size_t i = 0; known.empty() && i < batch.row_count(); ++i) {
      seen.emplace_back(cache_.Find(batch, batch.row(i), true)->series->labels.Get("l"));
    }
    EXPECT_TRUE(cache_.Find("up").ok());
    return seen;
  }

  std::vector<std::string> Vanished() {
    std::vector<std::string> vanished;
    for (const model::SeriesRef& series : cache_.TakeVanished()) {
      vanished.emplace_back(series.labels.Get("l"));
    }
    return vanished;
  }

  testing::MapStore store_;
  SeriesCache cache_{store_, model::Labels{{"job", "j"}}, false};
  bool again_ = false;
};

using Texts = std::vector<std::string>;

TEST_F(SeriesCacheTest, RepeatedRowsAreFoundWithoutLookingAtThem) {
  MetricBatch first;
  Fill(first, {"a", "b"});
  EXPECT_EQ(Collect(first, again_), (Texts{"a", "b"}));
  EXPECT_FALSE(again_);
  EXPECT_TRUE(Vanished().empty());
  MetricBatch second;
  for (int round = 0; round < 3; ++round) {
    second.Clear();
    second.Repeat(first.shape());
    second.AddNumber(1, 0);
    second.AddNumber(2, 0);
    EXPECT_EQ(Collect(second, again_), (Texts{"a", "b"}));
    EXPECT_EQ(again_, round > 0) << "the first repetition is remembered, the others are known";
    EXPECT_TRUE(Vanished().empty());
  }
  MetricBatch third;
  Fill(third, {"b"});
  EXPECT_EQ(Collect(third, again_), (Texts{"b"}));
  EXPECT_EQ(Vanished(), (Texts{"a"}));
}

TEST_F(SeriesCacheTest, AfterAFailedCollectionEveryRowIsLookedUp) {
  MetricBatch first;
  Fill(first, {"a", "b"});
  Collect(first, again_);
  Vanished();
  cache_.Begin();
  EXPECT_TRUE(cache_.Find("up").ok());
  EXPECT_EQ(Vanished().size(), 2u);
  MetricBatch second;
  second.Repeat(first.shape());
  second.AddNumber(1, 0);
  second.AddNumber(2, 0);
  EXPECT_EQ(Collect(second, again_), (Texts{"a", "b"}));
  EXPECT_FALSE(again_);
  EXPECT_TRUE(Vanished().empty());
}

TEST_F(SeriesCacheTest, AFailureBetweenRepetitionsForgetsTheirOrder) {
  MetricBatch first;
  Fill(first, {"a", "b"});
  Collect(first, again_);
  Vanished();
  MetricBatch second;
  const auto repeat = [&] {
    second.Clear();
    second.Repeat(first.shape());
    second.AddNumber(1, 0);
    second.AddNumber(2, 0);
    EXPECT_EQ(Collect(second, again_), (Texts{"a", "b"}));
    Vanished();
  };
  repeat();
  repeat();
  EXPECT_TRUE(again_);
  cache_.Begin();
  EXPECT_TRUE(cache_.Find("up").ok());
  EXPECT_EQ(Vanished().size(), 2u);
  repeat();
  EXPECT_FALSE(again_);
}

TEST_F(SeriesCacheTest, ARowThatStandsTwiceIsLookedUpEachTime) {
  MetricBatch first;
  Fill(first, {"a", "a"});
  Collect(first, again_);
  Vanished();
  MetricBatch second;
  for (int round = 0; round < 2; ++round) {
    second.Clear();
    second.Repeat(first.shape());
    second.AddNumber(1, 0);
    second.AddNumber(2, 0);
    Collect(second, again_);
    EXPECT_FALSE(again_);
  }
}

}  // namespace
}  // namespace tocsin::poll
