#include "daemon/base/file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FileSystemTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "file_system_test.XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string At(const std::string& name) const { return folder_ + "/" + name; }

  PosixFileSystem posix_;
  FileSystem& files_ = posix_;
  std::string folder_;
};

TEST_F(FileSystemTest, WrittenFileReadsBackAndIsPrivate) {
  const std::string content("a\0b\n", 4);
  ASSERT_TRUE(files_.WriteAtomically(At("a"), content).ok());
  EXPECT_EQ(*files_.Read(At("a")), content);
  struct stat status {};
  ASSERT_EQ(::stat(At("a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  ASSERT_TRUE(files_.WriteAtomically(At("a"), "new").ok());
  EXPECT_EQ(*files_.Read(At("a")), "new");
  EXPECT_THAT(*files_.List(folder_), ElementsAre("a")) << "no temporary file stays";
}

TEST_F(FileSystemTest, WhoCouldReadTheFileBeforeCanStillReadIt) {
  ASSERT_TRUE(files_.WriteAtomically(At("a"), "old").ok());
  ASSERT_EQ(::chmod(At("a").c_str(), 0640), 0);
  const bool is_root = ::geteuid() == 0;
  ASSERT_TRUE(!is_root || ::chown(At("a").c_str(), 4711, 4712) == 0);
  std::filesystem::create_symlink("a", At("link"));
  ASSERT_TRUE(files_.WriteAtomically(At("link"), "new").ok());
  EXPECT_EQ(*files_.Read(At("a")), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(At("link")));
  struct stat status {};
  ASSERT_EQ(::stat(At("a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640U);
  if (is_root) {
    EXPECT_EQ(status.st_uid, 4711U);
    EXPECT_EQ(status.st_gid, 4712U);
    EXPECT_EQ(files_.Status(At("a"))->owner, 4711U);
  }
}

TEST_F(FileSystemTest, FailedWriteLeavesTheOldContentAndNoTemporaryFile) {
  ASSERT_TRUE(files_.MakeDirectory(At("busy/inner")).ok());
  const auto written = files_.WriteAtomically(At("busy"), "x");  // A directory is in the way.
  ASSERT_FALSE(written.ok());
  EXPECT_THAT(*files_.List(folder_), ElementsAre("busy"));
}

TEST_F(FileSystemTest, ReadRefusesMoreThanItsLimit) {
  ASSERT_TRUE(files_.WriteAtomically(At("a"), "12345").ok());
  EXPECT_EQ(*files_.Read(At("a"), 5), "12345");
  const auto refused = files_.Read(At("a"), 4);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
}

TEST_F(FileSystemTest, FilesThatTellNoSizeAreReadToTheirEnd) {
  const auto text = files_.Read("/proc/self/status");
  ASSERT_TRUE(text.ok()) << text.error().message;
  EXPECT_THAT(*text, HasSubstr("Pid:"));
}

TEST_F(FileSystemTest, AFileLargerThanAnyStepIsReadWhole) {
  std::string content(3'000'001, 'x');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i % 251);
  ASSERT_TRUE(files_.WriteAtomically(At("large"), content).ok());
  EXPECT_TRUE(*files_.Read(At("large")) == content);
  EXPECT_TRUE(*(*files_.Open(At("large")))->ReadAt(1, 2'999'990) == content.substr(1, 2'999'990));
}

// The host collector reads hundreds of files of /proc in a poll.
TEST_F(FileSystemTest, ASmallFileTakesLittleRoom) {
  EXPECT_LE(files_.Read("/proc/self/stat")->capacity(), 32U << 10);
}

TEST_F(FileSystemTest, MissingFileIsNotFoundAndNamed) {
  const auto read = files_.Read(At("none"));
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(read.error().message, HasSubstr(At("none")));
  EXPECT_EQ(files_.Status(At("none")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_.Open(At("none")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_.Remove(At("none")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_.List(At("none")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_.Rename(At("none"), At("b")).error().code, ErrorCode::kNotFound);
}

TEST_F(FileSystemTest, OpenFileIsReadOnAfterItWasRotatedAway) {
  ASSERT_TRUE(files_.WriteAtomically(At("log"), "old line\n").ok());
  auto file = files_.Open(At("log"));
  ASSERT_TRUE(file.ok());
  const auto before = (*file)->Status();
  ASSERT_TRUE(files_.Rename(At("log"), At("log.1")).ok());
  ASSERT_TRUE(files_.WriteAtomically(At("log"), "new line\n").ok());
  std::ofstream(At("log.1"), std::ios::app) << "late line\n";

  EXPECT_EQ(*(*file)->ReadAt(9, 100), "late line\n");
  EXPECT_EQ(*(*file)->ReadAt(4, 4), "line");
  EXPECT_EQ(*(*file)->ReadAt(1000, 10), "");
  EXPECT_NE(files_.Status(At("log"))->inode, before->inode);
  EXPECT_EQ(files_.Status(At("log.1"))->inode, before->inode);
  EXPECT_EQ((*file)->Status()->size_bytes, 19);
}

TEST_F(FileSystemTest, DirectoriesAreMadeWithTheirParents) {
  ASSERT_TRUE(files_.MakeDirectory(At("a/b/c")).ok());
  ASSERT_TRUE(files_.MakeDirectory(At("a/b/c")).ok()) << "fine if it exists";
  EXPECT_TRUE(files_.Status(At("a/b/c"))->is_directory);
  ASSERT_TRUE(files_.WriteAtomically(At("file"), "x").ok());
  EXPECT_FALSE(files_.MakeDirectory(At("file")).ok());
  EXPECT_FALSE(files_.MakeDirectory(At("file/below")).ok());
}

TEST_F(FileSystemTest, GlobFindsSortedPathsOrNothing) {
  for (const char* name : {"b.yaml", "a.yaml", "c.txt"}) {
    ASSERT_TRUE(files_.WriteAtomically(At(name), "").ok());
  }
  EXPECT_THAT(*files_.Glob(At("*.yaml")), ElementsAre(At("a.yaml"), At("b.yaml")));
  EXPECT_THAT(*files_.Glob(At("*.json")), IsEmpty());
  EXPECT_THAT(*files_.Glob(At("none/*.yaml")), IsEmpty());
}

TEST_F(FileSystemTest, RemovedFileIsGone) {
  ASSERT_TRUE(files_.WriteAtomically(At("a"), "").ok());
  ASSERT_TRUE(files_.Remove(At("a")).ok());
  EXPECT_THAT(*files_.List(folder_), IsEmpty());
}

}  // namespace
}  // namespace tocsin
