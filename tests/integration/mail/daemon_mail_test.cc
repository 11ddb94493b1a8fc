// The built daemon with a mail receiver: from an alert to the mail, a login over
// STARTTLS, a server that puts off and takes later; and beside Debian's Alertmanager
// the same envelope and the same headers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>

#include "daemon/base/text.h"
#include "tests/integration/alertmanager/ask.h"
#include "tests/support/alertmanager_server.h"
#include "tests/support/mail_reader.h"
#include "tests/support/smtp_server.h"

namespace tocsin::testing {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kPassword = "hushhushword";

std::string Route() {
  return "route: {receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 1s}\n";
}

std::string Posted(const std::string& ends = "") {
  return R"([{"labels":{"alertname":"PgDown","instance":"db1","severity":"critical"},)"
         R"("annotations":{"summary":"PG ist schräg <b>down</b>"},)"
         R"("generatorURL":"http://p/graph?a=1&b=2")" +
         (ends.empty() ? "" : ",\"endsAt\":\"" + ends + "\"") + "}]";
}

class DaemonMailTest : public ::testing::Test {
 protected:
  SmtpServer::Options Server() {
    SmtpServer::Options options;
    options.tls = SmtpServer::Tls::kStartTls;
    options.mechanisms = "CRAM-MD5 PLAIN LOGIN";
    options.user = "tocsin";
    options.password = kPassword;
    options.reply = [this](const std::string& command) -> std::optional<std::string> {
      if (command == "." && refusals_ > 0) {
        --refusals_;
        return "451 4.7.1 greylisted, try again";
      }
      return std::nullopt;
    };
    return options;
  }
  std::string Config(const SmtpServer& server) {
    std::ofstream(folder_.File("password")) << kPassword << "\n";
    return "global: {smtp_smarthost: '" + server.Address() +
           "', smtp_from: 'Tocsin <tocsin@example.com>', smtp_auth_username: tocsin, "
           "smtp_auth_password_file: '" +
           folder_.File("password") + "', smtp_tls_config: {ca_file: '" + server.ca_file() +
           "'}}\n" + Route() +
           "receivers: [{name: ops, email_configs: [{to: 'ann@example.com, Bob "
           "<bob@example.com>', send_resolved: true}]}]\n";
  }

  TemporaryFolder folder_;
  std::atomic<int> refusals_ = 0;
  Asker asker_;
};

TEST_F(DaemonMailTest, FromTheAlertToTheMailThoughTheServerPutsItOffAtFirst) {
  refusals_ = 2;
  SmtpServer server(Server());
  AlertmanagerInTocsin tocsin(Config(server));
  ASSERT_TRUE(tocsin.ok());
  ASSERT_EQ(asker_.Ask("POST", tocsin.Url("/api/v2/alerts"), Posted()).status, 200);
  ASSERT_TRUE(server.WaitForMails(1, seconds(20))) << tocsin.daemon().Output();
  const ServedMail mail = server.mails()[0];
  EXPECT_TRUE(mail.tls);
  EXPECT_EQ(mail.mechanism, "PLAIN");
  EXPECT_EQ(mail.sender, "<tocsin@example.com>");
  EXPECT_THAT(mail.recipients, ElementsAre("<ann@example.com>", "<bob@example.com>"));
  const ReadMail read = ReadMailText(mail.data);
  EXPECT_EQ(FaultOfMailLines(mail.data), "");
  EXPECT_EQ(read.headers.at("Subject"), "[FIRING:1] PgDown (db1 critical)");
  ASSERT_EQ(read.parts.size(), 2u);
  EXPECT_THAT(read.parts[0].second, HasSubstr("PG ist schräg <b>down</b>"));
  EXPECT_THAT(read.parts[1].second, HasSubstr("PG ist schräg &lt;b&gt;down&lt;/b&gt;"));

  const std::string explained = asker_.Ask("GET", tocsin.Url("/api/v1/explain?alert=PgDown")).body;
  EXPECT_THAT(explained, HasSubstr("ops/email/0"));
  EXPECT_THAT(explained, HasSubstr("451 4.7.1 greylisted"));
  const std::string status = asker_.Ask("GET", tocsin.Url("/api/v2/status")).body;
  EXPECT_THAT(status, HasSubstr("email_configs"));

  asker_.Ask("POST", tocsin.Url("/api/v2/alerts"), Posted(FormatTime(SystemClock().WallNow())));
  ASSERT_TRUE(server.WaitForMails(2, seconds(20))) << tocsin.daemon().Output();
  const ReadMail end = ReadMailText(server.mails()[1].data);
  EXPECT_EQ(end.headers.at("Subject"), "[RESOLVED] PgDown (db1 critical)");
  EXPECT_NE(end.headers.at("Message-Id"), read.headers.at("Message-Id"));
  for (const std::string& seen : {explained, status, tocsin.daemon().Output()}) {
    EXPECT_THAT(seen, Not(HasSubstr(kPassword)));
  }
}

TEST_F(DaemonMailTest, TheCommandLineKnowsIt) {
  SmtpServer server(Server());
  std::ofstream(folder_.File("am.yml")) << Config(server);
  const auto run = [&](std::vector<std::string> words) {
    auto finished = RunTocsin(std::move(words));
    EXPECT_THAT(finished.output, Not(HasSubstr(kPassword)));
    return finished;
  };
  EXPECT_EQ(run({"check", "alerting", folder_.File("am.yml")}).status, 0);
  const auto printed = run({"check", "alerting", "--print", folder_.File("am.yml")});
  EXPECT_THAT(printed.output, HasSubstr("auth_password: \"<secret>\""));
  EXPECT_THAT(printed.output, HasSubstr("smarthost: \"" + server.Address() + "\""));
  const auto tested = run({"notify", "test", "ops", "--config", folder_.File("am.yml")});
  EXPECT_EQ(tested.status, 0) << tested.output;
  EXPECT_EQ(server.mails().size(), 2u) << "the alert and its end";
  refusals_ = 1;
  const auto refused = run({"notify", "test", "ops", "--config", folder_.File("am.yml")});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.output, HasSubstr("put off with 451 4.7.1 greylisted"));
  // The real checker of Alertmanager's files reads what we print.
  std::ofstream(folder_.File("printed.yml")) << printed.output;
  ProcessOptions amtool;
  amtool.output = folder_.File("amtool.out");
  amtool.argv = {"amtool", "check-config", folder_.File("printed.yml")};
  const auto checked = RunProcess(amtool);
  ASSERT_TRUE(checked.ok()) << checked.error().message;
  EXPECT_EQ(checked->status, 0) << checked->output;
}

