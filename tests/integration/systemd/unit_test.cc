// systemd itself judges the unit that ships, with the program that was built.

#include <gtest/gtest.h>

#include "daemon/base/file_system.h"
#include "tests/support/process.h"

namespace tocsin {
namespace {

TEST(SystemdUnitTest, SystemdAcceptsTheUnitThatShips) {
  PosixFileSystem files;
  auto unit = *files.Read(TOCSIN_SOURCE_DIR "/systemd/tocsin.service");
  const std::string installed = "/usr/bin/tocsin";
  const std::size_t at = unit.find(installed);
  ASSERT_NE(at, unit.npos);
  unit.replace(at, installed.size(), TOCSIN_BINARY_DIR "/tocsin");
  tocsin::testing::TemporaryFolder folder;
  ASSERT_TRUE(files.WriteAtomically(folder.File("tocsin.service"), unit).ok());
  tocsin::testing::ProcessOptions options;
  options.argv = {"systemd-analyze", "verify", folder.File("tocsin.service")};
  const auto verified = tocsin::testing::RunProcess(options);
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  EXPECT_EQ(verified->status, 0) << verified->output;
}

}  // namespace
}  // namespace tocsin
