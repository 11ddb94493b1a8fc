#include "daemon/base/gzip.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace tocsin {
namespace {

std::string Noise(std::size_t size) {
  std::mt19937 random(7);
  std::string bytes(size, ' ');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

TEST(GzipTest, WhatIsPackedCanBeUnpacked) {
  for (const std::string& text :
       {std::string(), std::string("short"), std::string(3'000'000, 'x'), Noise(300'000)}) {
    const std::string packed = Gzip(text);
    const auto unpacked = Gunzip(packed, text.size());
    ASSERT_TRUE(unpacked.ok()) << unpacked.error().message;
    EXPECT_EQ(*unpacked, text);
  }
  EXPECT_LT(Gzip(std::string(3'000'000, 'x')).size(), 30'000u);
}

TEST(GzipTest, MembersFollowEachOther) {
  const auto unpacked = Gunzip(Gzip("one ") + Gzip("") + Gzip("two"), 100);
  ASSERT_TRUE(unpacked.ok()) << unpacked.error().message;
  EXPECT_EQ(*unpacked, "one two");
}

TEST(GzipTest, AFloodStopsAtTheLimit) {
  const auto unpacked = Gunzip(Gzip(std::string(50'000'000, 'x')), 1'000'000);
  ASSERT_FALSE(unpacked.ok());
  EXPECT_EQ(unpacked.error().code, ErrorCode::kResourceExhausted);
}

TEST(GzipTest, WhatIsNoGzipOrEndsTooEarlyIsAnError) {
  const std::string packed = Gzip(Noise(1'000));
  std::string wrong = packed;
  wrong[500] = static_cast<char>(wrong[500] ^ 1);
  for (const std::string& text :
       {std::string(), std::string("plain text"), packed.substr(0, 500), wrong, packed + "x"}) {
    const auto unpacked = Gunzip(text, 10'000);
    ASSERT_FALSE(unpacked.ok());
    EXPECT_EQ(unpacked.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace tocsin
