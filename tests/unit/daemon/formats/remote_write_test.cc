#include "daemon/formats/remote_write.h"

#include <gtest/gtest.h>

#include <bit>

namespace tocsin::formats {
namespace {

constexpr std::int64_t kLimitBytes = 1 << 20;

TEST(RemoteWriteTest, WhatIsEncodedIsDecoded) {
  const std::vector<RemoteWriteSeries> sent = {
      {{{"__name__", "up"}, {"job", "a\nb"}}, {{0, 1}, {-5, 0.1}}},
      {{{"__name__", "x"}}, {{1'700'000'000'000, model::StaleMarker()}}}};
  const auto decoded = DecodeRemoteWrite(EncodeRemoteWrite(sent), kLimitBytes);
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  ASSERT_EQ(decoded->size(), 2u);
  EXPECT_EQ((*decoded)[0].labels, sent[0].labels);
  EXPECT_EQ((*decoded)[0].samples[1].time_ms, -5);
  EXPECT_EQ((*decoded)[0].samples[1].value, 0.1);
  EXPECT_TRUE(model::IsStaleMarker((*decoded)[1].samples[0].value));
}

TEST(RemoteWriteTest, RefusesGarbageAndBombs) {
  EXPECT_EQ(DecodeRemoteWrite("garbage", kLimitBytes).error().code, ErrorCode::kCorruption);
  EXPECT_EQ(DecodeRemoteWrite("", kLimitBytes).error().code, ErrorCode::kCorruption);
  std::vector<RemoteWriteSeries> many(10'000, {{{"__name__", "same"}}, {{1, 1}}});
  const std::string body = EncodeRemoteWrite(many);
  EXPECT_TRUE(DecodeRemoteWrite(body, kLimitBytes).ok());
  EXPECT_EQ(DecodeRemoteWrite(body, 1000).error().code, ErrorCode::kResourceExhausted);
}

TEST(RemoteWriteTest, RefusesSeriesWithoutAName) {
  const std::vector<RemoteWriteSeries> sent = {{{{"job", "a"}}, {{0, 1}}}};
  const auto decoded = DecodeRemoteWrite(EncodeRemoteWrite(sent), kLimitBytes);
  ASSERT_FALSE(decoded.ok());
  EXPECT_EQ(decoded.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(decoded.error().message, "series {job=\"a\"} has no __name__");
}

}  // namespace
}  // namespace tocsin::formats
