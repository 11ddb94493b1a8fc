// A mail receiver's configuration: Alertmanager's, and what is wrong with it.

#include <gmock/gmock.h>

#include "tests/unit/daemon/notify/email_world.h"

namespace tocsin::notify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

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

TEST(EmailConfigTest, AddressesAreAscii) {
  const std::string errors = ErrorsOf(
      "route: {receiver: a}\nreceivers:\n"
      "- {name: a, email_configs: [{to: 'Jörg <joerg@example.com>', from: 'x@y', smarthost: "
      "'m:25'}]}\n"
      "- {name: b, email_configs: [{to: 'jörg@example.com', from: 'x@y', smarthost: 'm:25'}]}\n"
      "- {name: c, email_configs: [{to: 'a@b', from: 'x@bücher.example', smarthost: 'm:25'}]}\n");
  EXPECT_THAT(errors, Not(HasSubstr("am.yml:3")));
  EXPECT_THAT(errors, HasSubstr("am.yml:4"));
  EXPECT_THAT(errors, HasSubstr("\"jörg@example.com\" is not an ASCII mail address (a domain can "
                                "be written as xn--…)"));
  EXPECT_THAT(errors, HasSubstr("am.yml:5"));
  EXPECT_THAT(errors, HasSubstr("\"x@bücher.example\" is not an ASCII mail address"));
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

}  // namespace
}  // namespace tocsin::notify
