// What becomes of a mail server's replies: for the recipients, and through the outbox.

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "daemon/notify/retry_policy.h"
#include "tests/unit/daemon/notify/email_world.h"

namespace tocsin::notify {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

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
      {kSender, 552, Outcome::kGiveUp, FailureReason::kClientError, now},  // Too large.
      {kSender, 452, Outcome::kRetryLater, FailureReason::kServerError, now},
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
      if (sick) return *sick;
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
      if (wanted && content == 250) {
        const bool firing = request.body.find("Subject: [FIRING") != std::string::npos;
        for (const auto& reply : answer.recipients) {
          if (reply.code == 250) told[reply.recipient].push_back(firing ? "firing" : "resolved");
        }
      }
      return std::move(answer).After(takes);
    });
  }
  double Refused() {
    return world.metrics
        ->Counter("tocsin_mail_recipients_refused_total",
                  "Recipients of mails whom the mail server refused for good.")
        .Value();
  }
  World world{Config(Yaml(kPlain))};
  std::optional<ScriptedAnswer> sick;  // The whole server.
  std::map<std::string, int> replies;
  int content = 250;
  Millis takes{1};
  std::vector<std::vector<std::string>> asked;
  std::map<std::string, std::vector<std::string>> told;  // What each recipient has had.
};

TEST(EmailDeliveryTest, AServerThatIsSickForTwoHoursLosesNothingAndKeepsTheOrder) {
  ScriptedAnswer busy = ScriptedAnswer::Status(421, "too many connections");
  busy.mail_step = MailStep::kGreeting;
  ScriptedAnswer full = ScriptedAnswer::Status(452, "no space");
  full.mail_step = MailStep::kSender;
  for (const ScriptedAnswer& sick :
       {busy, full, ScriptedAnswer::Hang(), ScriptedAnswer::Refused()}) {
    SCOPED_TRACE(sick.status);
    MailWorld mail;
    mail.sick = sick;
    mail.world.Fire({{"alertname", "Down"}});
    mail.world.Run(minutes(30));
    mail.world.Resolve({{"alertname", "Down"}});
    mail.world.Run(minutes(90));
    EXPECT_THAT(mail.told, IsEmpty());
    mail.sick.reset();
    mail.world.Run(minutes(10));
    for (const std::string recipient : {"ann@example.com", "bob@example.com"}) {
      EXPECT_THAT(mail.told[recipient], ElementsAre("firing", "resolved")) << recipient;
    }
    EXPECT_THAT(mail.world.notifier->Outbox(), IsEmpty());
  }
}

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

// Greylisted, over quota or gone for good behind a server that says 450 for ever.
TEST(EmailDeliveryTest, WhoIsPutOffKeepsNobodyFromWhatComesLater) {
  MailWorld mail;
  const model::Labels down = {{"alertname", "Down"}};
  mail.replies = {{"bob@example.com", 450}};
  mail.world.Fire(down);
  mail.world.Run(seconds(30));
  EXPECT_THAT(mail.told["ann@example.com"], ElementsAre("firing"));
  mail.world.Resolve(down);
  mail.world.Run(minutes(2));
  EXPECT_THAT(mail.told["ann@example.com"], ElementsAre("firing", "resolved"));
  // Bob waits, for the newest alone.
  EXPECT_THAT(mail.asked.back(), ElementsAre("bob@example.com"));
  EXPECT_EQ(mail.world.notifier->Outbox().size(), 1u);
  mail.replies.clear();
  mail.world.Run(minutes(3));
  EXPECT_THAT(mail.told["bob@example.com"], ElementsAre("resolved"));
  EXPECT_THAT(mail.world.notifier->Outbox(), IsEmpty());
  EXPECT_EQ(mail.told["ann@example.com"].size(), 2u);
}

TEST(EmailDeliveryTest, NorFromTheRepeats) {
  MailWorld mail;
  mail.replies = {{"bob@example.com", 450}};
  mail.world.Fire({{"alertname", "Down"}});
  mail.world.Run(std::chrono::hours(9));
  EXPECT_THAT(mail.told["ann@example.com"], ElementsAre("firing", "firing", "firing"));
  EXPECT_EQ(mail.world.notifier->Outbox().size(), 1u);
}

// The next one comes while who was put off is being asked again.
TEST(EmailDeliveryTest, NorWhileHeIsAskedAgain) {
  MailWorld mail;
  const model::Labels down = {{"alertname", "Down"}};
  mail.replies = {{"bob@example.com", 450}};
  mail.world.Fire(down);
  mail.world.Run(seconds(11));
  mail.takes = seconds(25);
  mail.world.Run(seconds(45));
  mail.world.Resolve(down);
  mail.world.Run(minutes(3));
  EXPECT_THAT(mail.told["ann@example.com"], ElementsAre("firing", "resolved"));
  EXPECT_EQ(mail.world.notifier->Outbox().size(), 1u);
}

// Nobody has had it: the end waits for the beginning.
TEST(EmailDeliveryTest, WhatNobodyHasHadIsToldInOrder) {
  MailWorld mail;
  const model::Labels down = {{"alertname", "Down"}};
  mail.replies = {{"ann@example.com", 450}, {"bob@example.com", 450}};
  mail.world.Fire(down);
  mail.world.Run(seconds(30));
  mail.world.Resolve(down);
  mail.world.Run(minutes(5));
  mail.replies.clear();
  mail.world.Run(minutes(5));
  EXPECT_THAT(mail.told["ann@example.com"], ElementsAre("firing", "resolved"));
  EXPECT_THAT(mail.told["bob@example.com"], ElementsAre("firing", "resolved"));
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
