#include "daemon/api/response_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "daemon/base/gzip.h"

namespace tocsin::api {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Written(const Response& response, AnswerForm form) {
  std::array<int, 2> ends;
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const SystemClock clock;
  ConnectionStream stream(ends[0], {Millis(200), Millis(200)}, clock);
  EXPECT_TRUE(WriteResponse(response, form, stream) && stream.Flush());
  std::array<char, 64 << 10> bytes;
  const ssize_t received = recv(ends[1], bytes.data(), bytes.size(), MSG_DONTWAIT);
  for (const int end : ends) close(end);
  return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(received, 0))};
}

const WallTime kNow = FromUnixMillis(1'700'000'000'000);

TEST(ResponseWriterTest, SaysWhatItIsAndHowLong) {
  const Response response{404, "text/plain", "nothing\n", {{"Allow", "GET"}}};
  EXPECT_EQ(Written(response, {.close = true, .now = kNow}),
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n"
            "Vary: Accept-Encoding\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\nAllow: "
            "GET\r\nContent-Length: 8\r\n"
            "Connection: close\r\n\r\nnothing\n");
  EXPECT_THAT(Written(response, {.now = kNow}), HasSubstr("Connection: keep-alive\r\n"));
}

TEST(ResponseWriterTest, AHeadHasTheLengthOfTheBodyThatItDoesNotSend) {
  const std::string answer = Written({200, "text/plain", "body", {}}, {.head_only = true});
  EXPECT_THAT(answer, HasSubstr("Content-Length: 4\r\n"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST(ResponseWriterTest, NoContentHasNoLength) {
  EXPECT_THAT(Written({204, "", "", {}}, {.gzip = true}),
              Not(AnyOf(HasSubstr("Content-"), HasSubstr("Vary"))));
}

TEST(ResponseWriterTest, TextsArePackedForThoseWhoReadIt) {
  const std::string text(5'000, 't');
  const std::string answer = Written({200, "text/plain", text, {}}, {.gzip = true});
  EXPECT_THAT(answer, HasSubstr("Content-Encoding: gzip\r\n"));
  const std::string body = answer.substr(answer.find("\r\n\r\n") + 4);
  EXPECT_THAT(answer, HasSubstr("Content-Length: " + std::to_string(body.size()) + "\r\n"));
  const auto unpacked = Gunzip(body, text.size());
  ASSERT_TRUE(unpacked.ok()) << unpacked.error().message;
  EXPECT_EQ(*unpacked, text);
  EXPECT_THAT(Written({200, "text/plain", text, {}}, {}), HasSubstr(text));
}

TEST(ResponseWriterTest, OnlyWhoAsksForGzipGetsIt) {
  for (const char* yes : {"gzip", "deflate, gzip", "br;q=1.0, GZIP ; q=0.5", "gzip;level=1"}) {
    EXPECT_TRUE(AcceptsGzip(yes)) << yes;
  }
  for (const char* no : {"", "br", "gzip;q=0", "gzip;q=0.000", "gzip; q=x", "x-gzip", "identity"}) {
    EXPECT_FALSE(AcceptsGzip(no)) << no;
  }
}

}  // namespace
}  // namespace tocsin::api
