#include "daemon/base/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tocsin {
namespace {

TEST(TextTest, NumbersAreReadStrictly) {
  EXPECT_EQ(ParseDouble("1.5e3"), 1500.0);
  EXPECT_EQ(ParseDouble("-Inf"), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(*ParseDouble("NaN")));
  for (const char* bad : {"", " 1", "1 ", "0x10", "1e", "one", "+", "--1"}) {
    EXPECT_FALSE(ParseDouble(bad)) << bad;
  }
  EXPECT_EQ(ParseInt("-42"), -42);
  EXPECT_EQ(ParseInt("+42"), 42);
  for (const char* bad : {"42s", "+-42", "+", ""}) EXPECT_FALSE(ParseInt(bad)) << bad;
  EXPECT_FALSE(ParseInt("99999999999999999999"));
}

TEST(TextTest, NumbersArePrintedShortestAndReadBackTheSame) {
  EXPECT_EQ(FormatDouble(0.1), "0.1");
  EXPECT_EQ(FormatDouble(100), "100");
  EXPECT_EQ(FormatDouble(1e21), "1e+21");
  EXPECT_EQ(FormatDouble(1e-7), "1e-07");
  EXPECT_EQ(FormatDouble(1e20), "100000000000000000000");
  EXPECT_EQ(FormatDouble(-0x1p69), "-590295810358705700000");
  EXPECT_EQ(FormatDouble(9007199254740994), "9007199254740994");
  EXPECT_EQ(FormatDouble(-0.0), "-0");
  EXPECT_EQ(FormatDouble(std::numeric_limits<double>::infinity()), "+Inf");
  for (const double value :
       {1.0 / 3, 123456789.123456789, 5e-324, 0x1p53, 9.1e15, 1e16, 1.7976931348623157e308}) {
    EXPECT_EQ(ParseDouble(FormatDouble(value)), value);
  }
}

TEST(TextTest, DurationsAreThoseOfPrometheus) {
  EXPECT_EQ(*ParseDuration("1h30m"), Millis(90 * 60'000));
  EXPECT_EQ(*ParseDuration("250ms"), Millis(250));
  EXPECT_EQ(*ParseDuration("0"), Millis(0));
  for (const char* bad : {"", "5", "5x", "1m1h", "-5s", "5s5s", "1.5s", "9999999999999y"}) {
    EXPECT_FALSE(ParseDuration(bad).ok()) << bad;
  }
  EXPECT_EQ(FormatDuration(Millis(90 * 60'000)), "1h30m");
  EXPECT_EQ(FormatDuration(Millis(0)), "0s");
  EXPECT_EQ(FormatDuration(Millis(15LL * 24 * 3600 * 1000)), "15d");
}

TEST(TextTest, SizesKnowDecimalAndBinaryUnits) {
  EXPECT_EQ(*ParseBytes("1GB"), 1'000'000'000);
  EXPECT_EQ(*ParseBytes("512MiB"), 512 * 1048576);
  EXPECT_EQ(*ParseBytes("1024"), 1024);
  EXPECT_FALSE(ParseBytes("1 parsec").ok());
}

TEST(TextTest, TimesAreRfc3339) {
  EXPECT_EQ(FormatTime(FromUnixMillis(1'795'415'773'459)), "2026-11-23T06:36:13.459Z");
  EXPECT_EQ(*ParseTime("2026-11-23T06:36:13.459Z"), FromUnixMillis(1'795'415'773'459));
  EXPECT_EQ(*ParseTime("2026-11-23T07:36:13.459123+01:00"), FromUnixMillis(1'795'415'773'459));
  for (const char* bad : {"", "2026-11-23", "2026-13-01T00:00:00Z", "2026-11-23T06:36:13"}) {
    EXPECT_FALSE(ParseTime(bad).ok()) << bad;
  }
}

TEST(TextTest, TheNearestWordIsSuggestedOnlyWhenItIsNear) {
  const std::string_view words[] = {"interval", "timeout"};
  EXPECT_EQ(Suggestion("intervall", words), " (did you mean \"interval\"?)");
  EXPECT_EQ(Suggestion("colour", words), "");
  const std::string_view swapped[] = {"dsn", "name"};
  EXPECT_EQ(Suggestion("dns", swapped), " (did you mean \"dsn\"?)");
}

TEST(TextTest, InvalidUtf8IsReplacedAndRunesAreCounted) {
  EXPECT_EQ(ValidUtf8("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(ValidUtf8("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(TruncateRunes("äöü", 3), "äöü");
  EXPECT_EQ(TruncateRunes("äöüß", 3), "äö…");
}

TEST(TextTest, Sha256MatchesTheStandardsExample) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace tocsin
