// Silences, mute intervals, inhibition: what is kept back, and what follows when
// the quiet ends. The cases that begin with "Alertmanager" are its measured
// faults (RESOLVED lost, never told again) that Tocsin must not have.

#include <gmock/gmock.h>

#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const model::Labels kWarning = {{"alertname", "Pool"}, {"instance", "a"}, {"severity", "warning"}};
const model::Labels kCritical = {
    {"alertname", "Pool"}, {"instance", "a"}, {"severity", "critical"}};

TEST(SilenceTest, ASilencedAlertIsNotToldUntilTheSilenceEnds) {
  World world(Config(AllReceivers("")));
  world.Mute("alertname=Pool", minutes(5));
  world.Fire(kWarning);
  world.Run(minutes(4));
  EXPECT_THAT(world.Lines(), IsEmpty());
  ASSERT_EQ(world.notifier->Alerts().size(), 1u);
  EXPECT_EQ(world.notifier->Alerts()[0].state, AlertState::kSuppressed);
  EXPECT_EQ(world.notifier->Alerts()[0].silenced_by.size(), 1u);
  world.Run(minutes(2));
  EXPECT_THAT(world.Lines("webhook"), ElementsAre("300s firing: Poola firing"));
}

TEST(SilenceTest, AlertmanagerForgetsAnAlertStillFiringWhenItsSilenceEnds) {
  World world(Config(AllReceivers("")));
  world.Fire(kWarning);
  world.Run(seconds(30));
  world.Mute("alertname=Pool", minutes(5));
  world.Run(minutes(20));
  EXPECT_THAT(world.Lines("webhook"),
              ElementsAre("10s firing: Poola firing", "330s firing: Poola firing"));
}

TEST(SilenceTest, ToldAgainEvenIfNoFlushFellIntoTheSilence) {
  World world(Config(AllReceivers("")));
  world.Fire(kWarning);
  world.Run(seconds(15));
  world.Mute("alertname=Pool", seconds(20));
  world.Run(minutes(2));
  EXPECT_THAT(world.Lines("webhook"),
              ElementsAre("10s firing: Poola firing", "35s firing: Poola firing"));
}

TEST(SilenceTest, ExpiringASilenceByHandTellsAgainAtOnce) {
  World world(Config(AllReceivers("")));
  world.Fire(kWarning);
  world.Run(seconds(30));
  const std::string id = world.Mute("alertname=Pool", hours(5));
  world.Run(minutes(3));
  ASSERT_TRUE(world.notifier->ExpireSilence(id).ok());
  world.Run(seconds(1));
  EXPECT_THAT(world.Lines("webhook"),
              ElementsAre("10s firing: Poola firing", "210s firing: Poola firing"));
  EXPECT_EQ(world.notifier->FindSilence(id)->StateAt(world.clock.WallNow()),
            SilenceState::kExpired);
  EXPECT_EQ(world.notifier->ExpireSilence(id).error().code, ErrorCode::kNotFound);
}

TEST(SilenceTest, AlertmanagerLosesTheResolvedUnderASilence) {
  World world(Config(AllReceivers("")));
  world.Fire(kWarning);
  world.Run(seconds(30));
  world.Mute("alertname=Pool", minutes(30));
  world.Resolve(kWarning);
  world.Run(hours(1));
  // PagerDuty and the webhook close at the next tick, Slack when the quiet ends.
  EXPECT_THAT(world.Lines("pagerduty"), ElementsAre("10s firing: [FIRING:1] Pool (a warning)",
                                                    "70s resolved: [RESOLVED] Pool (a warning)"));
  EXPECT_THAT(world.Lines("webhook"),
              ElementsAre("10s firing: Poola firing", "70s resolved: Poola resolved"));
  EXPECT_THAT(world.Lines("slack"), ElementsAre("10s firing: [FIRING:1] Pool (a warning)",
                                                "1830s resolved: [RESOLVED] Pool (a warning)"));
}

TEST(SilenceTest, NeverToldAndEndedUnderASilenceIsNeverTold) {
  World world(Config(AllReceivers("")));
  world.Mute("alertname=Pool", minutes(30));
  world.Fire(kWarning);
  world.Run(minutes(2));
  world.Resolve(kWarning);
  world.Run(hours(2));
  EXPECT_THAT(world.Lines(), IsEmpty());
}

