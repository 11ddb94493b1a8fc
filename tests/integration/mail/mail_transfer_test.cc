// Mails over the wire to a real small SMTP server: TLS, logins, refusals, and servers
// that hang or break off.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "daemon/base/http_client.h"
#include "daemon/base/mail_sender.h"
#include "tests/support/scripted_peer.h"
#include "tests/support/smtp_server.h"

namespace tocsin::testing {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class MailTransferTest : public ::testing::Test {
 protected:
  static constexpr const char* kBody = "Subject: s\r\n\r\nfirst\r\n.\r\n..dots\r\nlast\r\n";

  static HttpRequest Mail(const SmtpServer& server, const std::string& scheme = "smtp") {
    HttpRequest request;
    request.url = scheme + "://" + server.Address();
    request.body = kBody;
    request.tls.ca_file = server.ca_file();
    request.mail = MailEnvelope{};
    request.mail->sender = "tocsin@example.com";
    request.mail->recipients = {"ann@example.com"};
    request.mail->hello = "me.test";
    request.mail->starttls = false;
    return request;
  }
  static HttpRequest WithLogin(HttpRequest request, const std::string& mechanism) {
    request.mail->user = "tocsin";
    (mechanism == "CRAM-MD5" ? request.mail->secret : request.mail->password) = Secret("hushword");
    return request;
  }
  static SmtpServer::Options Login(const std::string& mechanisms) {
    return {.mechanisms = mechanisms, .user = "tocsin", .password = "hushword"};
  }

  HttpExchange Send(HttpRequest request, Millis limit = seconds(10)) {
    return Fetch(client_, std::move(request), clock_.SteadyNow() + limit);
  }

