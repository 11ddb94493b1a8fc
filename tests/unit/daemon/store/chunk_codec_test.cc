#include "daemon/store/chunk_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <iostream>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "daemon/model/sample.h"
#include "daemon/store/bit_column.h"
#include "daemon/store/varint.h"

namespace tocsin::store {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr std::int64_t kMinTime = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMaxTime = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kNow = 1'700'000'000'000;

struct Series {
  std::vector<std::int64_t> times;
  std::vector<double> values;
};

// Decodes, and compares every bit with the first `count` samples.
void ExpectHolds(const std::string& bytes, const Series& series, std::size_t count) {
  ChunkColumns back;
  back.count = DecodeChunk(bytes, back.times_ms, back.values);
  EXPECT_EQ(back.count, count);
  EXPECT_EQ(ChunkSampleCount(bytes), count);
  for (std::size_t i = 0; i < back.count; ++i) {
    EXPECT_EQ(back.times_ms[i], series.times[i]) << "time " << i;
    EXPECT_EQ(std::bit_cast<std::uint64_t>(back.values[i]),
              std::bit_cast<std::uint64_t>(series.values[i]))
        << "value " << i << ": " << back.values[i] << " for " << series.values[i];
  }
}

// Encodes, decodes, and compares every bit. Returns the bytes.
std::string MustRoundTrip(const Series& series) {
  std::string bytes;
  EncodeChunk(series.times.data(), series.values.data(), series.times.size(), bytes);
  ExpectHolds(bytes, series, series.times.size());
  return bytes;
}

// As versions before this one wrote whole numbers and others: the first value stands by
// itself and the column leads on from it.
std::string EncodeFromFirst(const Series& series, bool whole_numbers) {
  const std::size_t count = series.times.size();
  std::vector<std::int64_t> steps(count - 1);
  std::string bytes;
  PutVarint(count, bytes);
  PutVarint(ZigZag(series.times[0]), bytes);
  for (std::size_t i = 1; i < count; ++i) steps[i - 1] = series.times[i] - series.times[i - 1];
  EncodeColumn(ColumnKind::kSigned, steps.data(), count - 1, bytes);
  if (whole_numbers) {
    bytes.append({1, 0});  // Deltas of integers, none of them patched.
    PutVarint(ZigZag(static_cast<std::int64_t>(series.values[0])), bytes);
    for (std::size_t i = 1; i < count; ++i) {
      steps[i - 1] = static_cast<std::int64_t>(series.values[i] - series.values[i - 1]);
    }
    EncodeColumn(ColumnKind::kSigned, steps.data(), count - 1, bytes);
    return bytes;
  }
  bytes.push_back(2);  // XOR.
  PutWord(series.values[0], bytes);
  for (std::size_t i = 1; i < count; ++i) {
    steps[i - 1] = std::bit_cast<std::int64_t>(series.values[i]) ^
                   std::bit_cast<std::int64_t>(series.values[i - 1]);
  }
  EncodeColumn(ColumnKind::kUnsigned, steps.data(), count - 1, bytes);
  return bytes;
}

Series Polled(std::size_t count, std::int64_t jitter_ms, std::mt19937_64& random,
              const std::function<double()>& next) {
  std::uniform_int_distribution<std::int64_t> jitter(-jitter_ms, jitter_ms);
  Series series;
  for (std::size_t i = 0; i < count; ++i) {
    series.times.push_back(kNow + static_cast<std::int64_t>(i) * 15'000 + jitter(random));
    series.values.push_back(next());
  }
  return series;
}

TEST(ChunkCodecTest, SpecialValuesComeBackBitForBit) {
  const std::vector<double> special = {0.0,
                                       -0.0,
                                       1,
                                       -1,
                                       0.1,
                                       kInf,
                                       -kInf,
                                       model::NormalNaN(),
                                       model::StaleMarker(),
                                       std::bit_cast<double>(0xfff8dead0000beefULL),
                                       std::bit_cast<double>(0x7ff0000000000001ULL),
                                       std::numeric_limits<double>::denorm_min(),
                                       std::numeric_limits<double>::max(),
                                       std::numeric_limits<double>::lowest(),
                                       9007199254740991.0,
                                       9007199254740993.0,
                                       1e300,
                                       1e-300};
  Series all;
  for (std::size_t i = 0; i < special.size(); ++i) {
    all.times.push_back(static_cast<std::int64_t>(i));
    all.values.push_back(special[i]);
    MustRoundTrip({{kNow}, {special[i]}});
    MustRoundTrip({{kNow, kNow + 1, kNow + 2}, {special[i], special[i], special[i]}});
    // One special value in the midst of ordinary ones.
    Series mostly_plain;
    for (int k = 0; k < 100; ++k) {
      mostly_plain.times.push_back(kNow + k);
      mostly_plain.values.push_back(k == 50 ? special[i] : k * 0.25);
    }
    MustRoundTrip(mostly_plain);
  }
  MustRoundTrip(all);
}

TEST(ChunkCodecTest, ExtremeTimesAndGapsComeBack) {
  MustRoundTrip({{kMinTime, kMaxTime}, {1, 2}});
  MustRoundTrip({{kMinTime, -1, 0, 1, kMaxTime}, {1, 2, 3, 4, 5}});
  MustRoundTrip({{-5000, 0, 5000, 1'000'000'000'000}, {1, 1, 1, 1}});
}

TEST(ChunkCodecTest, EveryLengthOfEveryShapeComesBack) {
  std::mt19937_64 random(1);
  const std::vector<std::function<double()>> shapes = {
      [] { return 7.0; },
      [&] { return static_cast<double>(random() % 1000); },
      [&] { return static_cast<double>(random() % 100000) / 1000; },
      [&] { return static_cast<double>(random()) / 3; },
      [&] { return std::bit_cast<double>(random()); },
      [&] { return random() % 3 == 0 ? model::StaleMarker() : 5.5; },
      [&] { return std::ldexp(1.0, static_cast<int>(random() % 2000) - 1000); },
      [&] { return random() % 20 == 0 ? 1e18 : static_cast<double>(random() % 4); },
  };
  for (const auto& shape : shapes) {
    for (std::size_t count = 1; count <= kMaxChunkSamples; ++count) {
      for (const std::int64_t jitter : {0, 3, 7000}) {
        MustRoundTrip(Polled(count, jitter, random, shape));
        if (HasFailure()) FAIL() << "count " << count << " jitter " << jitter;
      }
    }
  }
}

// Samples come a few at a time; what does not fit is encoded anew, as the store does it.
TEST(ChunkCodecTest, AnExtendedChunkHoldsWhatOneMadeAtOnceHolds) {
  std::mt19937_64 random(5);
  double counter = 5000;
  struct Shape {
    std::function<double()> next;
    double least_extended = 0;  // Of all extensions: else nothing is gained.
  };
  const std::vector<Shape> shapes = {
      {[] { return 7.0; }, 0.95},
      {[&] { return counter += static_cast<double>(random() % 50); }, 0.8},
      {[&] { return static_cast<double>(random() % 100000) / 1000; }, 0.8},
      {[&] { return static_cast<double>(random()) / 3; }, 0.8},
      {[&] { return std::bit_cast<double>(random()); }, 0.8},
      {[&] { return random() % 3 == 0 ? model::StaleMarker() : 5.5; }, 0},
      {[&] { return random() % 30 == 0 ? model::StaleMarker() : counter += 3; }, 0.5},
      {[&] { return random() % 20 == 0 ? 1e18 : static_cast<double>(random() % 4); }, 0},
      {[&] { return std::ldexp(1.0, static_cast<int>(random() % 2000) - 1000); }, 0},
  };
  for (const Shape& shape : shapes) {
    int extended = 0;
    int extensions = 0;
    for (int round = 0; round < 40; ++round) {
      const Series series = Polled(kMaxChunkSamples, round % 2 == 0 ? 0 : 5, random, shape.next);
      std::size_t count = 1 + random() % 8;
      std::string bytes;
      EncodeChunk(series.times.data(), series.values.data(), count, bytes, Effort::kQuick);
      while (count < kMaxChunkSamples) {
        const std::size_t more = std::min(1 + random() % 6, kMaxChunkSamples - count);
        std::string longer;
        ++extensions;
        if (ExtendChunk(bytes, series.times[count - 1], &series.times[count], &series.values[count],
                        more, longer)) {
          ++extended;
        } else {
          EncodeChunk(series.times.data(), series.values.data(), count + more, longer,
                      Effort::kQuick);
        }
        count += more;
        bytes = longer;
        ExpectHolds(bytes, series, count);
        ASSERT_FALSE(HasFailure()) << "after " << count << " samples";
        EXPECT_EQ(ChunkFirstTime(bytes), series.times[0]);
        EXPECT_EQ(ChunkLastTime(bytes), series.times[count - 1]);
      }
    }
    EXPECT_GE(extended, shape.least_extended * extensions) << "shape " << &shape - shapes.data();
  }
}

TEST(ChunkCodecTest, AFullChunkIsNotExtended) {
  std::mt19937_64 random(6);
  const Series series = Polled(kMaxChunkSamples, 0, random, [] { return 1.0; });
  std::string bytes;
  std::string longer;
  EncodeChunk(series.times.data(), series.values.data(), kMaxChunkSamples, bytes, Effort::kQuick);
  const std::int64_t time_ms = series.times.back() + 1;
  const double value = 1;
  EXPECT_FALSE(ExtendChunk(bytes, series.times.back(), &time_ms, &value, 1, longer));
}

void ExpectReads(const std::string& bytes, const Series& series, model::TimeRange range) {
  model::SampleColumns out;
  ASSERT_TRUE(ReadChunk(bytes, range, out));
  std::size_t next = 0;
  for (std::size_t i = 0; i < series.times.size(); ++i) {
    if (series.times[i] < range.from_ms || series.times[i] > range.to_ms) continue;
    ASSERT_LT(next, out.size());
    EXPECT_EQ(out.times_ms[next], series.times[i]);
    EXPECT_EQ(std::bit_cast<std::uint64_t>(out.values[next++]),
              std::bit_cast<std::uint64_t>(series.values[i]));
  }
  EXPECT_EQ(next, out.size());
}

TEST(ChunkCodecTest, APartOfAChunkReadsAsTheSameSamples) {
  std::mt19937_64 random(4);
  const std::vector<std::function<double()>> shapes = {
      [&] { return static_cast<double>(random() % 1000); },
      [&] { return static_cast<double>(random() % 100000) / 1000; },
      [&] { return static_cast<double>(random()) / 3; },
      [&] { return random() % 20 == 0 ? model::StaleMarker() : static_cast<double>(random() % 9); },
  };
  for (int round = 0; round < 2000; ++round) {
    const Series series =
        Polled(1 + random() % kMaxChunkSamples, round % 8 < 4 ? 5 : 0, random, shapes[round % 4]);
    const auto pick = [&] {
      return series.times[random() % series.times.size()] - 1 +
             static_cast<std::int64_t>(random() % 3);
    };
    const model::TimeRange range{pick(), pick()};
    ExpectReads(MustRoundTrip(series), series, range);
    const bool whole_numbers = round % 4 == 0;
    if (!whole_numbers && round % 4 != 2) continue;
    const std::string of_older_version = EncodeFromFirst(series, whole_numbers);
    ExpectHolds(of_older_version, series, series.times.size());
    ExpectReads(of_older_version, series, range);
    ASSERT_FALSE(HasFailure()) << "round " << round;
  }
}

TEST(ChunkCodecTest, DamagedBytesAreRefusedOrGiveOtherNumbersButNeverReadBeyond) {
  std::mt19937_64 random(2);
  ChunkColumns columns;
  for (int round = 0; round < 3000; ++round) {
    const Series series = Polled(1 + random() % kMaxChunkSamples, 5, random, [&] {
      return random() % 10 == 0 ? 0.1 / 3 : static_cast<double>(random() % 5000) / 10;
    });
    std::string bytes = MustRoundTrip(series);
    std::string cut = bytes.substr(0, random() % bytes.size());
    cut.shrink_to_fit();
    EXPECT_EQ(DecodeChunk(cut, columns.times_ms, columns.values), 0U) << "a cut chunk is damaged";
    bytes[random() % bytes.size()] ^= static_cast<char>(1 + random() % 255);
    EXPECT_LE(DecodeChunk(bytes, columns.times_ms, columns.values), kMaxChunkSamples);
    model::SampleColumns part;
    ReadChunk(bytes, {series.times[random() % series.times.size()], kMaxTime}, part);
    EXPECT_LE(part.size(), kMaxChunkSamples);
  }
}

double BytesPerSample(const Series& series) {
  return static_cast<double>(MustRoundTrip(series).size()) /
         static_cast<double>(series.times.size());
}

// The promise of the store: at most 1.5 bytes per sample on ordinary metrics.
TEST(ChunkCodecTest, OrdinarySeriesTakeFewBytes) {
  std::mt19937_64 random(3);
  std::poisson_distribution<int> requests(1000);
  std::normal_distribution<double> cpu(0.4, 0.1);
  double counter = 1'234'567;
  double seconds = 98'765.432;
  double bytes = 3.1e9;
  double connections = 40;
  const auto measure = [&](const char* name, const std::function<double()>& next) {
    const double jittered = BytesPerSample(Polled(kMaxChunkSamples, 3, random, next));
    const double steady = BytesPerSample(Polled(kMaxChunkSamples, 0, random, next));
    std::cout << name << ": " << jittered << " bytes per sample jittered by 3 ms, " << steady
              << " steady\n";
    return jittered;
  };
  double sum = 0;
  sum += measure("constant gauge", [] { return 1.0; });
  sum += measure("constant fraction", [] { return 0.1 / 3; });
  sum += measure("idle counter", [&] { return counter; });
  sum += measure("request counter", [&] { return counter += requests(random); });
  sum += measure("slow counter", [&] { return counter += random() % 10 == 0 ? 1 : 0; });
  sum += measure("seconds counter, 3 decimals", [&] {
    seconds += std::round(cpu(random) * 15'000) / 1000;
    return seconds = std::round(seconds * 1000) / 1000;
  });
  sum += measure("memory gauge, 4 KiB pages",
                 [&] { return bytes += 4096.0 * (static_cast<double>(random() % 200) - 100); });
  sum += measure("connections gauge", [&] {
    connections += static_cast<double>(random() % 7) - 3;
    return connections;
  });
  EXPECT_LE(sum / 8, 1.5);
  EXPECT_LE(measure("noise", [&] { return static_cast<double>(random()) / 3e10; }), 8.7);
}

}  // namespace
}  // namespace tocsin::store