TEST_F(DaemonMailTest, AServerThatHangsDelaysNoOther) {
  SmtpServer hung({.reply = [](const std::string& command) -> std::optional<std::string> {
    if (command != ".") return std::nullopt;
    return SmtpServer::kHang;
  }});
  SmtpServer good({});
  const auto receiver = [](const std::string& name, const SmtpServer& server) {
    return "- {name: " + name +
           ", email_configs: [{to: 'a@x.test', from: 'b@x.test', smarthost: '" + server.Address() +
           "', require_tls: false}]}\n";
  };
  AlertmanagerInTocsin tocsin(
      "route: {receiver: good, group_wait: 0s, group_interval: 1s, group_by: [alertname], routes: "
      "[{receiver: hung, matchers: ['a!=\"\"'], continue: true}, {receiver: good}]}\nreceivers:\n" +
      receiver("hung", hung) + receiver("good", good));
  ASSERT_TRUE(tocsin.ok());
  for (int i = 1; i <= 3; ++i) {
    asker_.Ask("POST", tocsin.Url("/api/v2/alerts"),
               R"([{"labels":{"alertname":"A)" + std::to_string(i) + R"(","a":"1"}}])");
    EXPECT_TRUE(good.WaitForMails(static_cast<std::size_t>(i), seconds(5)))
        << tocsin.daemon().Output();
  }
  EXPECT_THAT(hung.commands(), ::testing::Contains("DATA"));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(tocsin.daemon().process().Stop(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(8));
}

TEST_F(DaemonMailTest, TheSameEnvelopeAndHeadersAsAlertmanager) {
  SmtpServer::Options options;
  options.mechanisms = "PLAIN";
  options.user = "tocsin";
  options.password = kPassword;
  SmtpServer theirs(options);
  SmtpServer ours(options);
  const auto config = [](const SmtpServer& server) {
    return "global: {smtp_smarthost: '" + server.Address() +
           "', smtp_from: 'ops@example.com', smtp_hello: me.test, smtp_auth_username: tocsin, "
           "smtp_auth_identity: tocsin, smtp_auth_password: " +
           kPassword + ", smtp_require_tls: false}\n" + Route() +
           "receivers: [{name: ops, email_configs: [{to: 'ann@example.com, Bob "
           "<bob@example.com>', send_resolved: true, headers: {x-team: '{{ "
           ".CommonLabels.severity }}', reply-to: 'desk@example.com'}, html: '<p>{{ "
           ".CommonAnnotations.summary }} <a href=\"{{ (index .Alerts 0).GeneratorURL "
           "}}\">x</a></p>', text: '{{ .CommonAnnotations.summary }}'}]}]\n";
  };
  auto real = AlertmanagerServer::Start(config(theirs));
  ASSERT_TRUE(real.ok()) << "install prometheus-alertmanager: " << real.error().message;
  AlertmanagerInTocsin tocsin(config(ours));
  ASSERT_TRUE(tocsin.ok());
  asker_.Ask("POST", (*real)->Url("/api/v2/alerts"), Posted());
  asker_.Ask("POST", tocsin.Url("/api/v2/alerts"), Posted());
  ASSERT_TRUE(theirs.WaitForMails(1, seconds(20)));
  ASSERT_TRUE(ours.WaitForMails(1, seconds(20))) << tocsin.daemon().Output();
  const ServedMail a = theirs.mails()[0];
  const ServedMail b = ours.mails()[0];
  EXPECT_EQ(a.hello, b.hello);
  EXPECT_EQ(a.mechanism, b.mechanism);
  EXPECT_EQ(a.identity, b.identity);
  EXPECT_EQ(a.sender, b.sender);
  EXPECT_EQ(a.recipients, b.recipients);
  const ReadMail left = ReadMailText(a.data);
  const ReadMail right = ReadMailText(b.data);
  std::vector<std::string> left_names, right_names;
  for (const auto& [name, value] : left.headers) left_names.push_back(name);
  for (const auto& [name, value] : right.headers) right_names.push_back(name);
  EXPECT_EQ(left_names, right_names);
  for (const char* name : {"Subject", "To", "From", "X-Team", "Reply-To"}) {
    EXPECT_EQ(left.headers.at(name), right.headers.at(name)) << name;
  }
  ASSERT_EQ(left.parts.size(), 2u) << a.data;
  ASSERT_EQ(right.parts.size(), 2u) << b.data;
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(left.parts[i].first, right.parts[i].first);
    EXPECT_EQ(TrimSpace(left.parts[i].second), TrimSpace(right.parts[i].second));
  }
}