  SystemClock clock_;
  CurlHttpClient client_{clock_};
};

TEST_F(MailTransferTest, AMailArrivesAsItWasWritten) {
  SmtpServer server({});
  auto request = Mail(server);
  request.mail->recipients = {"ann@example.com", "bob@example.com"};
  const auto exchange = Send(request);
  ASSERT_FALSE(exchange.error) << exchange.error->message;
  EXPECT_EQ(exchange.response.status, 250);
  EXPECT_EQ(exchange.response.mail_step, MailStep::kContent);
  ASSERT_EQ(exchange.response.recipients.size(), 2u);
  EXPECT_EQ(exchange.response.recipients[1].recipient, "bob@example.com");
  EXPECT_EQ(exchange.response.recipients[1].code, 250);
  ASSERT_EQ(server.mails().size(), 1u);
  const ServedMail mail = server.mails()[0];
  EXPECT_EQ(mail.hello, "me.test");
  EXPECT_EQ(mail.sender, "<tocsin@example.com>");
  EXPECT_THAT(mail.recipients, ElementsAre("<ann@example.com>", "<bob@example.com>"));
  EXPECT_EQ(mail.data, kBody);
  EXPECT_EQ(server.commands().back(), "QUIT");
}

TEST_F(MailTransferTest, StartTls) {
  SmtpServer server({.tls = SmtpServer::Tls::kStartTls});
  auto request = Mail(server);
  request.mail->starttls = true;
  const auto exchange = Send(request);
  ASSERT_FALSE(exchange.error) << exchange.error->message;
  EXPECT_TRUE(server.mails().at(0).tls);
}

TEST_F(MailTransferTest, TlsFromTheFirstByte) {
  SmtpServer server({.tls = SmtpServer::Tls::kAtOnce});
  const auto exchange = Send(Mail(server, "smtps"));
  ASSERT_FALSE(exchange.error) << exchange.error->message;
  EXPECT_TRUE(server.mails().at(0).tls);
}

TEST_F(MailTransferTest, WithoutStartTlsNothingIsSent) {
  SmtpServer server(Login("PLAIN"));
  auto request = WithLogin(Mail(server), "PLAIN");
  request.mail->starttls = true;
  const auto exchange = Send(request);
  ASSERT_TRUE(exchange.error);
  EXPECT_THAT(exchange.error->message, HasSubstr("the server offers no STARTTLS"));
  EXPECT_THAT(server.mails(), IsEmpty());
  EXPECT_THAT(server.commands(), Not(::testing::Contains(HasSubstr("AUTH"))));
}

TEST_F(MailTransferTest, ACertificateOfAnotherAuthorityIsRefused) {
  for (const auto tls : {SmtpServer::Tls::kStartTls, SmtpServer::Tls::kAtOnce}) {
    SmtpServer server({.tls = tls});
    SmtpServer other({});
    auto request = Mail(server, tls == SmtpServer::Tls::kAtOnce ? "smtps" : "smtp");
    request.mail->starttls = tls == SmtpServer::Tls::kStartTls;
    request.tls.ca_file = other.ca_file();
    const auto exchange = Send(request);
    ASSERT_TRUE(exchange.error);
    EXPECT_EQ(exchange.error->code, ErrorCode::kUnavailable);
    EXPECT_THAT(exchange.error->message, HasSubstr("TLS: "));
    EXPECT_THAT(server.mails(), IsEmpty());
    request.tls.insecure_skip_verify = true;
    EXPECT_FALSE(Send(request).error);
  }
}

TEST_F(MailTransferTest, ACertificateForAnotherNameIsRefused) {
  SmtpServer server({.tls = SmtpServer::Tls::kStartTls});
  auto request = Mail(server);
  request.mail->starttls = true;
  request.tls.server_name = "mail.example.com";
  const auto exchange = Send(request);
  ASSERT_TRUE(exchange.error);
  EXPECT_THAT(exchange.error->message, HasSubstr("TLS: "));
  request.tls.server_name = "localhost";
  const auto right = Send(request);
  EXPECT_FALSE(right.error) << right.error->message;
}

TEST_F(MailTransferTest, LogsInEachWay) {
  for (const char* mechanism : {"PLAIN", "LOGIN", "CRAM-MD5"}) {
    SCOPED_TRACE(mechanism);
    SmtpServer server(Login("NTLM " + std::string(mechanism)));
    auto request = WithLogin(Mail(server), mechanism);
    if (mechanism == std::string("PLAIN")) request.mail->identity = "ops";
    const auto exchange = Send(request);
    ASSERT_FALSE(exchange.error) << exchange.error->message;
    ASSERT_EQ(exchange.response.status, 250) << exchange.response.body;
    EXPECT_EQ(server.mails().at(0).mechanism, mechanism);
    EXPECT_EQ(server.mails().at(0).identity, request.mail->identity);
  }
}

// With a password and a secret, as Alertmanager: the first of the server's list.
TEST_F(MailTransferTest, OfTwoWordsTheServersListSaysWhich) {
  const std::pair<const char*, const char*> rows[] = {{"CRAM-MD5 PLAIN LOGIN", "CRAM-MD5"},
                                                      {"PLAIN CRAM-MD5", "PLAIN"},
                                                      {"XOAUTH2 LOGIN CRAM-MD5", "LOGIN"},
                                                      {"CRAM-MD5", "CRAM-MD5"}};
  for (const auto& [list, mechanism] : rows) {
    for (const auto tls : {SmtpServer::Tls::kNone, SmtpServer::Tls::kStartTls}) {
      SCOPED_TRACE(list);
      auto options = Login(list);
      options.tls = tls;
      SmtpServer server(options);
      auto request = Mail(server);
      request.mail->starttls = tls == SmtpServer::Tls::kStartTls;
      request.mail->user = "tocsin";
      const bool cram = mechanism == std::string("CRAM-MD5");
      request.mail->password = Secret(cram ? "wrong" : "hushword");
      request.mail->secret = Secret(cram ? "hushword" : "wrong");
      const auto exchange = Send(request);
      ASSERT_FALSE(exchange.error) << exchange.error->message;
      EXPECT_EQ(exchange.response.status, 250) << exchange.response.body;
      ASSERT_EQ(server.mails().size(), 1u);
      EXPECT_EQ(server.mails()[0].mechanism, mechanism);
    }
  }
}

TEST_F(MailTransferTest, AServerThatCannotBeLookedAtFirstIsSaidToBeWhatItIs) {
  auto options = Login("CRAM-MD5 PLAIN");
  options.reply = [](const std::string& command) -> std::optional<std::string> {
    if (command != "CONNECT") return std::nullopt;
    return "421 too busy";
  };
  SmtpServer server(options);
  auto request = WithLogin(WithLogin(Mail(server), "PLAIN"), "CRAM-MD5");
  const auto exchange = Send(request);
  ASSERT_FALSE(exchange.error) << exchange.error->message;
  EXPECT_EQ(exchange.response.status, 421);
  EXPECT_EQ(exchange.response.mail_step, MailStep::kGreeting);
}

TEST_F(MailTransferTest, OfSeveralWaysOneThatIsOffered) {
  SmtpServer server(Login("LOGIN"));
  EXPECT_EQ(Send(WithLogin(Mail(server), "PLAIN")).response.status, 250);
  EXPECT_EQ(server.mails().at(0).mechanism, "LOGIN");
}

TEST_F(MailTransferTest, ALoginThatIsRefused) {
  SmtpServer server(Login("PLAIN"));
  auto request = WithLogin(Mail(server), "PLAIN");
  request.mail->password = Secret("wrong");
  const auto exchange = Send(request);
  ASSERT_FALSE(exchange.error) << exchange.error->message;
  EXPECT_EQ(exchange.response.status, 535);
  EXPECT_EQ(exchange.response.mail_step, MailStep::kLogin);
  EXPECT_EQ(exchange.response.body, "5.7.8 wrong user or password");
  EXPECT_THAT(server.mails(), IsEmpty());
}

TEST_F(MailTransferTest, NoWayToLogInThatMayBeUsed) {
  SmtpServer server(Login("PLAIN LOGIN"));
  const auto exchange = Send(WithLogin(Mail(server), "CRAM-MD5"));
  ASSERT_TRUE(exchange.error);
  EXPECT_EQ(exchange.error->code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(exchange.error->message, HasSubstr("CRAM-MD5"));
  EXPECT_THAT(server.mails(), IsEmpty());
}

TEST_F(MailTransferTest, EveryRefusalSaysWhatItWasAbout) {
  struct Row {
    const char* command;
    const char* reply;
    MailStep step;
  };
  const Row rows[] = {
      {"CONNECT", "554 go away", MailStep::kGreeting},
      {"CONNECT", "421 too busy", MailStep::kGreeting},
      {"MAIL", "451-wait\r\n451 a little", MailStep::kSender},
      {"MAIL", "550 not you", MailStep::kSender},
      {"RCPT", "550 no such user", MailStep::kRecipients},
      {"RCPT", "450 greylisted", MailStep::kRecipients},
      {"DATA", "451 disk full", MailStep::kContent},
      {".", "554 looks like spam", MailStep::kContent},
      {".", "451 try later", MailStep::kContent},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.command) + " " + row.reply);
    SmtpServer server({.reply = [&](const std::string& command) -> std::optional<std::string> {
      if (!command.starts_with(row.command)) return std::nullopt;
      return row.reply;
    }});
    const auto exchange = Send(Mail(server));
    ASSERT_FALSE(exchange.error) << exchange.error->message;
    EXPECT_EQ(std::to_string(exchange.response.status), std::string(row.reply).substr(0, 3));
    EXPECT_EQ(exchange.response.mail_step, row.step);
    EXPECT_LT(exchange.response.duration_seconds, 2);
    EXPECT_THAT(server.mails(), IsEmpty());
  }
}

