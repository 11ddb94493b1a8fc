// A credential that is rotated in its file reaches every receiver at the next attempt, with
// no reload; and what a peer throws back of it is hidden like the one before.

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "daemon/base/text.h"
#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

const model::Labels kDown = {{"alertname", "Down"}};

class RotatedCredentialTest : public ::testing::Test {
 protected:
  std::string File(const std::string& name) { return (folder_.path() / name).string(); }
  void Write(const std::string& name, const std::string& content) {
    std::ofstream(File(name)) << content << "\n";
  }
  std::string Receiver(const std::string& configs) {
    return "route: {receiver: ops, group_wait: 0s}\nreceivers: [{name: ops, " + configs + "}]\n";
  }

  // What the peer at `url` is sent while it fails, and after `rotate`.
  std::pair<HttpRequest, HttpRequest> BeforeAndAfter(const std::string& configs,
                                                     const std::string& url,
                                                     const std::function<void()>& rotate) {
    World world(Config(Receiver(configs)));
    world.http->Answer(url, {ScriptedAnswer::Refused()});
    world.Fire(kDown);
    world.Run(seconds(1));
    rotate();
    world.Run(minutes(2));
    const auto sent = world.http->requests(url);
    EXPECT_GE(sent.size(), 2u) << configs;
    if (sent.size() < 2) return {};
    return {sent.front().request, sent.back().request};
  }

  TempFolder folder_;
};

TEST_F(RotatedCredentialTest, ASlackWebhookIsReadAgainBeforeEachAttempt) {
  Write("slack.url", "http://slack.test/before");
  const auto [before, after] =
      BeforeAndAfter("slack_configs: [{api_url_file: '" + File("slack.url") + "', channel: C1}]",
                     "http://slack.test", [&] { Write("slack.url", "http://slack.test/after"); });
  EXPECT_EQ(before.url, "http://slack.test/before");
  EXPECT_EQ(after.url, "http://slack.test/after");
}

TEST_F(RotatedCredentialTest, ASlackTokenOfGlobalIsReadAgain) {
  Write("slack.token", "xoxb-before");
  World world(Config("global: {slack_app_token_file: '" + File("slack.token") +
                     "', slack_app_url: 'http://slack.test/api'}\n" +
                     Receiver("slack_configs: [{channel: C1}]")));
  world.http->Answer("http://slack.test", {ScriptedAnswer::Status(500)});
  world.Fire(kDown);
  world.Run(seconds(1));
  Write("slack.token", "xoxb-after");
  world.Run(minutes(2));
  EXPECT_EQ(world.http->requests().front().request.authorization.Reveal(), "xoxb-before");
  EXPECT_EQ(world.http->requests().back().request.authorization.Reveal(), "xoxb-after");
}

TEST_F(RotatedCredentialTest, APagerDutyKeyIsReadAgain) {
  Write("key", "key-before");
  const auto [before, after] =
      BeforeAndAfter("pagerduty_configs: [{routing_key_file: '" + File("key") +
                         "', url: 'http://pagerduty.test'}]",
                     "http://pagerduty.test", [&] { Write("key", "key-after"); });
  EXPECT_THAT(before.body, HasSubstr("key-before"));
  EXPECT_THAT(after.body, HasSubstr("key-after"));
}

TEST_F(RotatedCredentialTest, AWebhookAndItsHttpConfigAreReadAgain) {
  for (const char* name : {"url", "password", "token"}) {
    Write(name, std::string("http://webhook.test/") + name + "-before");
  }
  const auto rotate = [&] {
    for (const char* name : {"url", "password", "token"}) {
      Write(name, std::string("http://webhook.test/") + name + "-after");
    }
  };
  const auto webhook = [&](const std::string& http) {
    return BeforeAndAfter(
        "webhook_configs: [{url_file: '" + File("url") + "', http_config: {" + http + "}}]",
        "http://webhook.test", rotate);
  };
  const auto [before, after] =
      webhook("basic_auth: {username: ann, password_file: '" + File("password") + "'}");
  EXPECT_EQ(before.url, "http://webhook.test/url-before");
  EXPECT_EQ(after.url, "http://webhook.test/url-after");
  EXPECT_THAT(after.basic_auth_password.Reveal(), HasSubstr("password-after"));
  const auto [first, last] =
      webhook("authorization: {type: Token, credentials_file: '" + File("token") + "'}");
  EXPECT_THAT(first.authorization.Reveal(), HasSubstr("token-after"));  // Of the rotation above.
  EXPECT_EQ(last.authorization_type, "Token");
}

TEST_F(RotatedCredentialTest, AMailServersPasswordIsReadAgain) {
  Write("mail.password", "mail-before");
  const auto [before, after] = BeforeAndAfter(
      "email_configs: [{to: a@example.com, from: t@example.com, smarthost: 'mail.test:587', "
      "auth_username: t, auth_password_file: '" +
          File("mail.password") + "'}]",
      "smtp://mail.test", [&] { Write("mail.password", "mail-after"); });
  ASSERT_TRUE(before.mail && after.mail);
  EXPECT_EQ(before.mail->password.Reveal(), "mail-before");
  EXPECT_EQ(after.mail->password.Reveal(), "mail-after");
}

TEST_F(RotatedCredentialTest, TheNewOneIsHiddenInWhatAPeerThrowsBack) {
  Write("slack.url", "http://slack.test/BEFORE1");
  World world(Config(Receiver("slack_configs: [{api_url_file: '" + File("slack.url") + "'}]")));
  world.http->Answer("http://slack.test", [](const HttpRequest& request) {
    return ScriptedAnswer::Status(500, "no hook at " + request.url);
  });
  world.Fire(kDown);
  world.Run(seconds(1));
  Write("slack.url", "http://slack.test/AFTER22");
  world.Run(minutes(2));
  std::string errors;
  for (const DeliveryAttempt& attempt : world.notifier->Attempts()) errors += attempt.error;
  EXPECT_THAT(errors, HasSubstr("no hook at <secret>"));
  EXPECT_THAT(errors, Not(HasSubstr("BEFORE1")));
  EXPECT_THAT(errors, Not(HasSubstr("AFTER22")));
}

TEST_F(RotatedCredentialTest, AFileThatVanishedStopsNothing) {
  Write("slack.url", "http://slack.test/kept");
  World world(Config(Receiver("slack_configs: [{api_url_file: '" + File("slack.url") + "'}]")));
  world.http->Answer("http://slack.test", {ScriptedAnswer::Status(200, "ok")});
  world.Fire(kDown);
  world.Run(seconds(1));
  std::filesystem::remove(File("slack.url"));
  world.Fire({{"alertname", "Other"}});
  world.Run(minutes(10));
  EXPECT_EQ(world.Messages("slack").size(), 2u);
}

TEST_F(RotatedCredentialTest, TheHeartbeatsAddressIsReadAgain) {
  Write("beat.url", "http://beat.test/before");
  World world(ShortForm("heartbeat: {url_file: '" + File("beat.url") + "', every: 10s}\n"));
  world.http->Answer("http://beat.test", {ScriptedAnswer::Status(200)});
  world.Run(seconds(5));
  Write("beat.url", "http://beat.test/after");
  world.Run(seconds(10));
  EXPECT_EQ(world.http->requests().front().request.url, "http://beat.test/before");
  EXPECT_EQ(world.http->requests().back().request.url, "http://beat.test/after");
}

}  // namespace
}  // namespace tocsin::notify
