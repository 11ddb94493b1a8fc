#include "collectors/postgres/log_tail.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/process.h"

namespace tocsin::collectors::postgres {
namespace {

namespace fs = std::filesystem;

class LogTailTest : public ::testing::Test {
 protected:
  void Append(const std::string& text) { std::ofstream(path_, std::ios::app) << text; }

  // What one Read() brings; a break shows as "#".
  std::string Read(const std::string& path) {
    std::string text;
    const auto progress = tail_.Read(
        path, [&](std::string_view bytes) { text += bytes; }, [&] { text += '#'; },
        [&] { return may_go_on_; });
    EXPECT_TRUE(progress.ok()) << progress.error().message;
    if (progress.ok()) last_ = *progress;
    return text;
  }
  std::string Read() { return Read(path_); }

  testing::TemporaryFolder folder_;
  std::string path_ = folder_.File("pg.log");
  PosixFileSystem files_;
  LogTail tail_{files_};
  LogTail::Progress last_;
  bool may_go_on_ = true;
};

TEST_F(LogTailTest, BeginsAtTheEndAndReadsWhatIsAdded) {
  Append("old\n");
  EXPECT_EQ(Read(), "#");
  Append("one\n");
  EXPECT_EQ(Read(), "one\n");
  EXPECT_EQ(Read(), "");
  EXPECT_EQ(last_.lag_bytes, 0);
}

TEST_F(LogTailTest, ARenamedFileIsReadToItsEndBeforeTheNewOne) {
  Append("");
  Read();
  Append("one\n");
  fs::rename(path_, path_ + ".1");
  std::ofstream(path_ + ".1", std::ios::app) << "two\n";
  Append("three\n");
  EXPECT_EQ(Read(), "one\ntwo\n#three\n");
}

TEST_F(LogTailTest, ANewNameIsReadFromItsStart) {
  Append("");
  Read();
  Append("one\n");
  const std::string next = folder_.File("pg2.log");
  std::ofstream(next) << "two\n";
  EXPECT_EQ(Read(next), "one\n#two\n");
}

TEST_F(LogTailTest, ATruncatedFileIsReadFromItsStart) {
  Append("a long line\n");
  Read();
  ASSERT_EQ(truncate(path_.c_str(), 0), 0);
  Append("new\n");
  EXPECT_EQ(Read(), "#new\n");
}

TEST_F(LogTailTest, WhatCannotBeReadInTimeIsTheLag) {
  Append("");
  Read();
  Append("0123456789");
  may_go_on_ = false;
  EXPECT_EQ(Read(), "");
  EXPECT_EQ(last_.lag_bytes, 10);
  may_go_on_ = true;
  EXPECT_EQ(Read(), "0123456789");
}

TEST_F(LogTailTest, TooFarBehindIsSkippedAndCounted) {
  Append("");
  Read();
  ASSERT_EQ(truncate(path_.c_str(), LogTail::kMostLagBytes + 1), 0);  // A hole: no disk is used.
  EXPECT_EQ(Read(), "#");
  EXPECT_EQ(last_.skipped_bytes, LogTail::kMostLagBytes + 1);
  Append("now\n");
  EXPECT_EQ(Read(), "now\n");
}

TEST_F(LogTailTest, AMissingFileIsAnError) {
  const auto progress = tail_.Read(
      folder_.File("nothing"), [](std::string_view) {}, [] {}, [] { return true; });
  ASSERT_FALSE(progress.ok());
  EXPECT_EQ(progress.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace tocsin::collectors::postgres
