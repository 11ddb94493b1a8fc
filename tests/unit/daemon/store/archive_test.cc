// A history.db read beside the store that writes it: the same samples, nothing changed.

#include "daemon/store/archive.h"

#include <gmock/gmock.h>

#include <fstream>
#include <map>

#include "tests/unit/daemon/store/store_fixture.h"

namespace tocsin::store {
namespace {

using ::testing::HasSubstr;

using Contents = std::map<std::string, std::vector<std::pair<std::int64_t, std::uint64_t>>>;

Contents ContentsOf(const model::Querier& querier, const model::Matcher& matcher) {
  Contents contents;
  auto selection = querier.Select({matcher}, kAlways);
  EXPECT_TRUE(selection.ok());
  for (std::size_t i = 0; i < (*selection)->size(); ++i) {
    model::SampleColumns samples;
    EXPECT_TRUE((*selection)->Read(i, kAlways, samples).ok());
    auto& out = contents[(*selection)->labels(i).Text()];
    for (std::size_t s = 0; s < samples.size(); ++s) {
      out.emplace_back(samples.times_ms[s], std::bit_cast<std::uint64_t>(samples.values[s]));
    }
  }
  return contents;
}

class ArchiveTest : public StoreFixture {
 protected:
  // Polls two series for `count` intervals; one of them ends in between.
  void Poll(int count) {
    for (int i = 0; i < count; ++i) {
      const double value = i == count / 2 ? model::StaleMarker() : 0.5 * polls_;
      Put({{"__name__", "up"}, {"instance", "a"}}, Now(), value);
      Put({{"__name__", "load"}, {"instance", "b"}}, Now(), polls_ * polls_);
      ++polls_;
      Pass(std::chrono::seconds(15));
    }
  }

  void ExpectTheSame() {
    auto archive = Archive::Open(folder_);
    ASSERT_TRUE(archive.ok()) << archive.error().message;
    for (const char* name : {"up", "load"}) {
      const auto matcher = Match(model::MatchOp::kEqual, "__name__", name);
      const Contents expected = ContentsOf(*store_, matcher);
      EXPECT_EQ(ContentsOf(**archive, matcher), expected);
      EXPECT_EQ(expected.size(), 1u);
    }
    const auto all = Match(model::MatchOp::kRegex, "instance", "a|b");
    EXPECT_EQ(ContentsOf(**archive, all), ContentsOf(*store_, all));
    EXPECT_EQ((*archive)->damaged(), 0);
  }

  int polls_ = 0;
};

TEST_F(ArchiveTest, HasWhatIsInTheJournalAndInChunksWhileTheStoreIsOpen) {
  Open();
  Poll(10);  // All in the journal.
  ExpectTheSame();
  Poll(1000);  // Chunks are full and saved.
  ASSERT_TRUE(store_->Flush().ok());
  ExpectTheSame();
  Poll(5);
  ExpectTheSame();
}

TEST_F(ArchiveTest, ADamagedChunkIsLeftOutAndCountedOnceHoweverOftenItIsRead) {
  Open();
  Poll(1000);
  ASSERT_TRUE(store_->Flush().ok());
  Database::Options options;
  options.path = folder_ + "/history.db";
  auto database = Database::Open(options);
  ASSERT_TRUE(database.ok()) << database.error().message;
  ASSERT_TRUE((*database)
                  ->Execute("UPDATE chunk SET checksum = checksum + 1"
                            " WHERE rowid = (SELECT min(rowid) FROM chunk)")
                  .ok());
  auto archive = Archive::Open(folder_);
  ASSERT_TRUE(archive.ok()) << archive.error().message;
  const auto both = Match(model::MatchOp::kRegex, "instance", "a|b");
  std::size_t samples = 0;
  for (int i = 0; i < 3; ++i) {
    samples = 0;
    for (const auto& [labels, read] : ContentsOf(**archive, both)) samples += read.size();
    EXPECT_EQ((*archive)->damaged(), 1);
  }
  EXPECT_LT(samples, 2000U);
  EXPECT_GT(samples, 1000U);
}

TEST_F(ArchiveTest, WritesGoOnWhileItIsOpenAndReadsStayRight) {
  Open();
  Poll(300);
  auto archive = Archive::Open(folder_);
  ASSERT_TRUE(archive.ok()) << archive.error().message;
  const auto matcher = Match(model::MatchOp::kEqual, "__name__", "load");
  const Contents before = ContentsOf(*store_, matcher);
  Poll(600);  // Trims the journal that the archive has read, and saves its samples.
  ASSERT_TRUE(store_->Flush().ok());
  const Contents after = ContentsOf(**archive, matcher);
  for (const auto& [labels, samples] : before) {
    const auto& read = after.at(labels);
    ASSERT_GE(read.size(), samples.size());
    EXPECT_TRUE(std::equal(samples.begin(), samples.end(), read.begin()));
    EXPECT_TRUE(std::is_sorted(read.begin(), read.end()));
  }
}

TEST_F(ArchiveTest, AFileThatIsNotThereOrNotOursIsAnErrorThatNamesIt) {
  const auto absent = Archive::Open(folder_);
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(absent.error().message, HasSubstr(folder_ + "/history.db"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/history.db"));
  std::ofstream(folder_ + "/history.db") << std::string(4096, 'x');
  const auto nonsense = Archive::Open(folder_);
  ASSERT_FALSE(nonsense.ok());
  EXPECT_EQ(nonsense.error().code, ErrorCode::kCorruption) << nonsense.error().message;
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/history.db"));
}

}  // namespace
}  // namespace tocsin::store