// The rows on mail of README's table of differences, where both can be asked.
TEST_F(DaemonMailTest, WhereMailsDiffer) {
  const auto reply = [](std::shared_ptr<std::atomic<int>> refusals) {
    return [refusals](const std::string& command) -> std::optional<std::string> {
      if (command == "RCPT TO:<gone@example.com>") return "550 no such user";
      if (command == "." && refusals->fetch_sub(1) > 0) return "451 later";
      return std::nullopt;
    };
  };
  const auto their_refusals = std::make_shared<std::atomic<int>>(1);
  const auto our_refusals = std::make_shared<std::atomic<int>>(1);
  SmtpServer theirs({.reply = reply(their_refusals)});
  SmtpServer ours({.reply = reply(our_refusals)});
  const auto config = [](const SmtpServer& server) {
    return "global: {smtp_smarthost: '" + server.Address() +
           "', smtp_from: 'ops@example.com', smtp_require_tls: false}\n"
           "route: {receiver: names, group_by: [alertname], group_wait: 0s, group_interval: 1s, "
           "routes: [{receiver: gone, "
           "matchers: ['alertname=\"Gone\"']}]}\n"
           "receivers:\n- {name: names, email_configs: [{to: 'Jörg <joerg@example.com>'}]}\n"
           "- {name: gone, email_configs: [{to: 'gone@example.com, ann@example.com'}]}\n";
  };
  auto real = AlertmanagerServer::Start(config(theirs));
  ASSERT_TRUE(real.ok()) << "install prometheus-alertmanager: " << real.error().message;
  AlertmanagerInTocsin tocsin(config(ours));
  ASSERT_TRUE(tocsin.ok());
  const auto post = [&](const std::string& body) {
    asker_.Ask("POST", (*real)->Url("/api/v2/alerts"), body);
    asker_.Ask("POST", tocsin.Url("/api/v2/alerts"), body);
  };
  // Put off behind the message: 0.25 takes it for told.
  post(R"([{"labels":{"alertname":"PutOff"}}])");
  ASSERT_TRUE(ours.WaitForMails(1, seconds(20))) << tocsin.daemon().Output();
  ASSERT_TRUE(WaitUntil([&] { return *their_refusals == 0; }));
  post(Posted());
  ASSERT_TRUE(theirs.WaitForMails(1, seconds(20)));
  ASSERT_TRUE(ours.WaitForMails(2, seconds(20))) << tocsin.daemon().Output();
  const ReadMail left = ReadMailText(theirs.mails()[0].data);
  const ReadMail right = ReadMailText(ours.mails()[1].data);
  EXPECT_THAT(ReadMailText(ours.mails()[0].data).headers.at("Subject"), HasSubstr("PutOff"));
  EXPECT_THAT(left.headers.at("Subject"), HasSubstr("PgDown"));
  // Without a `text`: HTML alone.
  EXPECT_EQ(left.parts.size(), 1u);
  EXPECT_EQ(right.parts.size(), 2u);
  // A name that is not ASCII: the address is within the encoded word.
  EXPECT_THAT(left.raw_head, HasSubstr("_<joerg@example.com>?=\r\n"));
  EXPECT_THAT(right.raw_head, HasSubstr("?= <joerg@example.com>\r\n"));
  EXPECT_EQ(left.headers.at("To"), right.headers.at("To"));
  // One recipient refused: nobody gets it, or the others do.
  post(R"([{"labels":{"alertname":"Gone"}}])");
  ASSERT_TRUE(ours.WaitForMails(3, seconds(20))) << tocsin.daemon().Output();
  EXPECT_THAT(ours.mails()[2].recipients, ElementsAre("<ann@example.com>"));
  EXPECT_TRUE(tocsin.daemon().process().WaitForOutput("gone@example.com: 550 no such user"));
  ASSERT_TRUE(WaitUntil([&] {
    const auto commands = theirs.commands();
    return std::find(commands.begin(), commands.end(), "RCPT TO:<gone@example.com>") !=
           commands.end();
  }));
  EXPECT_EQ(theirs.mails().size(), 1u);
}

}  // namespace
}  // namespace tocsin::testing
