#include "daemon/api/request_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

#include "tests/support/sim_clock.h"

namespace tocsin::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using Body = RequestReader::Body;

constexpr Millis kLimit{200};

// Two ends of a connection, of which a reader has one.
class Line {
 public:
  Line() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()), 0); }
  ~Line() {
    for (const int end : ends_) close(end);
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  int served() const { return ends_[0]; }
  void Send(std::string_view bytes) {
    EXPECT_EQ(send(ends_[1], bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void SendNoMore() { shutdown(ends_[1], SHUT_WR); }
  std::string Arrived() {
    std::array<char, 4096> bytes;
    const ssize_t received = recv(ends_[1], bytes.data(), bytes.size(), MSG_DONTWAIT);
    return received > 0 ? std::string(bytes.data(), static_cast<std::size_t>(received)) : "";
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

class RequestReaderTest : public ::testing::Test {
 protected:
  Line line_;
  SystemClock clock_;
  ConnectionStream stream_{line_.served(), {kLimit, kLimit}, clock_};
  RequestReader reader_{stream_, clock_};
  RequestHead head_;
  std::string body_;
};

TEST_F(RequestReaderTest, ReadsOneRequestBehindTheOther) {
  line_.Send(
      "POST /a%20b?x=1&y HTTP/1.1\r\nHost: h\r\nX-Name:  padded value \r\nContent-Length: 5\r\n\r\n"
      "bytes\r\nGET / HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(reader_.ReadHead(head_));
  EXPECT_EQ(head_.method, "POST");
  EXPECT_EQ(head_.target, "/a%20b?x=1&y");
  EXPECT_THAT(head_.headers, ElementsAre(Pair("Host", "h"), Pair("X-Name", "padded value"),
                                         Pair("Content-Length", "5")));
  EXPECT_EQ(head_.Header("x-name"), "padded value");
  EXPECT_TRUE(head_.keeps_connection);
  EXPECT_FALSE(reader_.done());
  EXPECT_EQ(reader_.ReadBody(5, body_), Body::kWhole);
  EXPECT_EQ(body_, "bytes");
  EXPECT_TRUE(reader_.done());

  ASSERT_TRUE(reader_.ReadHead(head_)) << "the line break between them is nobody's fault";
  EXPECT_EQ(head_.method, "GET");
  EXPECT_TRUE(head_.headers.empty());
  EXPECT_FALSE(head_.keeps_connection);
  EXPECT_TRUE(reader_.done());
  EXPECT_EQ(reader_.ReadBody(0, body_), Body::kWhole) << "it has none";
}

TEST_F(RequestReaderTest, ItMayComeByteByByte) {
  const std::string request =
      "POST /p HTTP/1.1\r\nA: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nBehind: it\r\n\r\n";
  std::thread asking([&] {
    for (const char byte : request) {
      line_.Send({&byte, 1});
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  EXPECT_TRUE(reader_.ReadHead(head_));
  EXPECT_EQ(reader_.ReadBody(5, body_), Body::kWhole);
  asking.join();
  EXPECT_EQ(body_, "abcde");
  EXPECT_THAT(head_.headers, ElementsAre(Pair("A", "1"), Pair("Transfer-Encoding", "chunked")));
}

// Each of these bytes may be the last one of a packet.
TEST_F(RequestReaderTest, AnEmptyBodyInChunksMayComeInAnyPieces) {
  const std::string request = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  for (std::size_t first = request.size() - 5; first < request.size(); ++first) {
    for (std::size_t second = first; second < request.size(); ++second) {
      Line line;
      ConnectionStream stream(line.served(), {kLimit, kLimit}, clock_);
      RequestReader reader(stream, clock_);
      line.Send(request.substr(0, first));
      ASSERT_TRUE(reader.ReadHead(head_));
      std::thread asking([&] {
        for (const auto& piece : {request.substr(first, second - first), request.substr(second)}) {
          std::this_thread::sleep_for(Millis(3));
          if (!piece.empty()) line.Send(piece);
        }
      });
      EXPECT_EQ(reader.ReadBody(10, body_), Body::kWhole);
      asking.join();
    }
  }
}

TEST_F(RequestReaderTest, ABodyThatIsTooLargeIsReadButNotKept) {
  line_.Send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
  std::thread asking([&] {
    for (int i = 0; i < 100; ++i) line_.Send("1000\r\n" + std::string(0x1000, 'x') + "\r\n");
    line_.Send("0\r\n\r\n");
  });
  ASSERT_TRUE(reader_.ReadHead(head_));
  EXPECT_EQ(reader_.ReadBody(0x1000, body_), Body::kTooLarge);
  asking.join();
  EXPECT_TRUE(reader_.done());
  EXPECT_EQ(body_, "");
}

TEST_F(RequestReaderTest, ABodyThatBreaksOffIsNotTakenForABrokenOne) {
  const std::vector<std::pair<std::string, Body>> bodies = {
      {"Content-Length: 9\r\n\r\nshort", Body::kCutShort},
      {"Transfer-Encoding: chunked\r\n\r\n5\r\nabc", Body::kCutShort},
      {"Transfer-Encoding: chunked\r\n\r\nx\r\n", Body::kBroken},
      {"Transfer-Encoding: chunked\r\n\r\n2\r\nabcdef", Body::kBroken}};
  for (const auto& [rest, outcome] : bodies) {
    Line line;
    ConnectionStream stream(line.served(), {kLimit, kLimit}, clock_);
    RequestReader reader(stream, clock_);
    line.Send("POST / HTTP/1.1\r\n" + rest);
    line.SendNoMore();
    ASSERT_TRUE(reader.ReadHead(head_));
    EXPECT_EQ(reader.ReadBody(100, body_), outcome) << rest;
    EXPECT_FALSE(reader.done());
  }
}

TEST_F(RequestReaderTest, WhoWaitsForAWordBeforeTheBodyGetsItOnce) {
  line_.Send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  ASSERT_TRUE(reader_.ReadHead(head_));
  EXPECT_EQ(line_.Arrived(), "");
  std::string answered;
  std::thread asking([&] {
    while (answered.empty()) answered = line_.Arrived();
    line_.Send("body");
  });
  EXPECT_EQ(reader_.ReadBody(4, body_), Body::kWhole);
  asking.join();
  EXPECT_EQ(answered, "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(body_, "body");
}

TEST_F(RequestReaderTest, WhoseBodyIsNotWantedIsNotAskedForIt) {
  line_.Send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  ASSERT_TRUE(reader_.ReadHead(head_));
  EXPECT_EQ(reader_.ReadBody(0, body_), Body::kTooLarge);
  EXPECT_EQ(line_.Arrived(), "");
  EXPECT_FALSE(reader_.done());
}

TEST_F(RequestReaderTest, ABodyThatSaysItIsFarTooLargeIsNotWaitedFor) {
  line_.Send("POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n");
  ASSERT_TRUE(reader_.ReadHead(head_));
  EXPECT_EQ(reader_.ReadBody(1'000, body_), Body::kTooLarge);
}

// A client must not hold a worker by dripping.
TEST_F(RequestReaderTest, OneLineBreakMayComeBeforeARequestAndNoMore) {
  line_.Send("\r");
  std::thread asking([&] {
    std::this_thread::sleep_for(Millis(20));
    line_.Send("\nGET / HTTP/1.1\r\n\r\n");
  });
  EXPECT_TRUE(reader_.ReadHead(head_));
  asking.join();
  line_.Send("\r\n\r\nGET / HTTP/1.1\r\n\r\n");
  EXPECT_FALSE(reader_.ReadHead(head_));
  ASSERT_TRUE(reader_.refusal().has_value());
  EXPECT_EQ(reader_.refusal()->status, 400);
}

// Each byte comes long before the connection's limit for silence.
TEST_F(RequestReaderTest, AHeadThatDripsEndsAtItsLimit) {
  testing::SimClock clock;
  const SteadyTime begin = clock.SteadyNow();
  const SteadyTime really_begin = clock_.SteadyNow();
  ConnectionStream stream(line_.served(), {Millis(20'000), kLimit}, clock);
  RequestReader reader(stream, clock);
  std::thread asking([&] {
    for (int i = 0; i < 12; ++i) {
      line_.Send("G");
      std::this_thread::sleep_for(Millis(5));
      clock.Advance(Millis(1'000));
    }
  });
  EXPECT_FALSE(reader.ReadHead(head_));
  asking.join();
  EXPECT_FALSE(reader.refusal().has_value());
  EXPECT_GE(clock.SteadyNow(), begin + RequestReader::kHeadLimit);
  EXPECT_LT(clock_.SteadyNow() - really_begin, Millis(10'000)) << "it waited for more";
}

TEST_F(RequestReaderTest, TheEndIsNoMistake) {
  line_.SendNoMore();
  EXPECT_FALSE(reader_.ReadHead(head_));
  EXPECT_FALSE(reader_.refusal().has_value());
}

// The status with which a request is refused; 0 if it is not.
int RefusalOf(const std::string& request) {
  Line line;
  SystemClock clock;
  ConnectionStream stream(line.served(), {kLimit, kLimit}, clock);
  RequestReader reader(stream, clock);
  std::thread asking([&] {
    line.Send(request);
    line.SendNoMore();
  });
  RequestHead head;
  const bool read = reader.ReadHead(head);
  stream.Discard();
  asking.join();
  EXPECT_EQ(read, !reader.refusal().has_value()) << request.substr(0, 100);
  EXPECT_TRUE(read || !reader.done()) << "what is behind it is no request";
  return read ? 0 : reader.refusal()->status;
}

TEST(RequestRefusalTest, WhatCanBeReadInTwoWaysIsRefused) {
  const std::string post = "POST / HTTP/1.1\r\n";
  EXPECT_EQ(RefusalOf(post + "Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody"), 0);
  EXPECT_EQ(RefusalOf(post + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody"), 400);
  EXPECT_EQ(RefusalOf(post + "Content-Length: -4\r\n\r\nbody"), 400);
  EXPECT_EQ(RefusalOf(post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(RefusalOf(post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"), 400);
  EXPECT_EQ(RefusalOf(post + "Transfer-Encoding: gzip\r\n\r\n"), 501);
  EXPECT_EQ(RefusalOf(post + "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501);
  EXPECT_EQ(RefusalOf(post + "Transfer-Encoding:\r\nTransfer-Encoding: gzip\r\n\r\n"), 501);
  EXPECT_EQ(RefusalOf(post + "Transfer-Encoding:\r\nContent-Length: 4\r\n\r\nbody"), 501);
  EXPECT_EQ(RefusalOf("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 501);
  EXPECT_EQ(RefusalOf(post + "Content-Length : 4\r\n\r\nbody"), 400);
  EXPECT_EQ(RefusalOf(post + "no colon\r\n\r\n"), 400);
  EXPECT_EQ(RefusalOf(post + "A: b" + std::string(1, '\0') + "c\r\n\r\n"), 400);
  EXPECT_EQ(RefusalOf(post + "Expect: a miracle\r\n\r\n"), 417);
}

TEST(RequestRefusalTest, OnlyHttp1IsSpoken) {
  EXPECT_EQ(RefusalOf("GET / HTTP/1.1\r\n\r\n"), 0);
  EXPECT_EQ(RefusalOf("BREW /pot HTTP/1.1\r\n\r\n"), 0) << "a method is somebody else's matter";
  EXPECT_EQ(RefusalOf("GET /a b HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(RefusalOf("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 400);
  EXPECT_EQ(RefusalOf("\x16\x03\x01 no TLS here\r\n\r\n"), 400);
}

TEST(RequestRefusalTest, AHeadHasALimit) {
  const std::string get = "GET / HTTP/1.1\r\n";
  constexpr std::size_t kMost = RequestReader::kMaxHeadBytes;
  EXPECT_EQ(RefusalOf("GET /?query=" + std::string(kMost / 2, 'q') + " HTTP/1.1\r\n\r\n"), 0);
  EXPECT_EQ(RefusalOf("GET /?query=" + std::string(kMost, 'q') + " HTTP/1.1\r\n\r\n"), 431);
  EXPECT_EQ(RefusalOf(get + "A: " + std::string(kMost, 'a') + "\r\n\r\n"), 431);
  std::string many = get;
  while (many.size() <= kMost + 100) many += "Name: value\r\n";
  EXPECT_EQ(RefusalOf(many + "\r\n"), 431);
}

}  // namespace
}  // namespace tocsin::api
