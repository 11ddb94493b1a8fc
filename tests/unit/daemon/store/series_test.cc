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

// Runs of one value, of all lengths, broken by another value, another step, a gap, an early
// seal, and between them samples that change.
TEST(SeriesTest, RunsAreReadAsOtherSamplesAre) {
  std::mt19937_64 random(11);
  for (std::uint64_t id = 0; id < 40; ++id) {
    Pair pair(id);
    std::int64_t time_ms = kNow;
    while (pair.all.size() < 900) {
      const std::size_t length = 1 + random() % (id % 4 == 0 ? 600 : 40);
      const std::int64_t step_ms =
          id % 3 == 0 ? 1 + static_cast<std::int64_t>(random() % 4) : 15'000;
      const double value =
          random() % 20 == 0 ? model::StaleMarker() : static_cast<double>(random() % 3);
      for (std::size_t i = 0; i < length; ++i) pair.Append(time_ms += step_ms, value);
      switch (random() % 5) {
        case 0: time_ms += 100'000; break;
        case 1: pair.series.Seal(kNow); break;
        case 2: pair.Append(time_ms += 7, 0.25); break;
        default: break;
      }
      EXPECT_EQ(pair.series.sample_count(), static_cast<std::int64_t>(pair.all.size()));
      const auto pick = [&] {
        const std::size_t back = std::min<std::size_t>(pair.all.size(), 700);
        return pair.all[pair.all.size() - 1 - random() % back].time_ms - 1 +
               static_cast<std::int64_t>(random() % 3);
      };
      for (int look = 0; look < 4; ++look) {
        const std::int64_t from_ms = pick();
        ASSERT_NO_FATAL_FAILURE(pair.ExpectReads({from_ms, pick()})) << id;
      }
      ASSERT_NO_FATAL_FAILURE(pair.ExpectReads({kNow, time_ms}));
    }
  }
}

TEST(SeriesTest, ARunNeedsNoMemoryBesidesTheSeries) {
  Pair pair(3);
  const std::int64_t bytes = pair.series.MemoryBytes();
  for (int i = 0; i < 200; ++i) pair.Append(kNow + i * 15'000, 1);
  EXPECT_EQ(pair.series.MemoryBytes(), bytes);
  EXPECT_EQ(pair.series.sample_count(), 200);
  EXPECT_TRUE(pair.series.OpenChunkCovers(kNow));
  EXPECT_FALSE(pair.series.OpenChunkCovers(kNow - 1));
  EXPECT_EQ(pair.series.memory_from_ms(), kNow);
  EXPECT_EQ(pair.series.first_unsaved_sequence(), 1u);
  EXPECT_EQ(pair.series.Append(kNow + 199 * 15'000, 1, 1, kNow), AppendVerdict::kSame);
  EXPECT_EQ(pair.series.Append(kNow + 199 * 15'000, 2, 1, kNow), AppendVerdict::kDuplicate);
  EXPECT_EQ(pair.series.Append(kNow + 198 * 15'000, 1, 1, kNow), AppendVerdict::kOutOfOrder);
  for (int i = 200; i < 600; ++i) pair.Append(kNow + i * 15'000, 1);
  EXPECT_EQ(pair.series.chunks().size(), 2u);
}

// What is old is sealed by its age, also while nothing changes.
TEST(SeriesTest, ARunKnowsSinceWhenItIsOpen) {
  Series series(model::Labels{{"__name__", "m"}}, 1, 3, kNow);
  for (int i = 0; i < 100; ++i) series.Append(kNow + i * 15'000, 1, 1, kNow + i * 15'000 + 20);
  EXPECT_EQ(series.open_since_ms(), kNow + 20);
  series.Append(kNow + 100 * 15'000, 2, 1, kNow + 100 * 15'000 + 20);
  EXPECT_EQ(series.open_since_ms(), kNow + 20);
}

TEST(SeriesTest, ARunMayFollowHistory) {
  for (const bool knows_last : {true, false}) {
    Pair pair(3);
    const std::int64_t last_ms = kNow - 15'000;
    pair.series.ContinueHistory(kNow - 30'000, last_ms,
                                knows_last ? std::optional(1.0) : std::nullopt);
    EXPECT_EQ(pair.series.Append(last_ms, 1, 1, kNow),
              knows_last ? AppendVerdict::kSame : AppendVerdict::kOutOfOrder);
    for (int i = 0; i < 20; ++i) pair.Append(kNow + i * 15'000, 1);
    EXPECT_EQ(pair.series.memory_from_ms(), kNow);
    EXPECT_EQ(pair.series.sample_count(), 20);
    pair.ExpectReads({kNow - 60'000, kNow + 600'000});
    pair.Append(kNow + 20 * 15'000, 2);
    EXPECT_EQ(pair.series.memory_from_ms(), kNow);
    pair.ExpectReads({kNow - 60'000, kNow + 600'000});
  }
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