// It was decided before the silence: at least once comes first.
TEST(SilenceTest, WhatWaitsForItsReceiverGoesOutThoughASilenceHasBegun) {
  World world(Config(AllReceivers("")));
  world.http->Answer("http://webhook.test",
                     {ScriptedAnswer::RetryAfter(429, minutes(10)), ScriptedAnswer::Status(200)});
  world.Fire(kWarning);
  world.Run(seconds(30));
  world.Mute("alertname=Pool", hours(2));
  world.Run(hours(1));
  EXPECT_THAT(world.Lines("webhook"), ElementsAre("610s firing: Poola firing"));
  world.Resolve(kWarning);
  world.Run(minutes(2));
  EXPECT_EQ(world.Messages("webhook").back().status, "resolved");
}

TEST(SilenceTest, AChangeInPlaceKeepsTheIdAnotherMakesANewOne) {
  World world(Config(AllReceivers("")));
  const std::string id = world.Mute("alertname=Pool", minutes(30));
  Silence silence = *world.notifier->FindSilence(id);
  silence.ends_at += minutes(30);
  EXPECT_EQ(world.notifier->SetSilence(silence).value(), id);
  silence.matchers = ParseMatchers("alertname=Other").value();
  const std::string other = world.notifier->SetSilence(silence).value();
  EXPECT_NE(other, id);
  EXPECT_EQ(world.notifier->FindSilence(id)->StateAt(world.clock.WallNow()),
            SilenceState::kExpired);
  silence.id = "no-such-id";
  EXPECT_EQ(world.notifier->SetSilence(silence).error().code, ErrorCode::kNotFound);
}

TEST(SilenceTest, OneThatHasNotBegunMovesButNotIntoThePast) {
  World world(Config(AllReceivers("")));
  Silence silence;
  silence.matchers = ParseMatchers("alertname=Pool").value();
  silence.starts_at = world.clock.WallNow() + hours(1);
  silence.ends_at = world.clock.WallNow() + hours(2);
  const std::string id = world.notifier->SetSilence(silence).value();
  silence.id = id;
  silence.starts_at -= minutes(30);
  EXPECT_EQ(world.notifier->SetSilence(silence).value(), id);
  silence.starts_at = world.clock.WallNow() - minutes(1);
  const std::string other = world.notifier->SetSilence(silence).value();
  EXPECT_NE(other, id);
  EXPECT_EQ(world.notifier->FindSilence(other)->starts_at, world.clock.WallNow());
  EXPECT_EQ(world.notifier->FindSilence(id)->StateAt(world.clock.WallNow()),
            SilenceState::kExpired);
}

TEST(SilenceTest, ASilenceThatMatchesEverythingOrNothingIsRefused) {
  World world(Config(AllReceivers("")));
  Silence silence;
  silence.starts_at = world.clock.WallNow();
  silence.ends_at = silence.starts_at + hours(1);
  EXPECT_EQ(world.notifier->SetSilence(silence).error().code, ErrorCode::kInvalidArgument);
  silence.matchers = ParseMatchers(R"(job=~".*")").value();
  EXPECT_EQ(world.notifier->SetSilence(silence).error().code, ErrorCode::kInvalidArgument);
  // Everything but one job is a choice; Alertmanager takes it too.
  silence.matchers = ParseMatchers("job!=x").value();
  EXPECT_TRUE(world.notifier->SetSilence(silence).ok());
  silence.matchers = ParseMatchers("job=x").value();
  silence.ends_at = silence.starts_at;
  EXPECT_EQ(world.notifier->SetSilence(silence).error().code, ErrorCode::kInvalidArgument);
}

TEST(SilenceTest, ASilenceSurvivesKillMinusNineTheMomentItsCallReturned) {
  World world(Config(AllReceivers("")));
  const std::string id = world.Mute("alertname=Pool", hours(1));
  world.Crash();
  world.Restart();
  ASSERT_TRUE(world.notifier->FindSilence(id));
  world.Fire(kWarning);
  world.Run(minutes(10));
  EXPECT_THAT(world.Lines(), IsEmpty());
}

// The world begins at 2023-11-14 22:13:20 UTC.
constexpr const char* kNight = R"(
time_intervals: [{name: night, time_intervals: [{times: [{start_time: '22:20', end_time: '22:30'}]}]}]
)";

