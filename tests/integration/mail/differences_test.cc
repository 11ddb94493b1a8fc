// README's table on mail, row by row, beside Debian's Alertmanager 0.25; the rows on what
// is put off and refused are in daemon_mail_test.cc.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <random>

#include "daemon/base/text.h"
#include "tests/integration/alertmanager/ask.h"
#include "tests/support/alertmanager_server.h"
#include "tests/support/mail_reader.h"
#include "tests/support/smtp_server.h"

namespace tocsin::testing {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kPassword = "hushhushword";

// A mail receiver of each of both, with the same settings but for the server.
class MailDifferencesTest : public ::testing::Test {
 protected:
  // `global` and `email` are YAML; "SERVER" in it is the side's own.
  static std::string Config(const std::string& address, const std::string& global,
                            const std::string& email) {
    const std::string config =
        "global: {smtp_smarthost: 'SERVER', smtp_from: 'ops@example.com'" +
        (global.empty() ? "" : ", " + global) +
        "}\nroute: {receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 1s}\n"
        "receivers: [{name: ops, email_configs: [{" +
        email + "}]}]\n";
    return ReplaceAll(config, "SERVER", address);
  }
  static std::string ReplaceAll(std::string text, const std::string& what, const std::string& by) {
    for (std::size_t at = 0; (at = text.find(what, at)) != text.npos; at += by.size()) {
      text.replace(at, what.size(), by);
    }
    return text;
  }

  void StartTheirs(const std::string& config) {
    auto started = AlertmanagerServer::Start(config);
    ASSERT_TRUE(started.ok()) << "install prometheus-alertmanager: " << started.error().message;
    alertmanager_ = *std::move(started);
  }
  void StartOurs(const std::string& config) {
    tocsin_ = std::make_unique<AlertmanagerInTocsin>(config);
    ASSERT_TRUE(tocsin_->ok());
  }
  void Post(const std::string& alert) {
    const std::string body = "[" + alert + "]";
    if (alertmanager_) asker_.Ask("POST", alertmanager_->Url("/api/v2/alerts"), body);
    if (tocsin_) asker_.Ask("POST", tocsin_->Url("/api/v2/alerts"), body);
  }

  // What `tocsin check alerting` says of it, which is that it is wrong.
  std::string Refusal(const std::string& config) {
    std::ofstream(folder_.File("am.yml")) << config;
    const auto finished = RunTocsin({"check", "alerting", folder_.File("am.yml")});
    EXPECT_EQ(finished.status, 1) << finished.output;
    return finished.output;
  }

  static std::size_t Count(const std::string& text, const std::string& word) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find(word, at)) != text.npos; ++at) ++count;
    return count;
  }

  TemporaryFolder folder_;
  std::unique_ptr<AlertmanagerServer> alertmanager_;
  std::unique_ptr<AlertmanagerInTocsin> tocsin_;
  Asker asker_;
};

