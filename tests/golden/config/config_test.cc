// Each *.bad.yaml beside this file is a broken configuration; *.bad.txt is what
// the user must read about it: every error, with its place and a hint.

#include "daemon/config/config.h"

#include <gtest/gtest.h>

#include "tests/support/golden.h"
#include "tests/support/process.h"

namespace tocsin::config {
namespace {

const std::string kFolder = TOCSIN_SOURCE_DIR "/tests/golden/config";

// Errors name the file as it was given: make it the same on every machine.
std::string WithoutFolder(std::string text) {
  for (std::size_t at = text.find(kFolder); at != text.npos; at = text.find(kFolder)) {
    text.erase(at, kFolder.size() + 1);
  }
  return text;
}

class BrokenConfigTest : public ::testing::TestWithParam<std::string> {};

TEST_P(BrokenConfigTest, AllErrorsAreNamedWithTheirPlaces) {
  PosixFileSystem files;
  ConfigErrors errors;
  LoadConfig({kFolder + "/" + GetParam() + ".bad.yaml", TOCSIN_SOURCE_DIR "/rules"}, files, errors);
  EXPECT_FALSE(errors.empty());
  tocsin::testing::ExpectGolden(WithoutFolder(errors.Text()),
                                kFolder + "/" + GetParam() + ".bad.txt");
}

std::vector<std::string> BrokenConfigs() {
  PosixFileSystem files;
  std::vector<std::string> names;
  const auto paths = files.Glob(kFolder + "/*.bad.yaml");
  for (const std::string& path : *paths) {
    const std::string file = path.substr(path.rfind('/') + 1);
    names.push_back(file.substr(0, file.size() - std::string(".bad.yaml").size()));
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Golden, BrokenConfigTest, ::testing::ValuesIn(BrokenConfigs()),
                         [](const auto& info) { return info.param; });

TEST(ConfigTest, TheShippedConfigurationIsGood) {
  PosixFileSystem files;
  ConfigErrors errors;
  const Config config = LoadConfig(
      {TOCSIN_SOURCE_DIR "/systemd/tocsin.yaml", TOCSIN_SOURCE_DIR "/rules"}, files, errors);
  EXPECT_EQ(errors.Text(), "");
  EXPECT_EQ(config.poll.targets.size(), 2u);
  EXPECT_FALSE(config.rule_set.groups.empty());
}

// As an absent one it would open the API to everybody.
TEST(ConfigTest, AnEmptyTokenOfTheApiIsAMistake) {
  const testing::TemporaryFolder folder;
  PosixFileSystem files;
  const std::string path = folder.File("tocsin.yaml");
  for (const std::string key : {"bearer_token", "bearer_token_file"}) {
    ASSERT_TRUE(
        files.WriteAtomically(path, "web:\n  " + key + ": \"${NOBODY_SETS_THIS:-}\"\nrules: []\n")
            .ok());
    ConfigErrors errors;
    LoadConfig({path, TOCSIN_SOURCE_DIR "/rules"}, files, errors);
    EXPECT_EQ(errors.Text(), path + ":2:" + std::to_string(key.size() + 5) + ": web." + key +
                                 ": is empty: the API would be open to everybody\n");
  }
}

// A configuration and its credentials move together, wherever the program is started.
TEST(ConfigTest, RelativePathsLieBesideTheFileThatNamesThem) {
  const testing::TemporaryFolder folder;
  PosixFileSystem files;
  for (const char* name : {"word", "url", "ca.pem", "cert.pem", "key.pem"}) {
    ASSERT_TRUE(files.WriteAtomically(folder.File(name), "https://hooks.test/x\n").ok());
  }
  const std::string tls = "tls: { ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem }";
  const std::string yaml =
      "web: { tls_cert_file: cert.pem, tls_key_file: key.pem,"
      " bearer_token_file: word }\n"
      "postgres: [ { name: p, dsn: 'host=h user=u', password_file: word } ]\n"
      "pgbouncer: [ { name: b, dsn: 'host=h user=u', password_file: word } ]\n"
      "redis: [ { name: r, url: 'rediss://h', password_file: word, " +
      tls +
      " } ]\n"
      "http: [ { name: h, url: 'https://h', bearer_token_file: word, " +
      tls +
      " } ]\n"
      "notify: { slack: { webhook_url_file: url } }\n"
      "push: { remote_write: [ { url: 'https://h', basic_auth: { username: u,"
      " password_file: word }, " +
      tls + " } ] }\nrules: []\n";
  const std::string path = folder.File("tocsin.yaml");
  ASSERT_TRUE(files.WriteAtomically(path, yaml).ok());
  ConfigErrors errors;
  const Config config = LoadConfig({path, TOCSIN_SOURCE_DIR "/rules"}, files, errors);
  EXPECT_EQ(errors.Text(), "");
  EXPECT_EQ(config.api.tls_cert_file, folder.File("cert.pem"));
  EXPECT_EQ(config.api.bearer_token.Reveal(), "https://hooks.test/x");
  // A rotated credential changes what its target says of itself.
  ASSERT_TRUE(files.WriteAtomically(folder.File("word"), "another").ok());
  const Config rotated = LoadConfig({path, TOCSIN_SOURCE_DIR "/rules"}, files, errors);
  ASSERT_EQ(config.poll.targets.size(), rotated.poll.targets.size());
  for (std::size_t i = 0; i < config.poll.targets.size(); ++i) {
    EXPECT_NE(config.poll.targets[i].fingerprint, rotated.poll.targets[i].fingerprint)
        << config.poll.targets[i].name;
  }
  EXPECT_NE(config.push_digest, rotated.push_digest);
}

TEST(ConfigTest, AHeartbeatStandsBesideAnAlertmanagerFile) {
  PosixFileSystem files;
  ConfigErrors errors;
  const Config config =
      LoadConfig({.path = kFolder + "/tocsin.yaml",
                  .builtin_rules = TOCSIN_SOURCE_DIR "/rules",
                  .text = "rules: []\nalerting: alertmanager.yml\n"
                          "notify: { heartbeat: { url: 'https://ping.test/x', every: 30s } }\n"},
                 files, errors);
  EXPECT_EQ(errors.Text(), "");
  ASSERT_NE(config.notify, nullptr);
  EXPECT_EQ(config.notify->route.receiver, "pager");
  ASSERT_TRUE(config.notify->heartbeat);
  EXPECT_EQ(config.notify->heartbeat->url.Reveal(), "https://ping.test/x");
  EXPECT_EQ(config.notify->heartbeat->every, std::chrono::seconds(30));
}

TEST(ConfigTest, CredentialsDoNotShowInTheConfigurationThatIsServed) {
  ConfigErrors errors;
  const ConfigNode node = ConfigNode::Parse(
      "postgres: [ { name: a, dsn: \"host=h password = 'p\\\\' w1' user=u\", password: hunter2 },"
      " { name: b, dsn: \"host=h user=u\" } ]\n"
      "redis: [ { name: r, url: \"redis://user:hunter3@host:6379\" } ]\n"
      "web: { basic_auth_users: { admin: hunter4 } }\n"
      "http: [ { name: h, url: \"https://h/\", authorization: { type: Token, credentials: hunter7 "
      "},"
      " proxy: \"http://u:hunter8@p\", proxy_connect_header: { X-Key: hunter9 } } ]\n"
      "notify: { slack: { webhook_url: \"https://hooks/hunter5\" }, heartbeat: { url: "
      "\"https://ping/hunter6\" } }\n",
      "t.yaml", ConfigNode::Expand::kNothing, errors);
  const std::string yaml = RedactedYaml(node);
  EXPECT_EQ(yaml.find("hunter"), yaml.npos) << yaml;
  EXPECT_EQ(yaml.find("w1"), yaml.npos) << yaml;
  EXPECT_NE(yaml.find("user=u"), yaml.npos) << yaml;
  ConfigErrors again;
  ConfigNode::Parse(yaml, "t.yaml", ConfigNode::Expand::kNothing, again);
  EXPECT_EQ(again.Text(), "") << yaml;
}

}  // namespace
}  // namespace tocsin::config
