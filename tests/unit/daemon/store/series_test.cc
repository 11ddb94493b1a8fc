#include "daemon/store/series.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <vector>

#include "daemon/model/sample.h"
#include "daemon/store/chunk_codec.h"

namespace tocsin::store {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

// A series, and all samples that were appended to it.
struct Pair {
  explicit Pair(std::uint64_t history_id)
      : series(model::Labels{{"__name__", "m"}}, 1, history_id, kNow) {}

  void Append(std::int64_t time_ms, double value) {
    ASSERT_EQ(series.Append(time_ms, value, 1, kNow), AppendVerdict::kStored) << time_ms;
    all.push_back({time_ms, value});
  }

  void ExpectReads(model::TimeRange range) const {
    std::vector<model::Sample> expected;
    for (const model::Sample& sample : all) {
      if (sample.time_ms >= range.from_ms && sample.time_ms <= range.to_ms) {
        expected.push_back(sample);
      }
    }
    model::SampleColumns read;
    series.Read(range, read);
    ASSERT_EQ(read.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(read.times_ms[i], expected[i].time_ms);
      ASSERT_EQ(std::bit_cast<std::uint64_t>(read.values[i]),
                std::bit_cast<std::uint64_t>(expected[i].value));
    }
    model::Sample last;
    if (!series.ReadLastOfTail(range, last)) return;  // Then Read() is asked.
    ASSERT_FALSE(expected.empty());
    ASSERT_EQ(last.time_ms, expected.back().time_ms);
    ASSERT_EQ(std::bit_cast<std::uint64_t>(last.value),
              std::bit_cast<std::uint64_t>(expected.back().value));
  }

  Series series;
  std::vector<model::Sample> all;
};

// Steady, jittered, with gaps that are too long for the tail, and all of it at random.
TEST(SeriesTest, ReadsWhatWasAppendedWhateverTheStepsAndValues) {
  std::mt19937_64 random(7);
  const auto step_ms = [&](std::uint64_t kind) -> std::int64_t {
    switch (kind) {
      case 0: return 15'000;
      case 1: return 14'995 + static_cast<std::int64_t>(random() % 11);
      case 2: return 65'534 + static_cast<std::int64_t>(random() % 4);
      default: return random() % 9 == 0 ? 1'000'000'000'000 : 1;
    }
  };
  // Decimals, any doubles, and decimals that end and begin again.
  const auto value = [&](std::uint64_t kind) {
    if (kind == 1) return static_cast<double>(random()) / 3;
    if (kind == 2 && random() % 12 == 0) return model::StaleMarker();
    return static_cast<double>(random() % 50) / 4;
  };
  for (std::uint64_t id = 0; id < 45; ++id) {
    Pair pair(id);
    std::int64_t time_ms = kNow;
    for (int i = 0; i < 300; ++i) {
      time_ms += step_ms(id % 5 == 4 ? random() % 4 : id % 5);
      pair.Append(time_ms, value(id % 3));
      const auto pick = [&] {
        return pair.all[pair.all.size() - 1 - random() % std::min<std::size_t>(pair.all.size(), 9)]
                   .time_ms -
               1 + static_cast<std::int64_t>(random() % 3);
      };
      pair.ExpectReads({pick(), pick()});
      ASSERT_FALSE(HasFailure()) << "series " << id << ", sample " << i;
    }
    EXPECT_EQ(pair.series.sample_count(), 300);
    pair.ExpectReads({kNow, time_ms});
    pair.series.Seal(kNow);
    EXPECT_FALSE(pair.series.has_open_chunk());
    pair.ExpectReads({kNow, time_ms});
  }
}

TEST(SeriesTest, TheLastSampleIsKnownWhereverItIs) {
  Pair pair(3);
  int in_tail = 0;
  for (int i = 0; i < 300; ++i) {
    const std::int64_t time_ms = kNow + i * 15'000;
    pair.Append(time_ms, i);
    EXPECT_EQ(pair.series.Append(time_ms, i, 1, kNow), AppendVerdict::kSame);
    EXPECT_EQ(pair.series.Append(time_ms, i + 1, 1, kNow), AppendVerdict::kDuplicate);
    EXPECT_EQ(pair.series.Append(time_ms - 1, i, 1, kNow), AppendVerdict::kOutOfOrder);
    model::Sample last;
    in_tail += pair.series.ReadLastOfTail({kNow, time_ms}, last) && last.value == i;
    if (i % 50 == 7) pair.series.Seal(kNow);
    EXPECT_EQ(pair.series.Append(time_ms, i, 1, kNow), AppendVerdict::kSame);
  }
  EXPECT_GT(in_tail, 200) << "instant queries decode chunks";
}

// The last sample of a chunk stays known, but is not read once its chunk is gone.
TEST(SeriesTest, ADroppedChunkIsNotReadAnyMore) {
  Pair pair(3);
  for (int i = 0; i < 10; ++i) pair.Append(kNow + i, i);
  pair.series.Seal(kNow);
  EXPECT_EQ(pair.series.DropChunks([](const SealedChunk&) { return true; }), 10);
  EXPECT_EQ(pair.series.sample_count(), 0);
  const std::vector<model::Sample> dropped = std::exchange(pair.all, {});
  pair.ExpectReads({kNow, kNow + 1000});
  pair.Append(kNow + 20, 20);
  pair.ExpectReads({kNow, kNow + 1000});
  pair.ExpectReads({kNow, dropped.back().time_ms});
}

TEST(SeriesTest, ChunksAreFullAndSealedInDifferentCommits) {
  std::vector<int> sealed_at(2 * kMaxChunkSamples);
  for (std::uint64_t id = 0; id < 64; ++id) {
    Pair pair(id);
    for (std::size_t i = 0; i < sealed_at.size() && pair.series.chunks().empty(); ++i) {
      pair.Append(kNow + static_cast<std::int64_t>(i) * 15'000, 1);
      if (!pair.series.chunks().empty()) ++sealed_at[i];
    }
    ASSERT_FALSE(pair.series.chunks().empty());
    EXPECT_GE(pair.series.chunks().front().samples, kMaxChunkSamples - 24);
  }
  for (const int series : sealed_at) EXPECT_LE(series, 16) << "of 64 in one commit";
}

TEST(SealedChunksTest, KeepTheirOrder) {
  SealedChunks chunks;
  std::int64_t first = 0;
  for (std::int64_t i = 0; i < 500; ++i) {
    SealedChunk chunk;
    chunk.last_ms = i;
    chunks.Add(std::move(chunk));
    if (i % 7 == 6) {
      chunks.DropFront(3);
      first += 3;
    }
    ASSERT_EQ(chunks.size(), static_cast<std::size_t>(i + 1 - first));
    std::int64_t expected = first;
    for (const SealedChunk& each : chunks) ASSERT_EQ(each.last_ms, expected++);
  }
  chunks.DropFront(chunks.size());
  EXPECT_TRUE(chunks.empty());
  EXPECT_EQ(chunks.MemoryBytes(), 0u);
}

}  // namespace
}  // namespace tocsin::store