TEST_F(MailDifferencesTest, LineBreaksMessageIdsAndTheMessagesOwnHeaders) {
  SmtpServer theirs({});
  SmtpServer ours({});
  const std::string note =
      "to: 'ann@example.com', headers: {X-Note: '{{ .CommonAnnotations.note }}'";
  const std::string twice =
      ", Content-Type: text/x-mine, MIME-Version: '2.0', "
      "Content-Transfer-Encoding: 8bit";
  const std::string open = "smtp_require_tls: false";
  StartTheirs(Config(theirs.Address(), open, note + twice + "}"));
  StartOurs(Config(ours.Address(), open, note + "}"));
  Post(R"({"labels":{"alertname":"Down"},"annotations":{"note":"one\ntwo"}})");
  ASSERT_TRUE(theirs.WaitForMails(1, seconds(20)));
  ASSERT_TRUE(ours.WaitForMails(1, seconds(20))) << tocsin_->daemon().Output();
  const ReadMail left = ReadMailText(theirs.mails()[0].data);
  const ReadMail right = ReadMailText(ours.mails()[0].data);
  // A line break in a header's value: encoded, or a space.
  EXPECT_EQ(left.headers.at("X-Note"), "one\ntwo");
  EXPECT_EQ(right.headers.at("X-Note"), "one two");
  // The Message-Id: of the moment, chance and the machine, or of the delivery and the sender.
  EXPECT_THAT(left.headers.at("Message-Id"), ContainsRegex("^<[0-9]+\\.[0-9]+@"));
  EXPECT_THAT(left.headers.at("Message-Id"), Not(EndsWith("@example.com>")));
  EXPECT_THAT(right.headers.at("Message-Id"), ContainsRegex("^<[0-9a-f]+@example\\.com>$"));
  // Headers that the message itself has: twice, or refused.
  EXPECT_EQ(Count(left.raw_head, "Content-Type: "), 2u) << left.raw_head;
  EXPECT_THAT(left.raw_head, AllOf(HasSubstr("Mime-Version: 2.0"), HasSubstr("MIME-Version: 1.0")));
  EXPECT_EQ(Count(right.raw_head, "Content-Type: "), 1u) << right.raw_head;
  const std::string refusal = Refusal(Config(ours.Address(), open, note + twice + "}"));
  for (const char* name : {"Content-Type", "Mime-Version", "Content-Transfer-Encoding"}) {
    EXPECT_THAT(refusal, HasSubstr("\"" + std::string(name) + "\" is set by the message itself"));
  }
}

TEST_F(MailDifferencesTest, AddressesThatAreNone) {
  SmtpServer theirs({});
  const std::string open = "smtp_require_tls: false";
  // What is not ASCII goes out as it is.
  const std::string jorg = Config(theirs.Address(), open, "to: 'jörg@example.com'");
  StartTheirs(jorg);
  Post(R"({"labels":{"alertname":"Down"}})");
  ASSERT_TRUE(theirs.WaitForMails(1, seconds(20)));
  EXPECT_EQ(theirs.mails()[0].recipients, std::vector<std::string>{"<jörg@example.com>"});
  EXPECT_THAT(Refusal(jorg), HasSubstr("is not an ASCII mail address"));
  // What cannot be read is found when sending, or in the configuration.
  const std::string nobody = Config(theirs.Address(), open, "to: 'ann at example.com'");
  StartTheirs(nobody);
  EXPECT_THAT(Refusal(nobody), HasSubstr("\"ann at example.com\" is not a mail address"));
}

TEST_F(MailDifferencesTest, WithBothSecretsTheServersListDecidesAsThere) {
  for (const std::string list : {"CRAM-MD5 PLAIN LOGIN", "PLAIN CRAM-MD5", "LOGIN CRAM-MD5"}) {
    SCOPED_TRACE(list);
    SmtpServer::Options options;
    options.tls = SmtpServer::Tls::kStartTls;
    options.mechanisms = list;
    options.user = "tocsin";
    options.password = kPassword;
    SmtpServer theirs(options);
    SmtpServer ours(options);
    const auto config = [&](const SmtpServer& server) {
      return Config(server.Address(),
                    "smtp_auth_username: tocsin, smtp_auth_password: " + std::string(kPassword) +
                        ", smtp_auth_secret: " + kPassword,
                    "to: 'ann@example.com', tls_config: {ca_file: '" + server.ca_file() + "'}");
    };
    StartTheirs(config(theirs));
    StartOurs(config(ours));
    Post(R"({"labels":{"alertname":"Down"}})");
    ASSERT_TRUE(theirs.WaitForMails(1, seconds(20)));
    ASSERT_TRUE(ours.WaitForMails(1, seconds(20))) << tocsin_->daemon().Output();
    EXPECT_EQ(theirs.mails()[0].mechanism, list.substr(0, list.find(' ')));
    EXPECT_EQ(ours.mails()[0].mechanism, theirs.mails()[0].mechanism);
    EXPECT_TRUE(ours.mails()[0].tls);
  }
}

