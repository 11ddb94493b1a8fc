// Mails: what they say and to whom.

#include <gmock/gmock.h>

#include "daemon/notify/receivers/receiver.h"
#include "tests/support/mail_reader.h"
#include "tests/unit/daemon/notify/email_world.h"

namespace tocsin::notify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

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
  return EncodeAsFirst(*Config(Yaml(email, global)), notification, occasion);
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
  // What PLAIN and LOGIN would show, and what CRAM-MD5 does not.
  const auto words = [](const std::string& rest) {
    const auto mail = *Encode("to: 'a@b', from: 'x@y', auth_username: u, " + rest).request.mail;
    return std::pair(mail.password.Reveal(), mail.secret.Reveal());
  };
  const std::string password = "auth_password: p, ";
  const std::string secret = "auth_secret: s, ";
  const std::string open = "smarthost: 'm:25', require_tls: false";
  EXPECT_THAT(words(password + "smarthost: 'm:587'"), Pair("p", ""));
  EXPECT_THAT(words(password + "smarthost: 'm:465', require_tls: false"), Pair("p", ""));
  EXPECT_THAT(words(password + "smarthost: 'localhost:25', require_tls: false"), Pair("p", ""));
  EXPECT_THAT(words(password + open), Pair("", "p"));
  EXPECT_THAT(words(secret + "smarthost: 'm:587'"), Pair("", "s"));
  EXPECT_THAT(words(password + secret + "smarthost: 'm:587'"), Pair("p", "s"));
  EXPECT_THAT(words(password + secret + open), Pair("", "s"));
}

TEST(EmailTest, ALongListOfRecipientsIsWholeInItsHeader) {
  std::string to;
  for (int i = 0; i < 90; ++i) {
    to += (i > 0 ? ", " : "") + ("Somebody Of The Team " + std::to_string(i)) + " <somebody" +
          std::to_string(i) + "@team.example.com>";
  }
  ASSERT_GT(to.size(), 4000u);
  const auto message = Encode("to: '" + to + "', from: 'x@y', smarthost: 'm:25'");
  EXPECT_THAT(message.notes, IsEmpty());
  EXPECT_EQ(message.request.mail->recipients.size(), 90u);
  EXPECT_EQ(testing::ReadMailText(message.request.body).headers.at("To"), to);
  EXPECT_EQ(testing::FaultOfMailLines(message.request.body), "");
}

TEST(EmailTest, OtherLongHeadersAreCutAndThatIsNoted) {
  const auto message = Encode(kPlain + ", headers: {X-Note: '" + std::string(2500, 'x') + "'}");
  EXPECT_THAT(message.notes, ElementsAre("X-Note cut to 2000 characters"));
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

TEST(EmailTest, AnAddressThatIsNotAsciiGoesNowhere) {
  Notification down = Down();
  down.alerts[0].labels = {{"alertname", "Down"}, {"owner", "jörg@example.com"}};
  const auto message =
      Encode("to: '{{ .CommonLabels.owner }}', from: 'x@y', smarthost: 'm:25'", down);
  EXPECT_THAT(message.unsendable.value_or(""),
              HasSubstr("to: \"jörg@example.com\" is not an ASCII mail address"));
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

}  // namespace
}  // namespace tocsin::notify
