// What of a search is left out is said.

#include "daemon/config/discovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "daemon/config/target_entry.h"
#include "tests/support/process.h"

namespace tocsin::config {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class DiscoveryLimitTest : public ::testing::Test {
 protected:
  // On a host without a process or socket.
  Discovery Search(const std::string& before) {
    std::filesystem::create_directories(folder_.File("proc/net"));
    DiscoveryOptions options;
    options.places = {folder_.File("proc"), {}, {}};
    options.storage = folder_.path();
    return Discover(options, before, files_, clock_);
  }

  std::string Earlier(int count) {
    std::string text = "redis:\n";
    for (int i = 0; i < count; ++i) {
      const std::string name = "redis-" + std::to_string(10'000 + i);
      text += "  - " + EntryText({{"name", name}, {"url", "redis://127.0.0.1"}}) + "\n";
    }
    return text;
  }

  testing::TemporaryFolder folder_;
  PosixFileSystem files_;
  SystemClock clock_;
};

TEST_F(DiscoveryLimitTest, TargetsOfAnEarlierSearchBeyondTheLimitAreSaid) {
  const auto within = Search(Earlier(200));
  EXPECT_THAT(within.left_out, Not(Contains(HasSubstr("found earlier"))));
  EXPECT_EQ(within.kept.size(), 200u);
  const auto beyond = Search(Earlier(203));
  EXPECT_EQ(beyond.kept.size(), 200u);
  EXPECT_THAT(beyond.left_out,
              Contains("3 targets of kind redis found earlier, beyond the first 200"));
  EXPECT_THAT(beyond.yaml, HasSubstr("redis-10199"));
  EXPECT_THAT(beyond.yaml, Not(HasSubstr("redis-10200")));
}

}  // namespace
}  // namespace tocsin::config
