#include "daemon/model/label_pool.h"

#include <gtest/gtest.h>

namespace tocsin::model {
namespace {

TEST(LabelPoolTest, WhatItSharesIsTheSame) {
  LabelPool pool;
  for (const Labels& labels :
       {Labels{{"__name__", "scans"}, {"job", "pg"}}, Labels{{"__name__", "tuples"}, {"job", "pg"}},
        Labels{{"__name__", "up"}}, Labels{{"job", "pg"}}, Labels(),
        Labels{{"Zone", "a"}, {"__name__", "up"}, {"job", "pg"}}}) {
    EXPECT_EQ(pool.Share(labels), labels) << labels.Text();
  }
}

TEST(LabelPoolTest, SetsThatDifferInTheirNameOnlyShareTheRest) {
  LabelPool pool;
  const std::string table(100, 't');
  const Labels scans = pool.Share(Labels{{"__name__", "scans"}, {"relname", table}});
  const Labels tuples = pool.Share(Labels{{"__name__", "tuples"}, {"relname", table}});
  EXPECT_EQ(scans.Get("relname").data(), tuples.Get("relname").data());
  EXPECT_LT(scans.MemoryBytes(), table.size());
  const Labels other = pool.Share(Labels{{"__name__", "scans"}, {"relname", "other"}});
  EXPECT_EQ(scans.Name().data(), other.Name().data());
}

TEST(LabelPoolTest, WhenItIsFullItSharesWhatItHas) {
  LabelPool pool;
  const Labels first = pool.Share(Labels{{"__name__", "m"}, {"l", "first"}});
  pool.Share(Labels{{"__name__", "n"}, {"l", "first"}});
  for (std::size_t i = 0; i < LabelPool::kMostParts; ++i) {
    const Labels labels{{"__name__", "m"}, {"l", std::to_string(i)}};
    ASSERT_EQ(pool.Share(labels), labels);
  }
  const Labels again = pool.Share(Labels{{"__name__", "n"}, {"l", "first"}});
  EXPECT_EQ(again.Get("l").data(), first.Get("l").data());
  const Labels other{{"__name__", "n"}, {"l", "other"}};
  EXPECT_EQ(pool.Share(other), other);
}

}  // namespace
}  // namespace tocsin::model
