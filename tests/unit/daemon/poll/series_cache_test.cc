#include "daemon/poll/series_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <set>
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

  static void Repeat(const MetricBatch& first, MetricBatch& batch) {
    batch.Clear();
    batch.Repeat(first.shape());
    for (std::size_t i = 0; i < first.row_count(); ++i) batch.AddNumber(1);
  }

  // What a collection sees: row by row unless the batch repeats the one before.
  std::vector<std::string> Collect(const MetricBatch& batch) {
    cache_.Begin(&batch);
    std::vector<std::string> seen;
    const auto known = cache_.FindAgain();
    again_ = !known.empty();
    new_ = 0;
    twice_ = 0;
    for (const model::SeriesRef& series : known) seen.emplace_back(series.labels.Get("l"));
    std::vector<const model::SeriesRef*> kept;
    for (std::size_t i = 0; known.empty() && i < batch.row_count(); ++i) {
      const auto found = cache_.Find(i, true);
      new_ += found->is_new ? 1 : 0;
      twice_ += found->seen == SeriesCache::Seen::kAgain ? 1 : 0;
      kept.push_back(found->series);
    }
    EXPECT_TRUE(cache_.FindOwn("up").ok());
    for (const model::SeriesRef* series : kept) seen.emplace_back(series->labels.Get("l"));
    return seen;
  }

  std::vector<std::string> Fail() {
    cache_.Begin(nullptr);
    EXPECT_TRUE(cache_.FindOwn("up").ok());
    return Vanished();
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
  bool again_ = false;  // Of the last Collect: the rows were not looked at,
  int new_ = 0;         // so many series were new,
  int twice_ = 0;       // and so many rows were of a series seen before.
};

using Texts = std::vector<std::string>;

TEST_F(SeriesCacheTest, RepeatedRowsAreFoundWithoutLookingAtThem) {
  MetricBatch first;
  Fill(first, {"a", "b"});
  EXPECT_EQ(Collect(first), (Texts{"a", "b"}));
  EXPECT_FALSE(again_);
  EXPECT_TRUE(Vanished().empty());
  MetricBatch second;
  for (int round = 0; round < 3; ++round) {
    Repeat(first, second);
    EXPECT_EQ(Collect(second), (Texts{"a", "b"}));
    EXPECT_TRUE(again_);
    EXPECT_TRUE(Vanished().empty());
  }
  MetricBatch third;
  Fill(third, {"b"});
  EXPECT_EQ(Collect(third), (Texts{"b"}));
  EXPECT_EQ(new_, 0);
  EXPECT_EQ(Vanished(), (Texts{"a"}));
}

TEST_F(SeriesCacheTest, RowsOfOtherPlacesAreTheSameSeries) {
  MetricBatch batches[2];
  const std::vector<Texts> pages = {{"a", "b", "c", "d"},
                                    {"a", "b", "c", "d"},
                                    {"b", "c", "d"},
                                    {"d", "c", "b"},
                                    {"b", "e", "c", "d"},
                                    {"e", "d", "f", "b"},
                                    {},
                                    {"b"}};
  const std::vector<int> new_ones = {4, 0, 0, 0, 1, 1, 0, 1};
  const std::vector<Texts> vanished = {{}, {}, {"a"}, {}, {}, {"c"}, {"e", "d", "f", "b"}, {}};
  for (std::size_t i = 0; i < pages.size(); ++i) {
    MetricBatch& batch = batches[i % 2];
    Fill(batch, pages[i]);
    EXPECT_EQ(Collect(batch), pages[i]);
    EXPECT_EQ(new_, new_ones[i]) << "page " << i;
    EXPECT_EQ(twice_, 0);
    EXPECT_EQ(Vanished(), vanished[i]) << "page " << i;
  }
}

// Against a cache that knows each row by its text, on pages that change at random.
TEST_F(SeriesCacheTest, OfAnyPagesItSaysWhatAMapWouldSay) {
  std::mt19937_64 random(1);
  MetricBatch batches[2];
  std::set<std::string> before;
  for (int round = 0; round < 2000; ++round) {
    if (random() % 20 == 0) {
      EXPECT_EQ(Fail().size(), before.size());
      before.clear();
      continue;
    }
    Texts page;
    for (std::uint64_t value = 0; value < 12; ++value) {
      if (random() % 8 != 0) page.push_back(std::to_string(value));
      if (random() % 40 == 0) page.push_back(std::to_string(random() % 12));
    }
    if (random() % 4 == 0) std::shuffle(page.begin(), page.end(), random);
    MetricBatch& batch = batches[round % 2];
    Fill(batch, page);
    ASSERT_EQ(Collect(batch), page) << "round " << round;
    const std::set<std::string> now(page.begin(), page.end());
    ASSERT_EQ(twice_, static_cast<int>(page.size() - now.size()));
    Texts gone;
    std::set_difference(before.begin(), before.end(), now.begin(), now.end(),
                        std::back_inserter(gone));
    Texts vanished = Vanished();
    std::sort(vanished.begin(), vanished.end());
    ASSERT_EQ(vanished, gone) << "round " << round;
    before = now;
  }
}

