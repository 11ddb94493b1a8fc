#include "daemon/base/host_port.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace {

TEST(HostPortTest, IsTakenApart) {
  struct Row {
    const char* text;
    const char* host;
    std::optional<std::string_view> port;
  };
  const Row rows[] = {{"db", "db", std::nullopt},
                      {"db:5432", "db", "5432"},
                      {"[::1]", "::1", std::nullopt},
                      {"[::1]:5432", "::1", "5432"},
                      {"[fe80::1%eth0]:80", "fe80::1%eth0", "80"},
                      {":9877", "", "9877"},
                      {"db:", "db", ""},
                      {"", "", std::nullopt}};
  for (const Row& row : rows) {
    const auto parts = SplitHostPort(row.text);
    ASSERT_TRUE(parts.has_value()) << row.text;
    EXPECT_EQ(parts->host, row.host) << row.text;
    EXPECT_EQ(parts->port, row.port) << row.text;
  }
  for (const char* wrong : {"::1", "::1:80", "a:b:c", "[::1", "[::1]80", "[::1]:80:81", "a]:80",
                            "a[b]:80", "[[::1]]:80"}) {
    EXPECT_FALSE(SplitHostPort(wrong).has_value()) << wrong;
  }
}

TEST(HostPortTest, APortIsANumberOfSixteenBitsButZero) {
  EXPECT_EQ(ParsePort("1"), 1);
  EXPECT_EQ(ParsePort("65535"), 65535);
  for (const char* wrong : {"", "0", "65536", "-1", "http", "80 "}) {
    EXPECT_FALSE(ParsePort(wrong).has_value()) << wrong;
  }
}

TEST(HostPortTest, IsPutTogetherWithBracketsWhereTheyAreNeeded) {
  EXPECT_EQ(HostPortText("db", 5432), "db:5432");
  EXPECT_EQ(HostPortText("::1", 5432), "[::1]:5432");
  EXPECT_EQ(HostText("/run/with:colon"), "/run/with:colon");
}

}  // namespace
}  // namespace tocsin
