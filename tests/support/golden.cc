#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "daemon/base/file_system.h"

namespace tocsin::testing {

void ExpectGolden(const std::string& actual, const std::string& path) {
  PosixFileSystem disk;
  FileSystem& files = disk;
  if (std::getenv("TOCSIN_REWRITE_GOLDEN")) {
    const auto written = files.WriteAtomically(path, actual);
    ASSERT_TRUE(written.ok()) << written.error().message;
    return;
  }
  const auto expected = files.Read(path);
  ASSERT_TRUE(expected.ok()) << expected.error().message
                             << " (TOCSIN_REWRITE_GOLDEN=1 creates it)\n"
                             << actual;
  EXPECT_EQ(actual, *expected) << path;
}

}  // namespace tocsin::testing