TEST_F(MailTransferTest, OneRecipientsRefusalIsNotTheOthers) {
  SmtpServer server({.reply = [](const std::string& command) -> std::optional<std::string> {
    if (command == "RCPT TO:<ann@example.com>") return "550 no such user";
    if (command == "RCPT TO:<carl@example.com>") return "450 later";
    return std::nullopt;
  }});
  auto request = Mail(server);
  request.mail->recipients = {"ann@example.com", "bob@example.com", "carl@example.com"};
  const auto exchange = Send(request);
  ASSERT_FALSE(exchange.error) << exchange.error->message;
  EXPECT_EQ(exchange.response.status, 250);
  std::vector<int> codes;
  for (const MailReply& reply : exchange.response.recipients) codes.push_back(reply.code);
  EXPECT_THAT(codes, ElementsAre(550, 250, 450));
  EXPECT_THAT(server.mails().at(0).recipients, ElementsAre("<bob@example.com>"));
}

TEST_F(MailTransferTest, AServerThatHangsAnywhereCostsTheDeadlineAndNoMore) {
  CurlHttpClient client(clock_, {.mail_reply_patience = Millis(300)});
  for (const char* at : {"CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."}) {
    SCOPED_TRACE(at);
    SmtpServer server({.reply = [&](const std::string& command) -> std::optional<std::string> {
      if (!command.starts_with(at)) return std::nullopt;
      return SmtpServer::kHang;
    }});
    const auto exchange = Fetch(client, Mail(server), clock_.SteadyNow() + Millis(300));
    ASSERT_TRUE(exchange.error);
    EXPECT_EQ(exchange.error->code, ErrorCode::kDeadlineExceeded) << exchange.error->message;
    EXPECT_LT(exchange.response.duration_seconds, 1.5);
  }
}

