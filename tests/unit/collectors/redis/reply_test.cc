#include "collectors/redis/reply.h"

#include <gtest/gtest.h>

namespace tocsin::collectors::redis {
namespace {

TEST(ReplyReaderTest, NestedRepliesAreReadByteByByte) {
  ReplyReader reader;
  std::string bytes = "*4\r\n$3\r\nfoo\r\n:42\r\n*2\r\n+OK\r\n$-1\r\n*0\r\n-ERR no\r\n";
  std::vector<Reply> replies;
  for (char byte : bytes) {
    ASSERT_TRUE(reader.Feed({&byte, 1}).ok());
    auto reply = reader.Next();
    ASSERT_TRUE(reply.ok()) << reply.error().message;
    if (reply->has_value()) replies.push_back(std::move(**reply));
  }
  ASSERT_EQ(replies.size(), 2U);
  const Reply& array = replies[0];
  ASSERT_EQ(array.elements.size(), 4U);
  EXPECT_EQ(array.elements[0].text, "foo");
  EXPECT_EQ(array.elements[1].integer, 42);
  EXPECT_EQ(array.elements[2].elements[0].type, Reply::Type::kStatus);
  EXPECT_EQ(array.elements[2].elements[1].type, Reply::Type::kNil);
  EXPECT_TRUE(array.elements[3].IsArray());
  EXPECT_EQ(replies[1].ErrorWord(), "ERR");
}

TEST(ReplyReaderTest, PairsAreFoundByName) {
  ReplyReader reader;
  ASSERT_TRUE(reader.Feed("*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n:7\r\n").ok());
  auto reply = reader.Next();
  ASSERT_TRUE(reply.ok() && reply->has_value());
  ASSERT_NE((**reply).FindPair("c"), nullptr);
  EXPECT_EQ((**reply).FindPair("c")->integer, 7);
  EXPECT_EQ((**reply).FindPair("b"), nullptr);
}

TEST(ReplyReaderTest, AnotherProtocolIsCorruption) {
  ReplyReader reader;
  ASSERT_TRUE(reader.Feed("HTTP/1.1 400 Bad Request\r\n\r\n").ok());
  auto reply = reader.Next();
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().code, ErrorCode::kCorruption);
}

TEST(ReplyReaderTest, HugeArrayIsRefusedBeforeItIsMade) {
  for (const char* bytes : {"*2147483647\r\n", "*99999\r\n*99999\r\n"}) {
    ReplyReader reader;
    ASSERT_TRUE(reader.Feed(bytes).ok());
    auto reply = reader.Next();
    ASSERT_FALSE(reply.ok()) << bytes;
    EXPECT_EQ(reply.error().code, ErrorCode::kResourceExhausted);
  }
}

TEST(ReplyReaderTest, EndlessReplyIsCutAtTheLimit) {
  ReplyReader reader;
  ASSERT_TRUE(reader.Feed("$2000000000\r\n").ok());
  std::string chunk(1 << 20, 'x');
  for (int i = 0; i < 64; ++i) {
    auto fed = reader.Feed(chunk);
    if (!fed.ok()) {
      EXPECT_EQ(fed.error().code, ErrorCode::kResourceExhausted);
      return;
    }
    ASSERT_TRUE(reader.Next().ok());
  }
  FAIL() << "no limit was met";
}

TEST(ReplyReaderTest, LimitCountsOneReplyAndNotTheConnection) {
  ReplyReader reader;
  std::string reply = "$1000000\r\n" + std::string(1'000'000, 'x') + "\r\n";
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(reader.Feed(reply).ok()) << i;
    auto next = reader.Next();
    ASSERT_TRUE(next.ok() && next->has_value());
  }
}

TEST(FormatCommandTest, WordsMayHoldAnyByte) {
  EXPECT_EQ(FormatCommand({"PTTL", std::string("a\r\n\0b", 5)}),
            std::string("*2\r\n$4\r\nPTTL\r\n$5\r\na\r\n\0b\r\n", 25));
}

}  // namespace
}  // namespace tocsin::collectors::redis
