// The invariants of the design, as far as they can be seen from outside.

#include <gmock/gmock.h>

#include <algorithm>

#include "daemon/base/text.h"
#include "tests/sim/daemon/sim_world.h"

namespace tocsin::testing {
namespace {

// What is true for so long has been told: group_wait, group_interval and an evaluation.
constexpr Millis kToldWithin = seconds(30);
// A sick receiver is tried again: after its Retry-After, the time-out of an attempt, or
// as long as it has been sick; no longer than the longest backoff.
constexpr Millis kShortestRecovery = seconds(45);
constexpr Millis kLongestBackoff = seconds(90);

const std::string kCritical = "critical";

}  // namespace

void SimWorld::CheckStep() {
  host_.Advance();
  CheckTold();
  host_.CheckCollections(booted_at_);
  CheckSecrets();
  if (Calm()) {
    CheckOutagesTold();
    for (const Course& course : host_.courses()) CheckOpen(course);
  }
}

// Invariant 1.
void SimWorld::CheckHistory() {
  const auto context = daemon_->ApiContext("");
  for (const auto& [instance, at] : host_.LastCollections()) {
    // poll puts a collection that begins a little late onto its grid.
    const model::TimeRange then{ToUnixMillis(at) - 2, ToUnixMillis(at) + 2};
    const auto selection = context.store.Select(
        {model::Matcher::Make(model::MatchOp::kEqual, "__name__", "up").value(),
         model::Matcher::Make(model::MatchOp::kEqual, "instance", instance).value()},
        then);
    ASSERT_TRUE(selection.ok()) << selection.error().message;
    bool found = false;
    for (std::size_t i = 0; i < (*selection)->size(); ++i) {
      model::Sample sample;
      const auto read = (*selection)->ReadLast(i, then, sample);
      found |= read.ok() && *read;
    }
    EXPECT_TRUE(found) << "the samples of " << instance << " at " << FormatTime(at)
                       << " have not survived a death";
  }
}

// Invariants 2 and 4: no firing and no end that did not happen, and each at its time.
void SimWorld::CheckTold() {
  const WallTime settled = clock_.WallNow() - kLastMoment - kInterval;
  for (const auto& [key, told] : books_.All("webhook")) {
    const Course* course = host_.FindCourse(key);
    ASSERT_NE(course, nullptr) << "told of an alert that is in no rule: " << key;
    for (std::size_t& i = judged_[key]; i < told.size() && told[i].at <= settled; ++i) {
      const WallTime starts_at = *told[i].starts_at;
      std::string doubt = course->Doubt(starts_at);
      if (doubt.empty() && i > 0 && *told[i - 1].starts_at < starts_at) {
        doubt = course->DoubtOfNewStart(*told[i - 1].starts_at, starts_at);
      }
      if (doubt.empty() && told[i].ends_at) {
        doubt = course->DoubtOfEnd(starts_at, *told[i].ends_at);
      }
      if (doubt.empty() && told[i].firing) doubt = DoubtOfNoise(*course, told[i]);
      EXPECT_EQ(doubt, "") << key << ", told at " << FormatTime(told[i].at) << " as "
                           << (told[i].firing ? "firing" : "resolved") << " since "
                           << FormatTime(starts_at)
                           << (told[i].ends_at ? " until " + FormatTime(*told[i].ends_at) : "");
    }
  }
}

// Why it should not have been told: it began to fire under a silence or an inhibition that
// were still in force.
std::string SimWorld::DoubtOfNoise(const Course& course, const Told& told) {
  const Condition& condition = course.condition();
  for (const Quiet& quiet : silences_) {
    if (quiet.sure && quiet.alert == condition.alert && quiet.from < *told.starts_at &&
        told.at < quiet.until) {
      return "it is silenced since " + FormatTime(quiet.from);
    }
  }
  if (condition.severity == kCritical) return "";
  for (const Course& other : host_.courses()) {
    if (!Mutes(other.condition(), condition)) continue;
    for (const Course::Outage& outage : other.outages()) {
      if (outage.fires_by && *outage.fires_by < *told.starts_at &&
          (!outage.ends_from || told.at < *outage.ends_from)) {
        return "it is inhibited since " + FormatTime(*outage.fires_by);
      }
    }
  }
  return "";
}

// Invariant 5.
void SimWorld::CheckSecrets() {
  const auto attempts = daemon_->ApiContext("").notifier.Attempts();
  const std::string config = daemon_->ApiContext("").config_text();
  for (const char* secret : kSecrets) {
    EXPECT_THAT(disk_.PathsWith(secret), ::testing::IsEmpty()) << secret;
    EXPECT_THAT(config, ::testing::Not(::testing::HasSubstr(secret)));
    for (const notify::DeliveryAttempt& attempt : attempts) {
      EXPECT_EQ(attempt.error.find(secret), std::string::npos) << attempt.error;
    }
  }
}

// Everybody takes messages, and has for long enough to have been tried again.
bool SimWorld::Calm() const {
  const WallTime now = clock_.WallNow();
  const Millis recovery = kShortestRecovery + std::min(last_sickness_, kLongestBackoff);
  return sick_.empty() && now - well_since_ >= recovery && now - booted_at_ >= kToldWithin;
}

// Invariant 2: no outage passes without its page, however short.
void SimWorld::CheckOutagesTold() {
  const WallTime now = clock_.WallNow();
  for (Course& course : host_.courses()) {
    const Condition& condition = course.condition();
    for (Course::Outage& outage : course.outages()) {
      const WallTime end = outage.ends_from.value_or(now);
      if (outage.told || !outage.fires_by || *outage.fires_by > now - kToldWithin) continue;
      if (Silenced(condition.alert, outage.since, now)) continue;
      if (Inhibited(condition, outage.since, now)) continue;
      // What ends before its group was first flushed is told to nobody.
      if (condition.severity != kCritical && end - *outage.fires_by < 2 * kToldWithin) continue;
      for (const std::string& receiver : ReceiversOf(condition)) {
        const auto& told = books_.Of(receiver, condition.Key());
        const bool paged = books_.Open(receiver, condition.Key(), *outage.fires_by) ||
                           std::any_of(told.begin(), told.end(), [&outage](const Told& each) {
                             return each.firing && each.at >= outage.since;
                           });
        EXPECT_TRUE(paged) << receiver << " was never told that " << condition.Key() << " fired by "
                           << FormatTime(*outage.fires_by) << ", and it is " << FormatTime(now);
      }
      outage.told = true;
    }
  }
}

// Invariant 2: what fires is open everywhere, and nothing else is.
void SimWorld::CheckOpen(const Course& course) {
  const WallTime now = clock_.WallNow();
  const WallTime since = now - kToldWithin;
  const Condition& condition = course.condition();
  const bool quiet = Silenced(condition.alert, since, now) || Inhibited(condition, since, now);
  const auto fires = course.MustFireSince();
  const bool over = !course.MayFire(since, now);
  for (const std::string& receiver : ReceiversOf(condition)) {
    const bool open = books_.Open(receiver, condition.Key());
    if (fires && *fires <= since && !quiet) {
      EXPECT_TRUE(open) << condition.Key() << " fires since " << FormatTime(*fires) << " and "
                        << receiver << " does not know at " << FormatTime(now);
    }
    // Slack hears of the end when the quiet is over.
    if (over && !(quiet && receiver == "slack")) {
      EXPECT_FALSE(open) << condition.Key() << " is over and " << receiver << " was not told by "
                         << FormatTime(now);
    }
  }
}

void SimWorld::CheckAllOver() {
  CheckStep();
  EXPECT_TRUE(Calm());
  for (const std::string& receiver : kReceivers) {
    EXPECT_EQ(books_.open(receiver), 0u) << "all is well and incidents are open at " << receiver;
  }
  EXPECT_TRUE(daemon_->ApiContext("").notifier.Outbox().empty());
}

bool SimWorld::Silenced(const std::string& alert, WallTime from, WallTime to) const {
  return std::any_of(silences_.begin(), silences_.end(), [&](const Quiet& quiet) {
    return quiet.alert == alert && quiet.from <= to && quiet.until >= from;
  });
}

bool SimWorld::Mutes(const Condition& source, const Condition& target) {
  return source.severity == kCritical && target.severity != kCritical &&
         source.alert == target.alert && source.instance == target.instance;
}

bool SimWorld::Inhibited(const Condition& condition, WallTime from, WallTime to) const {
  const auto& courses = host_.courses();
  return std::any_of(courses.begin(), courses.end(), [&](const Course& course) {
    return Mutes(course.condition(), condition) && course.MayFire(from, to);
  });
}

std::vector<std::string> SimWorld::ReceiversOf(const Condition& condition) {
  if (condition.severity == kCritical) return kReceivers;
  return {"slack", "webhook"};
}

}  // namespace tocsin::testing
