#include "collectors/pgbouncer/ini_file.h"

#include <gtest/gtest.h>

namespace tocsin::collectors::pgbouncer {
namespace {

constexpr std::string_view kIni =
    "; mine\n[databases]\nstats_users = not this\napp = host=/x\n\n[pgbouncer]\n"
    "auth_file = /etc/pgbouncer/userlist.txt\n;stats_users = nor this\nstats_users = a, b\n"
    "[users]\nx = pool_mode=session\n";

IniFile Parsed(std::string_view text) {
  auto file = IniFile::Parse(text, "pgbouncer.ini");
  EXPECT_TRUE(file.ok());
  return *std::move(file);
}

TEST(IniFileTest, AUserJoinsTheListAndNothingElseChanges) {
  const IniFile file = Parsed(kIni);
  EXPECT_EQ(file.Value("auth_file"), "/etc/pgbouncer/userlist.txt");
  std::string expected(kIni);
  const std::string before = "\nstats_users = a, b\n";
  expected.replace(expected.find(before), before.size(), "\nstats_users = a, b, tocsin\n");
  EXPECT_EQ(file.WithListed("stats_users", "tocsin"), expected);
}

TEST(IniFileTest, AUserThatIsListedStaysOnce) {
  EXPECT_EQ(Parsed(kIni).WithListed("stats_users", "b"), kIni);
}

TEST(IniFileTest, AMissingKeyIsAddedToItsSection) {
  EXPECT_EQ(Parsed("[databases]\n[pgbouncer]\nlisten_port = 1").WithListed("stats_users", "x"),
            "[databases]\n[pgbouncer]\nstats_users = x\nlisten_port = 1");
  EXPECT_EQ(Parsed("[pgbouncer]").WithListed("stats_users", "x"), "[pgbouncer]\nstats_users = x\n");
  EXPECT_EQ(Parsed("[pgbouncer]\nstats_users =\n").WithListed("stats_users", "x"),
            "[pgbouncer]\nstats_users = x\n");
}

TEST(IniFileTest, WhatCannotBeChangedSafelyIsRefusedWithItsPlace) {
  const auto included = IniFile::Parse("[pgbouncer]\n%include more.ini\n", "p.ini");
  ASSERT_FALSE(included.ok());
  EXPECT_EQ(included.error().message.rfind("p.ini:2: ", 0), 0u) << included.error().message;
  EXPECT_FALSE(IniFile::Parse("[databases]\n", "p.ini").ok());
  EXPECT_FALSE(IniFile::Parse("", "p.ini").ok());
}

TEST(UserListTest, AnEntryIsReplacedOrAdded) {
  const std::string users = "\"a\" \"secret\"\n; a comment\n\"quo\"\"te\" \"x\"\"y\"";
  EXPECT_EQ(SecretOfUser(users, "a"), "secret");
  EXPECT_EQ(SecretOfUser(users, "quo\"te"), "x\"y");
  EXPECT_EQ(SecretOfUser(users, "b"), "");
  EXPECT_EQ(WithUser(users, "a", "\"a\" \"new\""),
            "\"a\" \"new\"\n; a comment\n\"quo\"\"te\" \"x\"\"y\"");
  EXPECT_EQ(WithUser(users, "b", "\"b\" \"new\""), users + "\n\"b\" \"new\"\n");
  EXPECT_EQ(WithUser("", "b", "\"b\" \"new\""), "\"b\" \"new\"\n");
}

}  // namespace
}  // namespace tocsin::collectors::pgbouncer