TEST_F(SeriesCacheTest, AfterAFailedCollectionEveryRowIsLookedUp) {
  MetricBatch first;
  Fill(first, {"a", "b"});
  Collect(first);
  Vanished();
  EXPECT_EQ(Fail(), (Texts{"a", "b"}));
  MetricBatch second;
  Repeat(first, second);
  EXPECT_EQ(Collect(second), (Texts{"a", "b"}));
  EXPECT_FALSE(again_);
  EXPECT_EQ(new_, 2);
  EXPECT_TRUE(Vanished().empty());
}

TEST_F(SeriesCacheTest, AfterRefsExpiredEveryRowIsLookedUp) {
  MetricBatch first;
  Fill(first, {"a", "b"});
  Collect(first);
  Vanished();
  cache_.Clear();
  MetricBatch second;
  Repeat(first, second);
  EXPECT_EQ(Collect(second), (Texts{"a", "b"}));
  EXPECT_EQ(new_, 2);
  EXPECT_TRUE(Vanished().empty()) << "of those that were forgotten nothing is known";
}

TEST_F(SeriesCacheTest, ARowWithATimeOfItsOwnIsNotEndedNorTakenForRepeated) {
  MetricBatch first;
  Fill(first, {"a", "b"});
  cache_.Begin(&first);
  EXPECT_TRUE(cache_.Find(0, true).ok());
  EXPECT_TRUE(cache_.Find(1, false).ok());
  EXPECT_TRUE(Vanished().empty());
  MetricBatch second;
  Repeat(first, second);
  cache_.Begin(&second);
  EXPECT_TRUE(cache_.FindAgain().empty());
  EXPECT_EQ(Vanished(), (Texts{"a"}));
}

TEST_F(SeriesCacheTest, ARowThatStandsTwiceIsLookedUpEachTime) {
  MetricBatch first;
  Fill(first, {"a", "a"});
  Collect(first);
  EXPECT_EQ(twice_, 1);
  Vanished();
  MetricBatch second;
  for (int round = 0; round < 2; ++round) {
    Repeat(first, second);
    EXPECT_EQ(Collect(second), (Texts{"a", "a"}));
    EXPECT_FALSE(again_);
    EXPECT_EQ(twice_, 1);
    EXPECT_TRUE(Vanished().empty());
  }
}

TEST_F(SeriesCacheTest, ARowOfTheTargetsNameGoesBeforeTheTargetsOwn) {
  MetricBatch with_up;
  with_up.AddGauge("up", "", 1);
  MetricBatch without;
  without.AddGauge("other", "", 1);
  const auto collect = [&](const MetricBatch* batch) {
    cache_.Begin(batch);
    if (batch != nullptr) {
      EXPECT_EQ(cache_.Find(0, true)->seen, SeriesCache::Seen::kFirst);
    }
    const auto own = cache_.FindOwn("up");
    EXPECT_EQ(cache_.FindOwn("pg_up")->seen, SeriesCache::Seen::kFirst);
    std::vector<std::string> vanished;
    for (const model::SeriesRef& series : cache_.TakeVanished()) {
      vanished.emplace_back(series.labels.Name());
    }
    return std::pair(own->seen == SeriesCache::Seen::kFirst, vanished);
  };
  using Outcome = std::pair<bool, Texts>;
  EXPECT_EQ(collect(&with_up), (Outcome{false, {}}));
  // From one to the other the series goes on.
  EXPECT_EQ(collect(nullptr), (Outcome{true, {}}));
  EXPECT_EQ(collect(&with_up), (Outcome{false, {}}));
  EXPECT_EQ(collect(&without), (Outcome{true, {}}));
  EXPECT_EQ(collect(&with_up), (Outcome{false, {"other"}}));
}

}  // namespace
}  // namespace tocsin::poll
