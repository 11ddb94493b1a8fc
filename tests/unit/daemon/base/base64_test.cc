#include "daemon/base/base64.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace {

TEST(Base64Test, EachLengthHasItsPadding) {
  struct Row {
    std::string bytes;
    const char* text;
    const char* url;
  };
  const Row rows[] = {{"", "", ""},
                      {"f", "Zg==", "Zg=="},
                      {"fo", "Zm8=", "Zm8="},
                      {"foo", "Zm9v", "Zm9v"},
                      {"foob", "Zm9vYg==", "Zm9vYg=="},
                      {std::string("\xfb\xff\0\x3f", 4), "+/8APw==", "-_8APw=="}};
  for (const Row& row : rows) {
    EXPECT_EQ(EncodeBase64(row.bytes), row.text);
    EXPECT_EQ(DecodeBase64(row.text).value(), row.bytes);
    EXPECT_EQ(EncodeBase64(row.bytes, Base64Alphabet::kUrl), row.url);
    EXPECT_EQ(DecodeBase64(row.url, Base64Alphabet::kUrl).value(), row.bytes);
  }
}

TEST(Base64Test, WhatIsNoneIsRefusedAtItsFirstWrongByte) {
  struct Row {
    const char* text;
    const char* at;
  };
  constexpr Row kRows[] = {{"Zg", "2"},     {"Zg=", "2"},   {"Z===", "1"}, {"====", "0"},
                           {"Zg==Zg", "2"}, {"Zm=v", "2"},  {"Zm9 ", "3"}, {"Zm9vY", "5"},
                           {"-_8=", "0"},   {"Zg==\n", "2"}};
  for (const Row& row : kRows) {
    const auto decoded = DecodeBase64(row.text);
    ASSERT_FALSE(decoded.ok()) << row.text;
    EXPECT_EQ(decoded.error().message, std::string("illegal base64 data at input byte ") + row.at)
        << row.text;
  }
}

}  // namespace
}  // namespace tocsin
