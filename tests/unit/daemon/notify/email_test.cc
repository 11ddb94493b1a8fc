// Mails: what they say, to whom, and what becomes of a mail server's replies.

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "daemon/notify/receivers/receiver.h"
#include "tests/support/mail_reader.h"
#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::string Yaml(const std::string& email, const std::string& global = "") {
  return (global.empty() ? "" : "global: {" + global + "}\n") +
         "route: {receiver: ops, group_by: [alertname], group_wait: 10s, group_interval: 1m}\n"
         "receivers: [{name: ops, email_configs: [{" +
         email + "}]}]\n";
}
const std::string kPlain =
    "to: 'ann@example.com, bob@example.com', from: 'tocsin@example.com', "
    "smarthost: 'mail.test:587', send_resolved: true";

std::string ErrorsOf(const std::string& yaml) {
  ConfigErrors errors;
  PosixFileSystem files;
  const auto root = ConfigNode::Parse(yaml, "am.yml", ConfigNode::Expand::kNothing, errors);
  EXPECT_FALSE(ParseAlertmanagerConfig(root, files, errors));
  return errors.Text();
}

const EmailConfig& EmailOf(const NotifyConfig& config) {
  return std::get<EmailConfig>(config.receivers[0].integrations[0].settings);
}

Notification Down(const std::string& summary = "it hurts") {
  NotifiedAlert alert;
  alert.labels = {{"alertname", "Down"}, {"instance", "db1"}, {"severity", "critical"}};
  alert.annotations = {{"summary", summary}, {"runbook_url", "https://runbook/"}};
  alert.starts_at = FromUnixMillis(1'700'000'000'000);
  alert.generator_url = "http://tocsin/graph?g0.expr=up&g0.tab=1";
  Notification notification;
  notification.receiver = "ops";
  notification.group_key = "{}:{alertname=\"Down\"}";
  notification.group_labels = {{"alertname", "Down"}};
  notification.alerts = {alert};
  return notification;
}

EncodedMessage Encode(const std::string& email, const Notification& notification = Down(),
                      Occasion occasion = {FromUnixMillis(1'700'000'060'000),
                                           FromUnixMillis(1'700'000'030'000),
                                           "ops/email/0",
                                           {}},
                      const std::string& global = "") {
  const auto config = Config(Yaml(email, global));
  const auto templates = Templates::Make(*config, "http://tocsin.test").value();
  return MakeReceiver(config->receivers[0].integrations[0], templates)
      .value()
      ->Encode(notification, occasion);
}

TEST(EmailConfigTest, GlobalSettingsAreInheritedAndOverridden) {
  const std::string global =
      "smtp_from: 'Tocsin <tocsin@example.com>', smtp_smarthost: 'mail.test:25', smtp_hello: "
      "me.test, "
      "smtp_auth_username: u, smtp_auth_password: p, smtp_auth_secret: s, smtp_auth_identity: i, "
      "smtp_require_tls: false, smtp_tls_config: {server_name: mail.example}";
  const auto inherited = Config(Yaml("to: 'ann@example.com'", global));
  const EmailConfig& email = EmailOf(*inherited);
  EXPECT_EQ(email.from, "Tocsin <tocsin@example.com>");
  EXPECT_EQ(email.host + " " + email.port, "mail.test 25");
  EXPECT_EQ(email.hello, "me.test");
  EXPECT_EQ(email.auth_username, "u");
  EXPECT_EQ(email.auth_password.Reveal(), "p");
  EXPECT_EQ(email.auth_secret.Reveal(), "s");
  EXPECT_EQ(email.auth_identity, "i");
  EXPECT_FALSE(email.require_tls);
  EXPECT_EQ(email.tls.server_name, "mail.example");
  EXPECT_FALSE(inherited->receivers[0].integrations[0].send_resolved);
  const auto own = Config(
      Yaml("to: 'ann@example.com', from: 'x@example.com', smarthost: '[::1]:465', hello: h, "
           "auth_username: v, auth_password: q, auth_secret: t, auth_identity: j, require_tls: "
           "true, tls_config: {server_name: other.example}",
           global));
  EXPECT_EQ(EmailOf(*own).from, "x@example.com");
  EXPECT_EQ(EmailOf(*own).host, "[::1]");
  EXPECT_EQ(EmailOf(*own).auth_password.Reveal(), "q");
  EXPECT_TRUE(EmailOf(*own).require_tls);
  EXPECT_EQ(EmailOf(*own).tls.server_name, "other.example");
}

