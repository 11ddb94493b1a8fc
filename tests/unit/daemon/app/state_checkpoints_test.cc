#include "daemon/app/state_checkpoints.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/process.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_executor.h"

namespace tocsin::app {
namespace {

class StateCheckpointsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Database::Options options;
    options.path = folder_.File("state.db");
    auto opened = StateCheckpoints::Open(options, clock_, executors_, metrics_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    checkpoints_ = *std::move(opened);
    options.after_commit = [this](int wal_pages) {
      pages_ = wal_pages;
      checkpoints_->NoteCommit(wal_pages);
    };
    writer_ = Database::Open(options).value();
    ASSERT_TRUE(writer_->Execute("CREATE TABLE t (text TEXT)").ok());
  }

  // A commit of about so many pages.
  void Commit(int pages) {
    for (int page = 0; page < pages; ++page) text_ += std::string(4000, 'x');
    ASSERT_TRUE(writer_->Execute("INSERT INTO t VALUES ('" + text_ + "')").ok());
    text_.clear();
  }
  double Checkpoints() {
    return metrics_
        .Counter("tocsin_state_checkpoints_total", "Checkpoints of state.db's write-ahead log.")
        .Value();
  }
  std::uintmax_t FileBytes() const { return std::filesystem::file_size(folder_.File("state.db")); }

  testing::TemporaryFolder folder_;
  testing::SimClock clock_;
  testing::SimExecutors executors_{clock_};
  MetricRegistry metrics_;
  int pages_ = 0;
  std::string text_;
  std::unique_ptr<StateCheckpoints> checkpoints_;
  std::unique_ptr<Database> writer_;
};

TEST_F(StateCheckpointsTest, ALongLogIsCopiedInAQuietMomentAndNeverByACommit) {
  Commit(StateCheckpoints::kWantedPages - 50);
  executors_.RunFor(std::chrono::minutes(1));
  EXPECT_EQ(Checkpoints(), 0);
  Commit(1500);  // SQLite's own would come at 1,000.
  EXPECT_LT(FileBytes(), 100'000u);
  executors_.RunFor(StateCheckpoints::kQuiet / 2);
  EXPECT_EQ(Checkpoints(), 0);
  Commit(1);
  executors_.RunFor(StateCheckpoints::kQuiet - Millis(1));
  EXPECT_EQ(Checkpoints(), 0) << "in the midst of commits";
  executors_.RunFor(Millis(2));
  EXPECT_EQ(Checkpoints(), 1);
  EXPECT_GT(FileBytes(), 4'000'000u);
  // The log has begun anew, and not with this commit.
  Commit(1);
  EXPECT_GT(pages_, 1);
  EXPECT_LT(pages_, 10);
  executors_.RunFor(std::chrono::minutes(1));
  EXPECT_EQ(Checkpoints(), 1);
}

TEST_F(StateCheckpointsTest, CommitsWithoutPauseDoNotLetTheLogGrowForEver) {
  int longest = 0;
  for (int i = 0; i < 400; ++i) {
    Commit(20);
    longest = std::max(longest, pages_);
    executors_.RunFor(StateCheckpoints::kQuiet / 2);
  }
  EXPECT_GE(Checkpoints(), 1);
  EXPECT_GT(longest, StateCheckpoints::kLongestPages - 100) << "it was in a hurry";
  EXPECT_LT(longest, StateCheckpoints::kLongestPages + 100);
}

TEST_F(StateCheckpointsTest, AReaderThatKeepsItBackIsNoErrorAndItIsTriedAgain) {
  Database::Options options;
  options.path = folder_.File("state.db");
  Commit(1);
  auto reader = Database::Open(options).value();
  ASSERT_TRUE(reader->Execute("BEGIN").ok());
  auto rows = reader->Prepare("SELECT count(*) FROM t").value();
  ASSERT_TRUE(rows.Step().value());
  Commit(600);
  executors_.RunFor(std::chrono::seconds(1));
  Commit(1);
  EXPECT_GT(pages_, 600) << "the reader needs the log as it is";
  rows.Reset();
  ASSERT_TRUE(reader->Execute("COMMIT").ok());
  EXPECT_EQ(Checkpoints(), 0) << "what was copied in part is none";
  executors_.RunFor(StateCheckpoints::kRetry);
  EXPECT_EQ(Checkpoints(), 1);
  Commit(1);
  EXPECT_LT(pages_, 10);
  EXPECT_EQ(metrics_
                .Counter("tocsin_state_checkpoint_failures_total",
                         "Checkpoints of state.db that failed; the log grows meanwhile.")
                .Value(),
            0);
}

}  // namespace
}  // namespace tocsin::app