TEST(MuteTest, AMutedRouteIsQuietAndToldAgainAtItsEnd) {
  World world(
      Config(AllReceivers("routes: [{receiver: all, matchers: [alertname=Pool],"
                          " mute_time_intervals: [night]}]",
                          kNight)));
  world.Fire(kWarning);
  world.Run(hours(1));
  EXPECT_THAT(world.Lines("webhook"),
              ElementsAre("10s firing: Poola firing", "1000s firing: Poola firing"));
}

// Quiet from 400 s to 1000 s: told before, resolved within.
void ExpectTheResolvedFollowsForSlack(const std::string& quiet, const char* intervals) {
  World world(Config(AllReceivers(
      "routes: [{receiver: all, matchers: [alertname=Pool], " + quiet + "}]", intervals)));
  world.Fire(kWarning);
  world.Run(minutes(8));
  world.Resolve(kWarning);
  world.Run(hours(1));
  EXPECT_THAT(world.Lines("slack"), ElementsAre("10s firing: [FIRING:1] Pool (a warning)",
                                                "1000s resolved: [RESOLVED] Pool (a warning)"));
  EXPECT_EQ(world.Lines("pagerduty").size(), 2u);
  EXPECT_EQ(world.Lines("pagerduty")[1], "490s resolved: [RESOLVED] Pool (a warning)");
}

TEST(MuteTest, TheResolvedFollowsForSlackWhenTheIntervalEnds) {
  ExpectTheResolvedFollowsForSlack("mute_time_intervals: [night]", kNight);
}

TEST(MuteTest, AnActiveIntervalIsTheOpposite) {
  ExpectTheResolvedFollowsForSlack("active_time_intervals: [day]", R"(
time_intervals:
- name: day
  time_intervals:
  - times: [{start_time: '00:00', end_time: '22:20'}, {start_time: '22:30', end_time: '24:00'}]
)");
}

constexpr const char* kInhibit = R"(
inhibit_rules:
- {source_matchers: [severity="critical"], target_matchers: [severity="warning"], equal: ['...']}
)";

std::string Inhibiting() {
  std::string yaml = AllReceivers("", kInhibit);
  return yaml.replace(yaml.find("[alertname]"), 11, "[alertname, severity]");
}

TEST(InhibitionTest, AWarningInTheSameBatchNeverRacesItsCritical) {
  World world(Config(Inhibiting()));
  auto warning = world.Firing(kWarning);
  auto critical = world.Firing(kCritical);
  warning.starts_at -= hours(1);  // No group_wait: it would go at once.
  world.Send({warning, critical});
  world.Run(minutes(3));
  EXPECT_THAT(world.Lines("webhook"), ElementsAre("10s firing: Poola firing"));
  EXPECT_EQ(world.Messages("webhook")[0].body["commonLabels"]["severity"], "critical");
}

TEST(InhibitionTest, NeverToldIsToldWhenTheInhibitionEnds) {
  World world(Config(Inhibiting()));
  world.Send({world.Firing(kWarning), world.Firing(kCritical)});
  world.Run(seconds(30));
  world.Resolve(kCritical);
  world.Run(minutes(3));
  EXPECT_THAT(world.Lines("slack"), ElementsAre("10s firing: [FIRING:1] Pool critical (a)",
                                                "70s resolved: [RESOLVED] Pool critical (a)",
                                                "70s firing: [FIRING:1] Pool warning (a)"));
}

TEST(InhibitionTest, ToldBeforeIsNotToldAgainWhenTheInhibitionEnds) {
  World world(Config(Inhibiting()));
  world.Fire(kWarning);
  world.Run(seconds(30));
  world.Fire(kCritical);
  world.Run(minutes(3));
  world.Resolve(kCritical);
  world.Run(minutes(10));
  std::size_t warnings = 0;
  for (const Message& message : world.Messages("webhook")) {
    warnings += message.body["commonLabels"]["severity"] == "warning";
  }
  EXPECT_EQ(warnings, 1u);
}

TEST(InhibitionTest, TheResolvedOfAnInhibitedAlertThatWasToldFollows) {
  World world(Config(Inhibiting()));
  world.Fire(kWarning);
  world.Run(seconds(30));
  world.Fire(kCritical);
  world.Run(minutes(3));
  world.Resolve(kWarning);
  world.Run(minutes(3));
  const auto slack = world.Lines("slack");
  EXPECT_EQ(std::count_if(slack.begin(), slack.end(),
                          [](const auto& line) {
                            return line.find("[RESOLVED] Pool warning") != std::string::npos;
                          }),
            0);
  const auto pages = world.Lines("pagerduty");
  EXPECT_NE(pages.back().find("[RESOLVED] Pool warning"), std::string::npos);
  world.Resolve(kCritical);
  world.Run(minutes(3));
  EXPECT_NE(::testing::PrintToString(world.Lines("slack")).find("[RESOLVED] Pool warning"),
            std::string::npos);
}

