#include "daemon/api/connection_stream.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

namespace tocsin::api {
namespace {

constexpr Millis kLimit{200};

class ConnectionStreamTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()), 0); }
  void TearDown() override {
    for (const int end : ends_) {
      if (end >= 0) close(end);
    }
  }

  // What has arrived at the asking side, without waiting.
  std::string Arrived() {
    std::array<char, 256 << 10> bytes;
    const ssize_t received = recv(ends_[1], bytes.data(), bytes.size(), MSG_DONTWAIT);
    return received > 0 ? std::string(bytes.data(), static_cast<std::size_t>(received)) : "";
  }
  void Ask(const std::string& text) {
    ASSERT_EQ(send(ends_[1], text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  void HangUp() {
    close(ends_[1]);
    ends_[1] = -1;
  }

  Deadline Soon() const { return {clock_, clock_.SteadyNow() + kLimit}; }

  std::array<int, 2> ends_{-1, -1};
  SystemClock clock_;
};

TEST_F(ConnectionStreamTest, HeadAndBodyLeaveTogether) {
  ConnectionStream stream(ends_[0], {kLimit, kLimit}, clock_);
  EXPECT_TRUE(stream.Write("head "));
  EXPECT_TRUE(stream.Write("body"));
  EXPECT_EQ(Arrived(), "");
  EXPECT_TRUE(stream.Flush());
  EXPECT_EQ(Arrived(), "head body");
  EXPECT_TRUE(stream.Flush());
  EXPECT_EQ(Arrived(), "");
}

TEST_F(ConnectionStreamTest, ALargeBodyLeavesAtOnceBehindItsHead) {
  ConnectionStream stream(ends_[0], {kLimit, kLimit}, clock_);
  const std::string body(50'000, 'b');
  stream.Write("head ");
  EXPECT_TRUE(stream.Write(body));
  EXPECT_EQ(Arrived(), "head " + body);
}

TEST_F(ConnectionStreamTest, WhatIsTakenSlowlyArrivesWhole) {
  ConnectionStream stream(ends_[0], {kLimit, kLimit}, clock_);
  std::string body(4 << 20, ' ');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  std::string taken;
  std::thread asking([&] {
    std::array<char, 1000> bytes;
    while (taken.size() < body.size() + 5) {
      const ssize_t received = recv(ends_[1], bytes.data(), bytes.size(), 0);
      if (received <= 0) return;
      taken.append(bytes.data(), static_cast<std::size_t>(received));
    }
  });
  stream.Write("head ");
  EXPECT_TRUE(stream.Write(body));
  asking.join();
  EXPECT_EQ(taken, "head " + body);
}

TEST_F(ConnectionStreamTest, WhoTakesNothingIsGivenUpAfterTheLimit) {
  ConnectionStream stream(ends_[0], {kLimit, kLimit}, clock_);
  const std::string body(8 << 20, 'b');
  EXPECT_FALSE(stream.Write(body));
}

TEST_F(ConnectionStreamTest, WhoHungUpCostsNoSignal) {
  ConnectionStream stream(ends_[0], {kLimit, kLimit}, clock_);
  HangUp();
  stream.Write("answer");
  EXPECT_FALSE(stream.Flush());
}

TEST_F(ConnectionStreamTest, WhatCameStandsUntilItIsConsumed) {
  ConnectionStream stream(ends_[0], {kLimit, kLimit}, clock_);
  Ask("request");
  EXPECT_TRUE(stream.WaitForRequest(Millis(1)));
  EXPECT_EQ(stream.received(), "request");
  stream.Consume(3);
  EXPECT_EQ(stream.received(), "uest");
  EXPECT_TRUE(stream.WaitForRequest(Millis(1))) << "the rest of it is here already";
  Ask(" and more");
  EXPECT_TRUE(stream.Receive(Soon()));
  EXPECT_EQ(stream.received(), "uest and more");
  stream.Consume(13);
  EXPECT_FALSE(stream.WaitForRequest(Millis(1)));
}

// However much comes, and wherever in the buffer what was consumed ends.
TEST_F(ConnectionStreamTest, ALargeHeadStaysInOnePiece) {
  ConnectionStream stream(ends_[0], {kLimit, kLimit}, clock_);
  std::string sent;
  std::size_t consumed = 0;
  for (std::size_t round = 0; round < 40; ++round) {
    std::string part(7'001, static_cast<char>('a' + round % 26));
    Ask(part);
    sent += part;
    while (consumed + stream.received().size() < sent.size()) ASSERT_TRUE(stream.Receive(Soon()));
    ASSERT_EQ(stream.received(), std::string_view(sent).substr(consumed)) << round;
    if (round % 5 == 4) {
      const std::size_t size = round % 10 == 9 ? stream.received().size() : 9'999;
      stream.Consume(size);
      consumed += size;
    }
  }
}

// "100 Continue" must arrive before the body that waits for it can come.
TEST_F(ConnectionStreamTest, SaysWhatItHasToSayBeforeItListens) {
  ConnectionStream stream(ends_[0], {Millis(20), kLimit}, clock_);
  stream.Write("continue");
  EXPECT_FALSE(stream.Receive(Soon())) << "nothing comes";
  EXPECT_EQ(Arrived(), "continue");
}

TEST_F(ConnectionStreamTest, TheEndIsThereToBeRead) {
  ConnectionStream stream(ends_[0], {kLimit, kLimit}, clock_);
  HangUp();
  EXPECT_TRUE(stream.WaitForRequest(Millis(1)));
  EXPECT_FALSE(stream.Receive(Soon()));
}

}  // namespace
}  // namespace tocsin::api
