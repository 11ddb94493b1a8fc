#include "collectors/http/tcp_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::collectors::http {
namespace {

using ::testing::HasSubstr;

class TcpConfigTest : public ::testing::Test {
 protected:
  TcpConfig Read(const std::string& yaml) {
    errors_ = {};
    ConfigReader reader(ConfigNode::Parse(yaml, "t.yaml", ConfigNode::Expand::kNothing, errors_),
                        errors_);
    TcpConfig config = ParseTcpConfig(reader, files_);
    reader.Finish();
    return config;
  }

  PosixFileSystem files_;
  ConfigErrors errors_;
};

TEST_F(TcpConfigTest, AddressesAreOfOneForm) {
  EXPECT_EQ(Read("url: tcp://db.example:5432").Instance(), "db.example:5432");
  EXPECT_TRUE(errors_.empty()) << errors_.Text();
  const TcpConfig six = Read("{ url: 'tls://[::1]:465', ip_family: ip6 }");
  EXPECT_TRUE(errors_.empty()) << errors_.Text();
  EXPECT_EQ(six.Instance(), "[::1]:465");
  EXPECT_EQ(six.host, "::1");
  EXPECT_TRUE(six.tls_at_once);
  EXPECT_EQ(six.ip.family, 6);
  const TcpConfig local = Read("url: unix:///run/app/app.sock");
  EXPECT_TRUE(errors_.empty()) << errors_.Text();
  EXPECT_EQ(local.unix_path, "/run/app/app.sock");
  EXPECT_EQ(local.Instance(), "/run/app/app.sock");
  for (const char* url :
       {"unix://app.sock", "unix://", "http://h:1", "h:1", "tcp://h", "tcp://:1", "tcp://h:0",
        "tcp://h:65536", "tcp://h:1/path", "tcp://u@h:1", "tcp://::1:5", "tcp://h:x", "tcp://"}) {
    Read(std::string("url: '") + url + "'");
    EXPECT_THAT(errors_.Text(), HasSubstr("write tcp://host:port, tls://host:port or unix:///path"))
        << url;
  }
}

TEST_F(TcpConfigTest, SaysAllThatIsWrongInAConversation) {
  Read(R"yaml(
url: tcp://h:25
tls: { insecure_skip_verify: true }
query_response:
  - { expect: "(", send: x }
  - { expect: a, expect_bytes: b }
  - { labels: { a: b }, send: x }
  - { expect: "^(a)", labels: { "no-name": "${1}" } }
  - { expect: "^(a)", labels: { more: "${1}" } }
  - {}
  - { expcet: a, send: x }
)yaml");
  for (const char* message : {"regular expression \"(\"", "exclude each other", "set expect too",
                              "\"no-name\" is no label", "only one step may have labels",
                              "a step has expect, expect_bytes, send or starttls",
                              "did you mean \"expect\"?", "TLS is not spoken here"}) {
    EXPECT_THAT(errors_.Text(), HasSubstr(message));
  }
  Read("{ url: tls://h:25, query_response: [ { starttls: true } ] }");
  EXPECT_THAT(errors_.Text(), HasSubstr("TLS is spoken already"));
  const std::string starttls = "query_response: [ { starttls: true } ] }";
  Read("{ url: unix:///s, ip_family: ip4, " + starttls);
  for (const char* message : {"a Unix socket has no address", "set server_name"}) {
    EXPECT_THAT(errors_.Text(), HasSubstr(message));
  }
  Read("{ url: unix:///s, tls: { server_name: mail.example }, " + starttls);
  EXPECT_TRUE(errors_.empty()) << errors_.Text();
}

}  // namespace
}  // namespace tocsin::collectors::http
