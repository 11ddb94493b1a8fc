#include "daemon/base/go_numbers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace tocsin {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string FloatError(std::string_view text) {
  const auto value = ParseGoFloat(text);
  return value.ok() ? "read as " + std::to_string(*value) : value.error().message;
}

TEST(GoNumbersTest, FloatsAreDecimalOrHexadecimal) {
  EXPECT_EQ(*ParseGoFloat("1.5e3"), 1500);
  EXPECT_EQ(*ParseGoFloat("+.5"), 0.5);
  EXPECT_EQ(*ParseGoFloat("5."), 5);
  EXPECT_EQ(*ParseGoFloat("010"), 10);
  EXPECT_EQ(*ParseGoFloat("0x1p4"), 16);
  EXPECT_EQ(*ParseGoFloat("-0X.8P+1"), -1);
  EXPECT_EQ(*ParseGoFloat("0x1F.8p0"), 31.5);
  EXPECT_EQ(*ParseGoFloat("-iNfInItY"), -kInfinity);
  EXPECT_TRUE(std::isnan(*ParseGoFloat("nAn")));
  EXPECT_TRUE(std::signbit(*ParseGoFloat("-0")));
  // A hexadecimal float has an exponent; no NaN has a sign.
  for (const char* bad :
       {"",      "+",  ".",  "1e",  "1e+",    "0x10", "0x", "0xp1",  "0x1p", "+nan",
        "infin", "1 ", " 1", "--1", "0x-1p1", "abc",  "e5", "1.2.3", "0b1",  "1p4"}) {
    EXPECT_EQ(FloatError(bad), "invalid syntax") << bad;
  }
}

TEST(GoNumbersTest, UnderscoresStandBetweenDigitsOnly) {
  EXPECT_EQ(*ParseGoFloat("1_23.50_0_0e+1_2"), 123.5e12);
  EXPECT_EQ(*ParseGoFloat("0x_1_2.3_4_5p+1_2"), 74565);
  for (const char* bad : {"_123.5e+12", "-_123", "1__23", "123_.5", "123._5", "123.5_e+12",
                          "123.5e_+12", "123.5e+_12", "123.5e+12_", "0_x12.345p+12", "0x12p_1"}) {
    EXPECT_EQ(FloatError(bad), "invalid syntax") << bad;
  }
}

TEST(GoNumbersTest, WhatIsTooLargeIsRefusedWhatIsTooSmallIsZero) {
  for (const char* large : {"1e309", "-1e400", "0x1p1024", "1e99999999999999999999"}) {
    EXPECT_EQ(FloatError(large), "value out of range") << large;
  }
  EXPECT_EQ(FloatError(std::string(400, '9')), "value out of range");
  for (const char* small : {"1e-400", "0x1p-2000", "1e-99999999999999999999"}) {
    EXPECT_EQ(*ParseGoFloat(small), 0) << small;
  }
  EXPECT_EQ(*ParseGoFloat("0." + std::string(400, '0') + "1"), 0);
  EXPECT_EQ(*ParseGoFloat("0." + std::string(400, '0') + "1e401"), 1);
}

TEST(GoNumbersTest, IntegersSayTheirBase) {
  EXPECT_EQ(*ParseGoInt("-42"), -42);
  EXPECT_EQ(*ParseGoInt("010"), 8);
  EXPECT_EQ(*ParseGoInt("0o17"), 15);
  EXPECT_EQ(*ParseGoInt("0b101"), 5);
  EXPECT_EQ(*ParseGoInt("0x_1F"), 31);
  EXPECT_EQ(*ParseGoInt("1_000"), 1000);
  EXPECT_EQ(*ParseGoInt("0"), 0);
  EXPECT_EQ(*ParseGoInt("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(ParseGoInt("9223372036854775808").error().message, "value out of range");
  for (const char* bad : {"", "-", "08", "0x", "1.0", "1_", "0x1_", "--1", "a"}) {
    EXPECT_EQ(ParseGoInt(bad).ok(), false) << bad;
  }
}

TEST(GoNumbersTest, PlainYamlScalarsMayBeNumbers) {
  for (const auto& [text, value] :
       std::vector<std::pair<const char*, double>>{{"5", 5},
                                                   {"+5", 5},
                                                   {"010", 8},
                                                   {"0o10", 8},
                                                   {"0x10", 16},
                                                   {"0b11", 3},
                                                   {"1_000", 1000},
                                                   {"1e3", 1000},
                                                   {"5.7", 5.7},
                                                   {".5", 0.5},
                                                   {"-.INF", -kInfinity},
                                                   {"+.inf", kInfinity},
                                                   {"08", 8}}) {
    EXPECT_EQ(ParseYamlNumber(text), value) << text;
  }
  EXPECT_TRUE(std::isnan(*ParseYamlNumber(".NaN")));
  for (const char* text : {"", "Inf", "nan", "-nan", "+.nan", "0x1p4", "5s", "1:30", "~", "true",
                           "five", "-", "1e400"}) {
    EXPECT_EQ(ParseYamlNumber(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace tocsin
