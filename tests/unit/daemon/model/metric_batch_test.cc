#include "daemon/model/metric_batch.h"

#include <gtest/gtest.h>

namespace tocsin::model {
namespace {

std::string Text(const MetricBatch& batch) {
  std::string out;
  for (std::size_t i = 0; i < batch.row_count(); ++i) {
    const MetricBatch::Row row = batch.row(i);
    out += row.name;
    out += '{';
    for (std::uint32_t l = 0; l < row.label_count; ++l) {
      out += std::string(row.label(l).first) + "=" + std::string(row.label(l).second) + ",";
    }
    out += "} " + std::to_string(row.value) + "\n";
  }
  return out;
}

TEST(MetricBatchTest, RowsCarryTheirFamilysLabelNames) {
  MetricBatch batch;
  const auto family =
      batch.DeclareFamily("pg_locks_count", "locks", MetricType::kGauge, {"datname", "mode"});
  EXPECT_EQ(batch.DeclareFamily("pg_locks_count", "", MetricType::kGauge, {"datname", "mode"}),
            family);
  batch.Add(family, {"app", "sharelock"}, 3);
  batch.AddGauge("pg_up", "is it up", 1);
  EXPECT_EQ(Text(batch),
            "pg_locks_count{datname=app,mode=sharelock,} 3.000000\npg_up{} 1.000000\n");
}

TEST(MetricBatchTest, HistogramsBecomeCumulativeBuckets) {
  MetricBatch batch;
  const auto family = batch.DeclareFamily("latency_seconds", "", MetricType::kHistogram, {"db"});
  const double bounds[] = {0.5, 1};
  const std::uint64_t counts[] = {2, 0, 1};
  const std::string_view values[] = {"app"};
  batch.AddHistogram(family, values, {bounds, counts, 4.5});
  EXPECT_EQ(Text(batch),
            "latency_seconds_bucket{db=app,le=0.5,} 2.000000\n"
            "latency_seconds_bucket{db=app,le=1,} 2.000000\n"
            "latency_seconds_bucket{db=app,le=+Inf,} 3.000000\n"
            "latency_seconds_sum{db=app,} 4.500000\n"
            "latency_seconds_count{db=app,} 3.000000\n");
}

TEST(MetricBatchTest, HostileLabelValuesAreMendedAndCut) {
  MetricBatch batch;
  const auto family = batch.DeclareFamily("m", "", MetricType::kGauge, {"l"});
  batch.Add(family, {"bad\xFF"}, 1);
  batch.Add(family, {std::string(10'000, 'x')}, 1);
  EXPECT_EQ(batch.row(0).label(0).second, "bad\xEF\xBF\xBD");
  EXPECT_EQ(batch.row(1).label(0).second.size(), MetricBatch::kMaxLabelValueBytes);
}

TEST(MetricBatchTest, ClearKeepsTheMemory) {
  MetricBatch batch;
  const auto fill = [&] {
    const auto family = batch.DeclareFamily("m", "", MetricType::kGauge, {"l"});
    for (int i = 0; i < 1000; ++i) batch.Add(family, {std::to_string(i)}, i);
  };
  fill();
  const std::size_t bytes = batch.MemoryBytes();
  batch.Clear();
  EXPECT_EQ(batch.row_count(), 0u);
  fill();
  EXPECT_EQ(batch.MemoryBytes(), bytes);
}

TEST(MetricBatchTest, ClearGivesVeryMuchMemoryBack) {
  MetricBatch batch;
  const auto family = batch.DeclareFamily("m", "", MetricType::kGauge);
  for (int i = 0; i < 250'000; ++i) batch.Add(family, i);
  batch.Clear();
  EXPECT_LT(batch.MemoryBytes(), 1'000u);
  batch.Add(batch.DeclareFamily("m", "", MetricType::kGauge), 1);
  EXPECT_EQ(Text(batch), "m{} 1.000000\n");
}

std::string TableRow(const std::string& family, const std::string& table) {
  return family + "{datname=shop,relname=" + table + ",} 1.000000\n";
}

// Family by family, as a subject shows its rows, and row by row, as a page may come.
TEST(MetricBatchTest, FamiliesShareTheLabelsOfTheirRows) {
  constexpr int kFamilies = 20;
  constexpr int kTables = 500;
  for (const bool by_family : {true, false}) {
    MetricBatch batch;
    std::vector<MetricBatch::FamilyId> families;
    for (int i = 0; i < kFamilies; ++i) {
      families.push_back(batch.DeclareFamily("m" + std::to_string(i), "", MetricType::kGauge,
                                             {"datname", "relname"}));
    }
    std::string expected;
    for (int i = 0; i < kFamilies * kTables; ++i) {
      const int family = by_family ? i / kTables : i % kFamilies;
      const int table = by_family ? i % kTables : i / kFamilies;
      if (family % 3 == 1 && table % 50 == 7) continue;  // Not every family has every row.
      batch.Add(families[static_cast<std::size_t>(family)], {"shop", "t" + std::to_string(table)},
                1);
      expected += TableRow("m" + std::to_string(family), "t" + std::to_string(table));
    }
    EXPECT_EQ(Text(batch), expected);
    constexpr std::size_t kBytesOfARow = 60;  // A row and its number have 24, vectors grow.
    EXPECT_LE(batch.MemoryBytes(), batch.row_count() * kBytesOfARow) << by_family;
    batch.ShrinkToFit();
    EXPECT_EQ(Text(batch), expected);
    // Rows of one family that follow each other need none but their numbers and labels.
    EXPECT_LE(batch.MemoryBytes(), batch.row_count() * (by_family ? 16 : 30)) << by_family;
  }
}

TEST(MetricBatchTest, SharedLabelsAreThoseOfTheSameNamesAndValuesOnly) {
  MetricBatch batch;
  const auto tables = batch.DeclareFamily("t", "", MetricType::kGauge, {"datname", "relname"});
  const auto indexes = batch.DeclareFamily("i", "", MetricType::kGauge, {"datname", "indexname"});
  const auto sizes = batch.DeclareFamily("s", "", MetricType::kGauge, {"datname", "relname"});
  for (const auto family : {tables, indexes, sizes}) {
    for (const char* name : {"a", "b"}) batch.Add(family, {"shop", name}, 1);
  }
  batch.Add(tables, {"shopa", ""}, 1);
  const std::string expected =
      TableRow("t", "a") + TableRow("t", "b") +
      "i{datname=shop,indexname=a,} 1.000000\ni{datname=shop,indexname=b,} 1.000000\n" +
      TableRow("s", "a") + TableRow("s", "b") + "t{datname=shopa,relname=,} 1.000000\n";
  EXPECT_EQ(Text(batch), expected);
}

// Rows that never share, between rows that may.
TEST(MetricBatchTest, SharedLabelsSurviveOtherRowsInBetween) {
  MetricBatch batch;
  for (int round = 0; round < 2; ++round) {
    batch.Clear();
    const auto one = batch.DeclareFamily("one", "", MetricType::kGauge, {"datname", "relname"});
    const auto times = batch.DeclareFamily("h", "", MetricType::kHistogram, {"datname", "relname"});
    const auto two = batch.DeclareFamily("two", "", MetricType::kGauge, {"datname", "relname"});
    const auto bare = batch.DeclareFamily("bare", "", MetricType::kGauge);
    const double bounds[] = {1};
    const std::uint64_t counts[] = {1, 0};
    const std::string_view values[] = {"shop", "\xFF"};
    batch.Add(one, values, 1);
    batch.AddHistogram(times, values, {bounds, counts, 1});
    batch.AddSample(times, "h_created", std::vector<LabelView>{{"datname", "shop"}}, 1);
    batch.Add(bare, 1);
    batch.Add(two, values, 1);
    batch.Add(two, {"shop", "b"}, 1);
    const std::string mended = "{datname=shop,relname=\xEF\xBF\xBD,";
    EXPECT_EQ(Text(batch), "one" + mended + "} 1.000000\nh_bucket" + mended +
                               "le=1,} 1.000000\nh_bucket" + mended + "le=+Inf,} 1.000000\nh_sum" +
                               mended + "} 1.000000\nh_count" + mended +
                               "} 1.000000\nh_created{datname=shop,} 1.000000\nbare{} 1.000000\n" +
                               "two" + mended + "} 1.000000\n" + TableRow("two", "b"));
  }
}

TEST(MetricBatchTest, IncludedRowsStandBetweenThoseThatAreAdded) {
  MetricBatch tables;
  const auto scans = tables.DeclareFamily("scans", "", MetricType::kCounter, {"relname"});
  const auto took = tables.DeclareFamily("took", "", MetricType::kHistogram, {"relname"});
  tables.Add(scans, {"a"}, 1);
  const std::vector<std::string_view> relname{"a"};
  tables.AddHistogram(took, relname, {std::vector<double>{2}, std::vector<std::uint64_t>{3, 4}, 5});
  tables.ShrinkToFit();
  MetricBatch nothing;
  MetricBatch page;
  for (int round = 0; round < 2; ++round) {
    page.Clear();
    page.AddGauge("first", "", 6);
    page.Include(nothing);
    page.Include(tables);
    page.Add(page.DeclareFamily("scans", "", MetricType::kCounter, {"relname"}), {"b"}, 7);
    page.AddGauge("last", "", 8);
    page.Include(tables);
    const std::string included =
        "scans{relname=a,} 1.000000\ntook_bucket{relname=a,le=2,} 3.000000\n"
        "took_bucket{relname=a,le=+Inf,} 7.000000\ntook_sum{relname=a,} 5.000000\n"
        "took_count{relname=a,} 7.000000\n";
    EXPECT_EQ(Text(page), "first{} 6.000000\n" + included +
                              "scans{relname=b,} 7.000000\nlast{} 8.000000\n" + included);
    // By the page's families, not by those of the batch that they came from.
    EXPECT_EQ(page.families()[page.row(1).family].name, "scans");
    EXPECT_EQ(page.row(1).family, page.row(6).family);
    EXPECT_EQ(page.families()[page.row(12).family].name, "took");
  }
  // A batch of such rows is a batch as any other.
  MetricBatch book;
  book.AddGauge("cover", "", 9);
  book.Include(page);
  EXPECT_EQ(Text(book), "cover{} 9.000000\n" + Text(page));
  EXPECT_EQ(book.families()[book.row(7).family].name, "scans");
  // What they came from may be cleared and gone.
  const std::string before = Text(book);
  tables.Clear();
  tables.AddGauge("other", "", 10);
  page.Clear();
  EXPECT_EQ(Text(book), before);
}

TEST(MetricBatchTest, IncludedRowsKeepTheirTimes) {
  MetricBatch timed;
  const auto family = timed.DeclareFamily("m", "", MetricType::kGauge);
  timed.AddSample(family, "m", {}, 1);
  timed.AddSample(family, "m", {}, 2, 1'000);
  timed.AddSample(family, "m", {}, 3);
  MetricBatch page;
  page.AddGauge("first", "", 0);
  page.Include(timed);
  page.Include(timed);
  std::vector<std::int64_t> times;
  for (std::size_t i = 0; i < page.row_count(); ++i) {
    times.push_back(page.row(i).time_ms.value_or(-1));
  }
  EXPECT_EQ(times, (std::vector<std::int64_t>{-1, -1, 1'000, -1, -1, 1'000, -1}));
}

TEST(MetricBatchTest, IncludedRowsAreTheSameSeriesAsAdded) {
  MetricBatch part;
  part.Add(part.DeclareFamily("m", "", MetricType::kGauge, {"l"}), {"a"}, 1);
  MetricBatch with;
  with.AddGauge("first", "", 0);
  with.Include(part);
  MetricBatch without;
  without.Add(without.DeclareFamily("m", "", MetricType::kGauge, {"l"}), {"a"}, 1);
  without.Add(without.DeclareFamily("m", "", MetricType::kGauge, {"l"}), {"b"}, 1);
  EXPECT_TRUE(MetricBatch::SameSeries(*with.shape(), 1, *without.shape(), 0));
  EXPECT_FALSE(MetricBatch::SameSeries(*with.shape(), 1, *without.shape(), 1));
  EXPECT_TRUE(MetricBatch::SameSeries(*with.shape(), 1, *part.shape(), 0));
  EXPECT_EQ(MetricBatch::HashSeries(*with.shape(), 1), MetricBatch::HashSeries(*part.shape(), 0));
}

TEST(MetricBatchTest, RowsAreSharedAndNumbersAreNot) {
  MetricBatch first;
  const auto family = first.DeclareFamily("m", "", MetricType::kGauge, {"l"});
  first.Add(family, {"a"}, 1);
  first.Add(family, {"b"}, 2);
  MetricBatch second;
  second.Repeat(first.shape());
  second.AddNumber(3);
  second.AddNumber(4);
  EXPECT_TRUE(second.repeats());
  EXPECT_EQ(Text(first), "m{l=a,} 1.000000\nm{l=b,} 2.000000\n");
  EXPECT_EQ(Text(second), "m{l=a,} 3.000000\nm{l=b,} 4.000000\n");
  // What is shared stays as it was.
  first.Clear();
  first.AddGauge("other", "", 5);
  EXPECT_EQ(Text(second), "m{l=a,} 3.000000\nm{l=b,} 4.000000\n");
  second.Clear();
  EXPECT_FALSE(second.repeats());
  second.AddGauge("mine", "", 6);
  EXPECT_EQ(Text(second), "mine{} 6.000000\n");
}

}  // namespace
}  // namespace tocsin::model
