#include <gtest/gtest.h>

#include "collectors/redis/address.h"
#include "collectors/redis/redis.h"

namespace tocsin::collectors::redis {
namespace {

TEST(ParseRedisUrlTest, FormsThatClientsKnowAreRead) {
  auto plain = ParseRedisUrl("redis://127.0.0.1");
  ASSERT_TRUE(plain.ok()) << plain.error().message;
  EXPECT_EQ(plain->Instance(), "127.0.0.1:6379");
  EXPECT_FALSE(plain->use_tls);

  auto full = ParseRedisUrl("rediss://moni%40tor:p%3Aw@[::1]:7000/3");
  ASSERT_TRUE(full.ok()) << full.error().message;
  EXPECT_EQ(full->Instance(), "[::1]:7000");
  EXPECT_EQ(full->user, "moni@tor");
  EXPECT_EQ(full->password.Reveal(), "p:w");
  EXPECT_EQ(full->database, 3);
  EXPECT_TRUE(full->use_tls);

  auto local = ParseRedisUrl("unix:///run/redis/redis.sock?db=2");
  ASSERT_TRUE(local.ok()) << local.error().message;
  EXPECT_EQ(local->Instance(), "/run/redis/redis.sock");
  EXPECT_EQ(local->database, 2);
}

TEST(ParseRedisUrlTest, WrongOnesAreRefusedWithoutQuotingThem) {
  for (const char* url :
       {"http://hunter2@x", "redis://", "redis://:hunter2@", "redis://:hunter2@h:0",
        "redis://:hunter2@h:99999", "redis://:hunter2@h/x", "redis://:hunter%2@h",
        "redis://:hunter2@::1", "redis://:hunter2@[::1", "unix://hunter2", "unix:///a?hunter2=1"}) {
    auto parsed = ParseRedisUrl(url);
    ASSERT_FALSE(parsed.ok()) << url;
    EXPECT_EQ(parsed.error().message.find("hunter"), std::string::npos) << parsed.error().message;
  }
}

class ParseRedisTargetTest : public ::testing::Test {
 protected:
  ParsedTarget Parse(std::string_view yaml) {
    ConfigReader reader(ConfigNode::Parse(yaml, "t.yaml", ConfigNode::Expand::kNothing, errors_),
                        errors_);
    ParsedTarget target = ParseRedisTarget(reader, files_);
    reader.Finish();
    return target;
  }
  std::vector<std::string> Messages() {
    std::vector<std::string> messages;
    for (const ConfigError& error : errors_.errors()) {
      messages.push_back(error.path + ": " + error.message);
    }
    return messages;
  }

  PosixFileSystem files_;
  ConfigErrors errors_;
};

TEST_F(ParseRedisTargetTest, AddressHoldsNoCredential) {
  ParsedTarget target = Parse("{url: 'rediss://u:hunter2@cache.example:7000/3'}");
  EXPECT_TRUE(errors_.empty()) << errors_.Text();
  EXPECT_EQ(target.instance, "cache.example:7000");
  EXPECT_EQ(target.address, "rediss://cache.example:7000 database 3");
}

TEST_F(ParseRedisTargetTest, EverythingWrongIsSaidAtOnce) {
  Parse(
      "{url: 'redis://h', user: u, tls: {cert_file: c, ca: x},\n"
      " key_policies: [{prefix: 'a:', max_ttl: 5m}, {prefix: 'a:', max_ttl: 1h}, {max_ttl: 0s}]}");
  auto messages = Messages();
  auto said = [&messages](std::string_view part) {
    for (const std::string& message : messages) {
      if (message.find(part) != std::string::npos) return true;
    }
    return false;
  };
  EXPECT_TRUE(said("needs password or password_file")) << errors_.Text();
  EXPECT_TRUE(said("cert_file and key_file go together")) << errors_.Text();
  EXPECT_TRUE(said("unknown key")) << errors_.Text();
  EXPECT_TRUE(said("needs a url that begins with rediss://")) << errors_.Text();
  EXPECT_TRUE(said("the prefix has a policy already")) << errors_.Text();
  EXPECT_TRUE(said("prefix")) << errors_.Text();
  EXPECT_GE(messages.size(), 7U) << errors_.Text();
}

}  // namespace
}  // namespace tocsin::collectors::redis