// Sent again while it is being taken, the mail would arrive twice.
TEST_F(MailTransferTest, TheReplyToAWholeMessageIsWaitedForBeyondTheDeadline) {
  std::atomic<SteadyTime> deadline{SteadyTime::max()};
  SmtpServer server({.reply = [&](const std::string& command) -> std::optional<std::string> {
    if (command == ".") std::this_thread::sleep_until(deadline.load() + Millis(500));
    return std::nullopt;
  }});
  deadline = clock_.SteadyNow() + Millis(700);
  const auto exchange = Fetch(client_, Mail(server), deadline);
  ASSERT_FALSE(exchange.error) << exchange.error->message;
  EXPECT_EQ(exchange.response.status, 250);
  EXPECT_GT(exchange.response.duration_seconds, 1);
  EXPECT_EQ(server.mails().size(), 1u);
}

TEST_F(MailTransferTest, ASickServerLeavesPlacesToTheOthers) {
  SmtpServer hung({.reply = [](const std::string&) { return SmtpServer::kHang; }});
  SmtpServer good({});
  std::vector<HttpClient::RequestId> ids;
  for (std::size_t i = 0; i < MailSender::kMaxMailsOfServer; ++i) {
    ids.push_back(
        client_.Start(Mail(hung), clock_.SteadyNow() + seconds(60), [](const HttpExchange&) {}));
  }
  const auto one_more = Send(Mail(hung));
  ASSERT_TRUE(one_more.error);
  EXPECT_EQ(one_more.error->code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(Send(Mail(good)).response.status, 250);
  for (const auto id : ids) client_.Cancel(id);
}

TEST_F(MailTransferTest, AServerThatHangsAtTheFarewellHasTakenTheMail) {
  for (const char* refused : {"none", "."}) {
    SmtpServer server({.reply = [&](const std::string& command) -> std::optional<std::string> {
      if (command == "QUIT") return SmtpServer::kHang;
      if (command == refused) return "554 no";
      return std::nullopt;
    }});
    const auto exchange = Send(Mail(server), seconds(30));
    ASSERT_FALSE(exchange.error) << exchange.error->message;
    EXPECT_EQ(exchange.response.status, std::string(refused) == "." ? 554 : 250);
    EXPECT_LT(exchange.response.duration_seconds, 4);
  }
}

TEST_F(MailTransferTest, AServerThatBreaksOff) {
  for (const char* at : {"CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."}) {
    SCOPED_TRACE(at);
    SmtpServer server({.reply = [&](const std::string& command) -> std::optional<std::string> {
      if (!command.starts_with(at)) return std::nullopt;
      return SmtpServer::kClose;
    }});
    const auto exchange = Send(Mail(server));
    ASSERT_TRUE(exchange.error);
    EXPECT_EQ(exchange.error->code, ErrorCode::kUnavailable) << exchange.error->message;
    EXPECT_LT(exchange.response.duration_seconds, 2);
  }
}

TEST_F(MailTransferTest, NobodyListens) {
  HttpRequest request;
  {
    SmtpServer gone({});
    request = Mail(gone);
  }
  request.tls.ca_file.clear();
  const auto exchange = Send(request);
  ASSERT_TRUE(exchange.error);
  EXPECT_THAT(exchange.error->message, HasSubstr("cannot connect"));
}

TEST_F(MailTransferTest, NonsenseInsteadOfAGreeting) {
  ScriptedPeer peer(
      {.answer = "HTTP/1.1 400 Bad Request\r\n\r\n", .answer_at_once = true, .close_after = true});
  SmtpServer unused({});
  auto request = Mail(unused);
  request.url = "smtp://127.0.0.1:" + std::to_string(peer.port());
  EXPECT_TRUE(Send(request, seconds(3)).error);
}

TEST_F(MailTransferTest, AnAddressCannotBringACommand) {
  SmtpServer server({});
  for (const char* evil : {"a@b>\r\nRCPT TO:<c@d", "a b@c", "", "a@b\n"}) {
    auto request = Mail(server);
    request.mail->recipients = {evil};
    const auto exchange = Send(request);
    ASSERT_TRUE(exchange.error) << evil;
    EXPECT_EQ(exchange.error->code, ErrorCode::kInvalidArgument);
    request = Mail(server);
    request.mail->sender = evil;
    EXPECT_TRUE(Send(request).error) << evil;
  }
  auto request = Mail(server);
  request.mail->hello = "me\r\nMAIL FROM:<x@y>";
  Send(request);
  EXPECT_THAT(server.commands(), Not(::testing::Contains("MAIL FROM:<x@y>")));
}

TEST_F(MailTransferTest, CancelEndsAHungOneAtOnceAndOthersGoOnMeanwhile) {
  SmtpServer hung({.reply = [](const std::string& command) -> std::optional<std::string> {
    if (command != ".") return std::nullopt;
    return SmtpServer::kHang;
  }});
  SmtpServer good({});
  std::promise<HttpExchange> ended;
  const auto id =
      client_.Start(Mail(hung), clock_.SteadyNow() + seconds(60),
                    [&](HttpExchange exchange) { ended.set_value(std::move(exchange)); });
  EXPECT_EQ(Send(Mail(good)).response.status, 250);
  client_.Cancel(id);
  auto future = ended.get_future();
  ASSERT_EQ(future.wait_for(seconds(3)), std::future_status::ready);
  EXPECT_EQ(future.get().error->code, ErrorCode::kCancelled);
}

TEST_F(MailTransferTest, TheClientEndsThoughMailsHang) {
  SmtpServer hung({.reply = [](const std::string&) { return SmtpServer::kHang; }});
  std::atomic<int> cancelled = 0;
  const auto begin = clock_.SteadyNow();
  {
    CurlHttpClient client(clock_);
    for (int i = 0; i < 5; ++i) {
      client.Start(Mail(hung), clock_.SteadyNow() + seconds(60), [&](HttpExchange exchange) {
        if (exchange.error && exchange.error->code == ErrorCode::kCancelled) ++cancelled;
      });
    }
  }
  EXPECT_EQ(cancelled, 5);
  EXPECT_LT(clock_.SteadyNow() - begin, seconds(3));
}

}  // namespace
}  // namespace tocsin::testing