TEST_F(MailDifferencesTest, APasswordOverAnOpenConnectionToAnotherMachine) {
  struct Row {
    const char* offered;
    std::string theirs;  // The mechanism of the login; empty: no mail.
    std::string ours;
  };
  const Row rows[] = {{"PLAIN", "", ""}, {"LOGIN", "LOGIN", ""}, {"CRAM-MD5", "", "CRAM-MD5"}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.offered);
    SmtpServer::Options options;
    options.mechanisms = row.offered;
    options.user = "tocsin";
    options.password = kPassword;
    SmtpServer theirs(options);
    SmtpServer ours(options);
    const auto config = [&](const SmtpServer& server) {
      // Written so, neither takes it for its own machine.
      return Config("LOCALHOST:" + std::to_string(server.port()),
                    "smtp_require_tls: false, smtp_auth_username: tocsin, smtp_auth_password: " +
                        std::string(kPassword),
                    "to: 'ann@example.com'");
    };
    StartTheirs(config(theirs));
    StartOurs(config(ours));
    Post(R"({"labels":{"alertname":"Down"}})");
    const auto expect = [&](const SmtpServer& server, const std::string& mechanism) {
      if (!mechanism.empty()) {
        ASSERT_TRUE(server.WaitForMails(1, seconds(20))) << tocsin_->daemon().Output();
        EXPECT_EQ(server.mails()[0].mechanism, mechanism);
        return;
      }
      // They have spoken, and no mail came of it.
      EXPECT_TRUE(WaitUntil([&] { return !server.commands().empty(); }, seconds(20)));
      EXPECT_THAT(server.mails(), IsEmpty());
    };
    expect(theirs, row.theirs);
    if (row.ours.empty()) {
      EXPECT_TRUE(tocsin_->daemon().process().WaitForOutput("no way to log in"))
          << tocsin_->daemon().Output();
    }
    expect(ours, row.ours);
  }
}

TEST_F(MailDifferencesTest, Port465IsTlsFromTheFirstByte) {
  // One address of this machine's for each, so that nobody else has its port 465.
  std::random_device random;
  const auto place = [&] {
    return LoopbackServer::Place{"127." + std::to_string(1 + random() % 254) + "." +
                                     std::to_string(random() % 256) + "." +
                                     std::to_string(2 + random() % 250),
                                 465};
  };
  const LoopbackServer::Place here = place();
  const LoopbackServer::Place there = place();
  if (!LoopbackServer::MayListen(here) || !LoopbackServer::MayListen(there)) {
    GTEST_SKIP() << "port 465 is not to be had here: run this as root";
  }
  SmtpServer::Options options;
  options.tls = SmtpServer::Tls::kAtOnce;
  options.place = here;
  SmtpServer ours(options);
  options.place = there;
  SmtpServer theirs(options);
  const auto config = [&](const SmtpServer& server, const std::string& more) {
    return Config(server.Address(), more,
                  "to: 'ann@example.com', tls_config: {ca_file: '" + server.ca_file() +
                      "', server_name: localhost}");
  };
  StartTheirs(config(theirs, ""));
  StartOurs(config(ours, ""));
  Post(R"({"labels":{"alertname":"Down"}})");
  ASSERT_TRUE(ours.WaitForMails(1, seconds(20))) << tocsin_->daemon().Output();
  EXPECT_TRUE(ours.mails()[0].tls);
  // Within TLS it looks for STARTTLS, and finds none.
  EXPECT_TRUE(WaitUntil([&] { return !theirs.commands().empty(); }, seconds(20)));
  EXPECT_THAT(theirs.mails(), IsEmpty());
  StartTheirs(config(theirs, "smtp_require_tls: false"));
  Post(R"({"labels":{"alertname":"Again"}})");
  ASSERT_TRUE(theirs.WaitForMails(1, seconds(20)));
  EXPECT_THAT(ReadMailText(theirs.mails()[0].data).headers.at("Subject"), HasSubstr("Again"));
}

}  // namespace
}  // namespace tocsin::testing