TEST(EmailConfigTest, DefaultsAreAlertmanagers) {
  const auto config = Config(Yaml("to: 'ann@example.com', from: 'x@y', smarthost: 'm:25'"));
  const EmailConfig& email = EmailOf(*config);
  EXPECT_TRUE(email.require_tls);
  EXPECT_EQ(email.hello, "localhost");
  EXPECT_THAT(email.headers,
              ElementsAre(std::pair("From", "x@y"),
                          std::pair("Subject", "{{ template \"email.default.subject\" . }}"),
                          std::pair("To", "ann@example.com")));
}

TEST(EmailConfigTest, ASharedFilesMailSettingsAreNoMatterIfNobodyGetsMail) {
  const std::string global = "global: {smtp_auth_password_file: /none, smtp_hello: me.test}\n";
  EXPECT_TRUE(Config(global + "route: {receiver: a}\nreceivers: [{name: a}]\n"));
  EXPECT_THAT(ErrorsOf(global + "route: {receiver: a}\nreceivers: [{name: a, email_configs: [{to: "
                                "a@b, from: x@y, smarthost: 'm:25'}]}]\n"),
              HasSubstr("smtp_auth_password_file"));
}

TEST(EmailConfigTest, MistakesNameTheKey) {
  const std::string errors = ErrorsOf(
      "route: {receiver: a}\nreceivers:\n"
      "- {name: a, email_configs: [{to: '', http_config: {}}]}\n"
      "- {name: b, email_configs: [{to: 'ann', from: 'x@y, z@y', smarthost: 'mail.test'}]}\n"
      "- {name: c, email_configs: [{to: 'a@b', from: 'x@y', smarthost: 'm:25', auth_username: u, "
      "headers: {subject: x, Subject: y, 'a b': z, content-type: t}, hello: 'a b'}]}\n"
      "- {name: d, email_configs: [{to: 'a@b', from: 'x@y', smarthost: 'm:99999', auth_password: "
      "HUSH, auth_password_file: /none}]}\n");
  for (const char* part :
       {"no sender: set \"from\" here or \"smtp_from\" in global",
        "no mail server: set \"smarthost\"", "unknown key \"http_config\"",
        "\"ann\" is not a mail address", "must be one address, not 2",
        "\"mail.test\" is not HOST:PORT", "\"m:99999\" is not HOST:PORT",
        "a user needs \"auth_password\"", "header \"Subject\" stands twice",
        "\"a b\" is not a header's name", "\"Content-Type\" is set by the message itself",
        "must be a host's name", "keep one of them"}) {
    EXPECT_THAT(errors, HasSubstr(part));
  }
  EXPECT_THAT(errors, Not(HasSubstr("HUSH")));
}

TEST(EmailConfigTest, IsPrintedWithoutItsPasswordAndReadsBackTheSame) {
  const auto config = Config(
      Yaml(kPlain + ", auth_username: u, auth_password: HUSHWORD, auth_secret: HUSHCRAM, "
                    "auth_identity: me, require_tls: false, hello: me.test, headers: {reply-to: "
                    "'r@example.com'}, html: '<p>{{ .Status }}</p>', text: t, tls_config: "
                    "{server_name: s, insecure_skip_verify: true}"));
  const std::string printed = PrintAlertmanager(*config);
  EXPECT_THAT(printed, Not(HasSubstr("HUSH")));
  EXPECT_THAT(printed, HasSubstr("email_configs:"));
  EXPECT_EQ(PrintAlertmanager(*Config(printed)), printed);
}