TEST(InhibitionTest, ARestartLetsNoInhibitedAlertOut) {
  World world(Config(Inhibiting()));
  world.Send({world.Firing(kWarning), world.Firing(kCritical)});
  world.Run(minutes(2));
  world.Crash();
  world.clock.Advance(minutes(1));
  world.Restart();
  // The senders' order is nobody's promise: the warning comes first, and its critical late.
  world.Fire(kWarning);
  world.Run(seconds(20));
  world.Fire(kCritical);
  world.Run(minutes(3));
  EXPECT_EQ(world.Lines("webhook").size(), 1u);
  EXPECT_EQ(world.Messages("webhook")[0].body["commonLabels"]["severity"], "critical");
}

TEST(InhibitionTest, OtherLabelsMustBeEqual) {
  World world(Config(Inhibiting()));
  world.Send({world.Firing({{"alertname", "Pool"}, {"instance", "b"}, {"severity", "warning"}}),
              world.Firing(kCritical)});
  world.Run(minutes(1));
  EXPECT_EQ(world.Lines("webhook").size(), 2u);
}

TEST(InhibitionTest, AnAlertOnBothSidesIsNotMutedByAnotherOnBothSides) {
  World world(Config(AllReceivers("", R"(
inhibit_rules: [{source_matchers: [alertname="Pool"], target_matchers: [alertname="Pool"], equal: [instance]}]
)")));
  world.Send({world.Firing(kWarning), world.Firing(kCritical)});
  world.Run(minutes(1));
  EXPECT_EQ(world.Messages("webhook")[0].body["alerts"].size(), 2u);
}

TEST(InhibitionTest, TheStatusNamesTheAlertThatMutes) {
  World world(Config(Inhibiting()));
  world.Send({world.Firing(kWarning), world.Firing(kCritical)});
  for (const AlertStatus& status : world.notifier->Alerts()) {
    if (model::SeverityOf(status.alert.labels) == model::Severity::kCritical) {
      EXPECT_TRUE(status.inhibited_by.empty());
    } else {
      EXPECT_THAT(status.inhibited_by,
                  ElementsAre(model::FingerprintText(kCritical.Fingerprint())));
      EXPECT_EQ(status.state, AlertState::kSuppressed);
    }
  }
}

TEST(SilenceLimitTest, ExpiredSilencesCountUntilTheyAreForgotten) {
  World world(Config(AllReceivers("")));
  world.Crash();
  world.max_silences = 3;
  world.Restart();
  const auto set = [&world](const std::string& id = {}) {
    Silence silence;
    silence.id = id;
    silence.matchers = ParseMatchers("alertname=Down").value();
    silence.starts_at = world.clock.WallNow();
    silence.ends_at = world.clock.WallNow() + minutes(5);
    silence.created_by = "test";
    return world.notifier->SetSilence(silence);
  };
  const auto first = set();
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(set().ok());
  ASSERT_TRUE(world.notifier->ExpireSilence(*first).ok());
  ASSERT_TRUE(set().ok());
  const auto refused = set();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(refused.error().message,
            "the limit of 3 silences is reached, expired ones included: they are forgotten 5d "
            "after their end");
  EXPECT_EQ(world.metrics
                ->Counter("tocsin_silences_refused_total",
                          "Silences not taken because a limit was reached.")
                .Value(),
            1);
  // One that is there can still be changed and ended.
  for (const Silence& silence : world.notifier->Silences()) {
    if (silence.StateAt(world.clock.WallNow()) != SilenceState::kActive) continue;
    Silence longer = silence;
    longer.ends_at += minutes(5);
    EXPECT_TRUE(world.notifier->SetSilence(longer).ok());
    EXPECT_TRUE(world.notifier->ExpireSilence(silence.id).ok());
  }
  world.Run(kSilenceRetention + minutes(10));
  EXPECT_TRUE(set().ok());
}

}  // namespace
}  // namespace tocsin::notify
