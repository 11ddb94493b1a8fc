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

  std::array<int, 2> ends_{-1, -1};
};

TEST_F(ConnectionStreamTest, HeadAndBodyLeaveTogether) {
  ConnectionStream stream(ends_[0], {kLimit, kLimit});
  EXPECT_EQ(stream.write("head ", 5), 5);
  EXPECT_EQ(stream.write("body", 4), 4);
  EXPECT_EQ(Arrived(), "");
  EXPECT_TRUE(stream.Flush());
  EXPECT_EQ(Arrived(), "head body");
  EXPECT_TRUE(stream.Flush());
  EXPECT_EQ(Arrived(), "");
}

TEST_F(ConnectionStreamTest, ALargeBodyLeavesAtOnceBehindItsHead) {
  ConnectionStream stream(ends_[0], {kLimit, kLimit});
  const std::string body(50'000, 'b');
  stream.write("head ", 5);
  EXPECT_EQ(stream.write(body.data(), body.size()), 50'000);
  EXPECT_EQ(Arrived(), "head " + body);
}

TEST_F(ConnectionStreamTest, WhatIsTakenSlowlyArrivesWhole) {
  ConnectionStream stream(ends_[0], {kLimit, kLimit});
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
  stream.write("head ", 5);
  EXPECT_EQ(stream.write(body.data(), body.size()), static_cast<ssize_t>(body.size()));
  asking.join();
  EXPECT_EQ(taken, "head " + body);
}

TEST_F(ConnectionStreamTest, WhoTakesNothingIsGivenUpAfterTheLimit) {
  ConnectionStream stream(ends_[0], {kLimit, kLimit});
  const std::string body(8 << 20, 'b');
  EXPECT_EQ(stream.write(body.data(), body.size()), -1);
}

TEST_F(ConnectionStreamTest, WhoHungUpCostsNoSignal) {
  ConnectionStream stream(ends_[0], {kLimit, kLimit});
  HangUp();
  stream.write("answer", 6);
  EXPECT_FALSE(stream.Flush());
}

TEST_F(ConnectionStreamTest, ReadsWhatCameInPiecesOfAnySize) {
  ConnectionStream stream(ends_[0], {kLimit, kLimit});
  Ask("request");
  EXPECT_TRUE(stream.WaitForRequest(Millis(1)));
  std::string text(3, ' ');
  EXPECT_EQ(stream.read(text.data(), 3), 3);
  EXPECT_EQ(text, "req");
  EXPECT_TRUE(stream.WaitForRequest(Millis(1))) << "the rest of it is here already";
  text.assign(10, ' ');
  EXPECT_EQ(stream.read(text.data(), 10), 4);
  EXPECT_EQ(text.substr(0, 4), "uest");
  EXPECT_FALSE(stream.WaitForRequest(Millis(1)));
}

// "100 Continue" must arrive before the body that waits for it can come.
TEST_F(ConnectionStreamTest, SaysWhatItHasToSayBeforeItListens) {
  ConnectionStream stream(ends_[0], {Millis(20), kLimit});
  stream.write("continue", 8);
  char byte = 0;
  EXPECT_EQ(stream.read(&byte, 1), -1) << "nothing comes";
  EXPECT_EQ(Arrived(), "continue");
}

TEST_F(ConnectionStreamTest, TheEndIsNotAnError) {
  ConnectionStream stream(ends_[0], {kLimit, kLimit});
  HangUp();
  char byte = 0;
  EXPECT_TRUE(stream.WaitForRequest(Millis(1)));
  EXPECT_EQ(stream.read(&byte, 1), 0);
}

}  // namespace
}  // namespace tocsin::api