TEST(EmailTest, SaysWhatFiresInBothParts) {
  const auto message = Encode(kPlain);
  EXPECT_THAT(message.notes, IsEmpty());
  const auto mail = testing::ReadMailText(message.request.body);
  EXPECT_EQ(testing::FaultOfMailLines(message.request.body), "");
  EXPECT_EQ(mail.headers.at("Subject"), "[FIRING:1] Down (db1 critical)");
  EXPECT_EQ(mail.headers.at("To"), "ann@example.com, bob@example.com");
  EXPECT_EQ(mail.headers.at("From"), "tocsin@example.com");
  EXPECT_EQ(mail.headers.at("Date"), "Tue, 14 Nov 2023 22:13:50 +0000");
  ASSERT_EQ(mail.parts.size(), 2u);
  EXPECT_EQ(mail.parts[0].second,
            "1 firing: alertname=Down\n"
            "\n"
            "FIRING: it hurts\n"
            "  alertname = Down\n"
            "  instance = db1\n"
            "  severity = critical\n"
            "  runbook_url: https://runbook/\n"
            "  since 2023-11-14 22:13:20 UTC\n"
            "  http://tocsin/graph?g0.expr=up&g0.tab=1\n"
            "\n"
            "-- \n"
            "http://tocsin.test/#/alerts?receiver=ops\n");
  EXPECT_THAT(mail.parts[1].second, HasSubstr("<strong>FIRING</strong> it hurts"));
  EXPECT_THAT(mail.parts[1].second,
              HasSubstr("href=\"http://tocsin/graph?g0.expr=up&amp;g0.tab=1\""));
  EXPECT_THAT(mail.parts[1].second, HasSubstr("href=\"http://tocsin.test/#/alerts?receiver=ops\""));
}

TEST(EmailTest, EnvelopeIsWhatTheAddressesSay) {
  const auto request =
      Encode(
          "to: 'Ann <ann@example.com>, bob@example.com, ann@example.com', from: 'Tocsin "
          "<tocsin@example.com>', smarthost: 'mail.test:587', hello: me.test")
          .request;
  EXPECT_EQ(request.url, "smtp://mail.test:587");
  EXPECT_EQ(request.mail->sender, "tocsin@example.com");
  EXPECT_THAT(request.mail->recipients, ElementsAre("ann@example.com", "bob@example.com"));
  EXPECT_EQ(request.mail->hello, "me.test");
  EXPECT_TRUE(request.mail->starttls);
  const auto implicit = Encode("to: 'a@b', from: 'x@y', smarthost: 'mail.test:465'").request;
  EXPECT_EQ(implicit.url, "smtps://mail.test:465");
  EXPECT_FALSE(implicit.mail->starttls);
}

TEST(EmailTest, AddressesAreTemplates) {
  const auto request = Encode(
                           "to: '{{ .CommonLabels.instance }}@example.com', from: "
                           "'{{ .Receiver }}@example.com', smarthost: 'm:25'")
                           .request;
  EXPECT_EQ(request.mail->sender, "ops@example.com");
  EXPECT_THAT(request.mail->recipients, ElementsAre("db1@example.com"));
}

TEST(EmailTest, APasswordIsNotShownToTheNetwork) {
  const auto mechanisms = [](const std::string& rest) {
    return Encode("to: 'a@b', from: 'x@y', auth_username: u, " + rest).request.mail->mechanisms;
  };
  EXPECT_THAT(mechanisms("auth_password: p, smarthost: 'm:587'"), ElementsAre("PLAIN", "LOGIN"));
  EXPECT_THAT(mechanisms("auth_password: p, smarthost: 'm:465', require_tls: false"),
              ElementsAre("PLAIN", "LOGIN"));
  EXPECT_THAT(mechanisms("auth_password: p, smarthost: 'localhost:25', require_tls: false"),
              ElementsAre("PLAIN", "LOGIN"));
  EXPECT_THAT(mechanisms("auth_password: p, smarthost: 'm:25', require_tls: false"),
              ElementsAre("CRAM-MD5"));
  EXPECT_THAT(mechanisms("auth_secret: s, smarthost: 'm:587'"), ElementsAre("CRAM-MD5"));
}

