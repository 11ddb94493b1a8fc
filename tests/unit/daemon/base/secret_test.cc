#include "daemon/base/secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "daemon/base/file_system.h"
#include "daemon/base/log.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class SecretFileTest : public ::testing::Test {
 protected:
  SecretFileTest() {
    std::string pattern = "/tmp/tocsin_secret_XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    path_ = pattern + "/password";
    Write("before\n");
  }
  ~SecretFileTest() override {
    std::filesystem::remove_all(std::filesystem::path(path_).parent_path());
  }

  void Write(const std::string& content) { std::ofstream(path_) << content; }

  std::string Renewed(Secret& secret) {
    secret.Renew(files_);
    return secret.Reveal();
  }

  PosixFileSystem files_;
  std::string path_;
};

TEST_F(SecretFileTest, BecomesWhatTheFileHoldsUnlessThatIsNone) {
  Secret secret = Secret::FromFile(path_, files_).value();
  EXPECT_EQ(Renewed(secret), "before");
  Write("  after \r\n\n");
  EXPECT_EQ(Renewed(secret), "after");
  for (const std::string none : {"", " \n", "two\nlines\n", "half\x01"}) {
    Write(none);
    EXPECT_EQ(Renewed(secret), "after") << none;
  }
  Write(std::string("nothing\0written", 15));
  EXPECT_EQ(Renewed(secret), "after");
  Write(std::string(100'000, 'x'));
  EXPECT_EQ(Renewed(secret), "after") << "longer than any credential";
  std::filesystem::remove(path_);
  EXPECT_EQ(Renewed(secret), "after");
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(Renewed(secret), "after") << "nobody is waited for";
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  EXPECT_EQ(Renewed(secret), "after");
  std::filesystem::remove(path_);
  Write("later");
  EXPECT_EQ(Renewed(secret), "later");

  Secret written("in the configuration");
  EXPECT_EQ(Renewed(written), "in the configuration");
}

// Whoever sends takes a copy of what the configuration has, each time.
TEST_F(SecretFileTest, ThatVanishesLeavesEveryCopyWhatWasReadLast) {
  const Secret configured = Secret::FromFile(path_, files_).value();
  Write("after\n");
  Secret first = configured;
  EXPECT_EQ(Renewed(first), "after");
  std::filesystem::remove(path_);
  Secret second = configured;
  EXPECT_EQ(Renewed(second), "after");
}

TEST_F(SecretFileTest, ThatCannotBeReadIsToldOnceHoweverOftenItIsTried) {
  InitLog(LogLevel::kInfo);
  const Secret configured = Secret::FromFile(path_, files_).value();
  std::filesystem::remove(path_);
  const auto tried = [&](int times) {
    ::testing::internal::CaptureStderr();
    for (int i = 0; i < times; ++i) {
      Secret copy = configured;
      copy.Renew(files_);
    }
    return ::testing::internal::GetCapturedStderr();
  };
  const std::string vanished = tried(1);
  EXPECT_THAT(vanished, HasSubstr("cannot be read"));
  EXPECT_THAT(vanished, HasSubstr(path_));
  EXPECT_THAT(vanished, Not(HasSubstr("before")));
  EXPECT_EQ(tried(3), "");
  Write("after\n");
  EXPECT_THAT(tried(1), HasSubstr("can be read again"));
  EXPECT_EQ(tried(3), "");
}

TEST_F(SecretFileTest, MustHoldALine) {
  for (const char* none : {"", "\n", "two\nlines\n"}) {
    Write(none);
    EXPECT_FALSE(Secret::FromFile(path_, files_).ok()) << none;
  }
}

}  // namespace
}  // namespace tocsin
