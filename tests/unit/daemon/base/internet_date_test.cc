#include "daemon/base/internet_date.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace {

TEST(InternetDateTest, IsRfc5322sAndRfc9110s) {
  const WallTime time = FromUnixMillis(784111777000);
  EXPECT_EQ(InternetDate(time, "+0000"), "Sun, 06 Nov 1994 08:49:37 +0000");
  EXPECT_EQ(InternetDate(time, "GMT"), "Sun, 06 Nov 1994 08:49:37 GMT");
}

}  // namespace
}  // namespace tocsin