TEST(EmailTest, NoLabelCanAddAHeaderOrARecipient) {
  Notification evil = Down("x\r\nBcc: evil@example.com\r\n\r\n<script>alert(1)</script>");
  evil.alerts[0].labels = {{"alertname", "x\r\nBcc: evil@example.com"},
                           {"team", "ops@example.com>\r\nRCPT TO:<evil@example.com"}};
  evil.alerts[0].generator_url = "javascript:alert(1)";
  evil.group_labels = {{"alertname", "x\r\nBcc: evil@example.com"}};
  const auto message = Encode(
      "to: 'ann@example.com', from: 'x@y', smarthost: 'm:25', headers: {X-Team: '{{ "
      ".CommonLabels.team }}', Reply-To: '{{ .CommonLabels.team }}'}",
      evil);
  const auto mail = testing::ReadMailText(message.request.body);
  EXPECT_EQ(testing::FaultOfMailLines(message.request.body), "");
  EXPECT_EQ(mail.headers.count("Bcc"), 0u);
  ASSERT_EQ(mail.parts.size(), 2u);
  EXPECT_THAT(mail.parts[1].second, Not(HasSubstr("<script>")));
  EXPECT_THAT(mail.parts[1].second, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(mail.parts[1].second, Not(HasSubstr("javascript:")));
  const auto to = Encode("to: '{{ .CommonLabels.team }}', from: 'x@y', smarthost: 'm:25'", evil);
  EXPECT_THAT(to.unsendable.value_or(""), StartsWith("to: "));
}

TEST(EmailTest, TheMessageIdIsThatOfTheDelivery) {
  const auto id = [](const Notification& notification, std::int64_t created_ms,
                     std::int64_t now_ms) {
    const auto message =
        Encode(kPlain, notification,
               {FromUnixMillis(now_ms), FromUnixMillis(created_ms), "ops/email/0", {}});
    return testing::ReadMailText(message.request.body).headers.at("Message-Id");
  };
  EXPECT_EQ(id(Down(), 1000, 2000), id(Down(), 1000, 90'000));
  EXPECT_NE(id(Down(), 1000, 2000), id(Down(), 1001, 2000));
  EXPECT_THAT(id(Down(), 1000, 2000), ::testing::EndsWith("@example.com>"));
}

TEST(EmailTest, OwnHeadersTakeThePlaceOfOurs) {
  const auto mail = testing::ReadMailText(
      Encode(kPlain + ", headers: {subject: 'Größe: {{ .Status }}', Message-Id: '<own@x>', from: "
                      "'Other <other@example.com>'}")
          .request.body);
  EXPECT_EQ(mail.headers.at("Subject"), "Größe: firing");
  EXPECT_EQ(mail.headers.at("Message-Id"), "<own@x>");
  EXPECT_EQ(mail.headers.at("From"), "Other <other@example.com>");
}

// -- Replies --

HttpExchange Replied(MailStep step, int status, const std::string& text = "words") {
  HttpExchange exchange;
  exchange.response.status = status;
  exchange.response.body = text;
  exchange.response.mail_step = step;
  return exchange;
}

TEST(MailVerdictTest, RepliesByStep) {
  struct Row {
    MailStep step;
    int status;
    Outcome outcome;
    FailureReason reason;
    Millis after;
  };
  const Millis now(0);
  const Millis later = kMaxRetryDelay;
  using enum MailStep;
  const Row rows[] = {
      {kContent, 250, Outcome::kDelivered, FailureReason::kNone, now},
      {kGreeting, 421, Outcome::kRetryLater, FailureReason::kServerError, now},
      {kGreeting, 554, Outcome::kRetryLater, FailureReason::kServerError, later},
      {kHello, 550, Outcome::kRetryLater, FailureReason::kServerError, later},
      {kStartTls, 454, Outcome::kRetryLater, FailureReason::kServerError, now},
      {kLogin, 454, Outcome::kRetryLater, FailureReason::kServerError, now},
      {kLogin, 535, Outcome::kRetryLater, FailureReason::kAuthError, later},
      {kSender, 451, Outcome::kRetryLater, FailureReason::kServerError, now},
      {kSender, 530, Outcome::kRetryLater, FailureReason::kAuthError, later},
      {kSender, 553, Outcome::kRetryLater, FailureReason::kClientError, later},
      {kContent, 452, Outcome::kRetryLater, FailureReason::kServerError, now},
      {kContent, 552, Outcome::kGiveUp, FailureReason::kClientError, now},
      {kContent, 554, Outcome::kGiveUp, FailureReason::kClientError, now},
  };
  for (const Row& row : rows) {
    const Verdict verdict = JudgeMail(Replied(row.step, row.status));
    SCOPED_TRACE(std::to_string(static_cast<int>(row.step)) + " " + std::to_string(row.status));
    EXPECT_EQ(verdict.outcome, row.outcome);
    EXPECT_EQ(verdict.reason, row.reason);
    EXPECT_EQ(verdict.retry_after, row.after);
    EXPECT_EQ(verdict.error.empty(), row.outcome == Outcome::kDelivered);
    EXPECT_FALSE(verdict.holds_channel);
  }
}

TEST(MailVerdictTest, RecipientsOneByOne) {
  auto exchange = Replied(MailStep::kContent, 250);
  exchange.response.recipients = {
      {"a@x", 250, "ok"}, {"b@x", 550, "no such user"}, {"c@x", 450, "greylisted"}};
  Verdict verdict = JudgeMail(exchange);
  EXPECT_EQ(verdict.outcome, Outcome::kRetryLater);
  EXPECT_EQ(verdict.error, "1 of 3 recipients not taken for now: c@x: 450 greylisted");
  EXPECT_THAT(verdict.settled_recipients, ElementsAre("a@x", "b@x"));
  EXPECT_THAT(verdict.refused_recipients, ElementsAre("b@x: 550 no such user"));
  // Nobody's was taken: whom it refused for good need not be asked again.
  exchange.response.recipients.erase(exchange.response.recipients.begin());
  exchange.response.status = 450;
  exchange.response.mail_step = MailStep::kRecipients;
  verdict = JudgeMail(exchange);
  EXPECT_EQ(verdict.outcome, Outcome::kRetryLater);
  EXPECT_THAT(verdict.settled_recipients, ElementsAre("b@x"));
  exchange.response.recipients.pop_back();
  verdict = JudgeMail(exchange);
  EXPECT_EQ(verdict.outcome, Outcome::kGiveUp);
  EXPECT_EQ(verdict.error, "every recipient was refused: b@x: 550 no such user");
}

TEST(MailVerdictTest, NoReplyIsTriedAgain) {
  for (const ErrorCode code :
       {ErrorCode::kUnavailable, ErrorCode::kDeadlineExceeded, ErrorCode::kCancelled,
        ErrorCode::kResourceExhausted, ErrorCode::kPermissionDenied}) {
    HttpExchange exchange;
    exchange.error = Error{code, "mail.test:25: trouble"};
    EXPECT_EQ(JudgeMail(exchange).outcome, Outcome::kRetryLater);
  }
}

// -- Through the outbox --

class MailWorld {
 public:
  MailWorld() {
    world.http->Answer("smtp://mail.test", [this](const HttpRequest& request) {
      asked.push_back(request.mail->recipients);
      ScriptedAnswer answer = ScriptedAnswer::Status(250, "taken");
      for (const std::string& recipient : request.mail->recipients) {
        const auto own = replies.find(recipient);
        answer.recipients.push_back(
            {recipient, own == replies.end() ? 250 : own->second, "says the server"});
      }
      const bool wanted = std::any_of(answer.recipients.begin(), answer.recipients.end(),
                                      [](const auto& reply) { return reply.code == 250; });
      if (!wanted) {
        answer.status = answer.recipients.back().code;
        answer.mail_step = MailStep::kRecipients;
      } else if (content != 250) {
        answer.status = content;
        answer.mail_step = MailStep::kContent;
      }
      return answer;
    });
  }
  double Refused() {
    return world.metrics
        ->Counter("tocsin_mail_recipients_refused_total",
                  "Recipients of mails whom the mail server refused for good.")
        .Value();
  }
  World world{Config(Yaml(kPlain))};
  std::map<std::string, int> replies;
  int content = 250;
  std::vector<std::vector<std::string>> asked;
};

TEST(EmailDeliveryTest, OnlyWhoWasPutOffIsToldAgain) {
  MailWorld mail;
  mail.replies = {{"bob@example.com", 450}};
  mail.world.Fire({{"alertname", "Down"}});
  mail.world.Run(seconds(30));
  ASSERT_GE(mail.asked.size(), 2u);
  EXPECT_THAT(mail.asked[0], ElementsAre("ann@example.com", "bob@example.com"));
  EXPECT_THAT(mail.asked[1], ElementsAre("bob@example.com"));
  EXPECT_EQ(mail.world.notifier->Outbox().size(), 1u);
  mail.replies.clear();
  mail.world.Run(minutes(3));
  EXPECT_THAT(mail.world.notifier->Outbox(), IsEmpty());
  EXPECT_THAT(mail.asked.back(), ElementsAre("bob@example.com"));
}

TEST(EmailDeliveryTest, ARecipientWhoIsRefusedKeepsNobodyFromBeingToldAndIsCounted) {
  MailWorld mail;
  mail.replies = {{"bob@example.com", 550}};
  mail.world.Fire({{"alertname", "Down"}});
  mail.world.Run(minutes(10));
  EXPECT_EQ(mail.asked.size(), 1u);
  EXPECT_THAT(mail.world.notifier->Outbox(), IsEmpty());
  EXPECT_EQ(mail.Refused(), 1);
}

TEST(EmailDeliveryTest, PutOffAndThenRefusedTellsTheOthersOnce) {
  MailWorld mail;
  mail.replies = {{"bob@example.com", 450}};
  mail.world.Fire({{"alertname", "Down"}});
  mail.world.Run(seconds(12));
  mail.replies = {{"bob@example.com", 550}};
  mail.world.Run(minutes(10));
  EXPECT_EQ(mail.Refused(), 1);
  const auto to_ann = std::count_if(mail.asked.begin(), mail.asked.end(), [](const auto& asked) {
    return std::find(asked.begin(), asked.end(), "ann@example.com") != asked.end();
  });
  EXPECT_EQ(to_ann, 1);
}

// Refused by one at once and by the other later, it reached nobody.
TEST(EmailDeliveryTest, RefusedByEachInItsTimeItIsGivenUp) {
  MailWorld mail;
  mail.replies = {{"ann@example.com", 550}, {"bob@example.com", 450}};
  mail.world.Fire({{"alertname", "Down"}});
  mail.world.Run(seconds(12));
  mail.replies = {{"ann@example.com", 550}, {"bob@example.com", 550}};
  mail.world.Run(minutes(2));
  const auto attempts = mail.world.notifier->Attempts();
  EXPECT_TRUE(std::any_of(attempts.begin(), attempts.end(),
                          [](const auto& attempt) { return attempt.given_up; }));
}

TEST(EmailDeliveryTest, AMessageThatIsRefusedIsGivenUpAndComposedAnew) {
  MailWorld mail;
  mail.content = 554;
  mail.world.Fire({{"alertname", "Down"}});
  mail.world.Run(seconds(30));
  EXPECT_THAT(mail.world.notifier->Outbox(), IsEmpty());
  mail.content = 250;
  mail.world.Run(minutes(2));
  EXPECT_EQ(mail.asked.size(), 2u);
}

TEST(EmailDeliveryTest, WithoutASoundAddressItIsGivenUpWithTheReason) {
  World world(
      Config(Yaml("to: '{{ .CommonLabels.owner }}', from: 'x@y', smarthost: 'mail.test:25'")));
  const model::Labels down = {{"alertname", "Down"}};
  world.Fire(down);
  world.Run(seconds(30));
  EXPECT_THAT(world.http->requests(), IsEmpty());
  const auto attempts = world.notifier->Attempts();
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_TRUE(attempts[0].given_up);
  EXPECT_EQ(attempts[0].error, "to: no mail address");
}

TEST(EmailDeliveryTest, NoCredentialInErrorsOrTheDatabase) {
  World world(Config(Yaml(kPlain + ", auth_username: user, auth_password: HUSHWORD")));
  // "\0user\0HUSHWORD" and "HUSHWORD" as they go over the wire.
  const std::string wire = "AHVzZXIASFVTSFdPUkQ= SFVTSFdPUkQ=";
  world.http->Answer("smtp://mail.test", [&](const HttpRequest& request) {
    EXPECT_EQ(request.mail->password.Reveal(), "HUSHWORD");
    auto answer = ScriptedAnswer::Status(535, "HUSHWORD " + wire);
    answer.mail_step = MailStep::kLogin;
    return answer;
  });
  world.Fire({{"alertname", "Down"}});
  world.Run(minutes(1));
  std::string seen = world.metrics->Text() + PrintAlertmanager(*world.notifier->config());
  for (const auto& attempt : world.notifier->Attempts()) seen += attempt.error;
  for (const auto& pending : world.notifier->Outbox()) seen += pending.last_error;
  EXPECT_THAT(seen, HasSubstr("login refused with 535 <secret>"));
  for (const char* suffix : {"", "-wal"}) {
    std::ifstream file(world.database() + suffix, std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    seen += bytes.str();
  }
  EXPECT_THAT(seen, Not(HasSubstr("HUSHWORD")));
  EXPECT_THAT(seen, Not(HasSubstr("SFVTSFdPUkQ")));
}

TEST(EmailDeliveryTest, TheEndIsToldWhenAskedForAndAfterTheQuiet) {
  MailWorld mail;
  const model::Labels down = {{"alertname", "Down"}};
  mail.world.Fire(down);
  mail.world.Run(seconds(30));
  mail.world.Mute("alertname=Down", minutes(10));
  mail.world.Resolve(down);
  mail.world.Run(minutes(5));
  EXPECT_EQ(mail.asked.size(), 1u) << "told within the silence";
  mail.world.Run(minutes(10));
  EXPECT_EQ(mail.asked.size(), 2u);
}

}  // namespace
}  // namespace tocsin::notify
