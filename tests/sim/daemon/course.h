#pragma once

// What is true of one alert's condition, going by what its target answered poll by
// poll, and so when the alert may, and when it must, have been firing. An answer that
// came right before a death may or may not have been judged: both are thought through.

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"

namespace tocsin::testing {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// What an answer says of a condition.
enum class Seen {
  kHolds,
  kBetween,  // Neither holds nor resolves: hysteresis.
  kOver,
  kSilent,  // No answer: what fires is held.
};

// One poll, from the question to the answer; `sure` once the daemon lived on for long
// enough to have judged it and to have written that down.
struct Observation {
  WallTime from{};
  WallTime to{};
  Seen seen = Seen::kSilent;
  bool sure = false;
};

// One alert of the rules.
struct Condition {
  std::string alert;     // Its alertname.
  std::string severity;  // Its label.
  std::string instance;  // Its label.
  Millis for_duration{0};
  Millis keep_firing_for{0};

  std::string Key() const { return alert + " " + severity + " " + instance; }
};

class Course {
 public:
  // Within it a commit is judged.
  static constexpr Millis kJudgedWithin{100};
  // How far back a sample is seen, and how many a loss of power may cost.
  static constexpr Millis kLookback = minutes(5);
  static constexpr Millis kLostWithPower = minutes(1);

  explicit Course(Condition condition) : condition_(std::move(condition)) {}

  // In the order of their ends.
  void Add(const Observation& observation);
  // Between observations. With the power the last samples go: until its target is
  // collected again, a condition that held before them seems to hold.
  void DaemonDied(WallTime at, bool power_lost);

  const Condition& condition() const { return condition_; }

  // Why a firing that began at `starts_at` cannot be: empty if it can.
  std::string Doubt(WallTime starts_at) const;
  // Why the firing cannot have gone over from one beginning to a later one.
  std::string DoubtOfNewStart(WallTime before, WallTime starts_at) const;
  // Why the firing that began at `starts_at` cannot have ended at `ends_at`.
  std::string DoubtOfEnd(WallTime starts_at, WallTime ends_at) const;

  // A stretch in which the alert must have been firing.
  struct Outage {
    WallTime since{};                   // Its pending began by then.
    std::optional<WallTime> fires_by;   // It fired by then; none: not yet for sure.
    std::optional<WallTime> ends_from;  // From then on it may have ended.
    bool told = false;                  // For the judge of what was told.
  };
  std::vector<Outage>& outages() { return outages_; }
  const std::vector<Outage>& outages() const { return outages_; }

  // Whether it fires now for sure, and since when at the latest.
  std::optional<WallTime> MustFireSince() const;
  // Whether it may have been firing at a time in [from, to].
  bool MayFire(WallTime from, WallTime to) const;

 private:
  // A stretch in which the alert may have been firing.
  struct Spell {
    WallTime since{};               // Its pending may have begun then.
    std::optional<WallTime> over;   // First answer that ends it, while keep_firing_for runs.
    std::optional<WallTime> until;  // It has ended by then for sure.
  };

  // Whether the target was silent then. Not known after a death before it has answered:
  // its last samples may then still speak for it.
  bool SilentAt(WallTime at) const;
  void FollowMay(const Observation& observation);
  void FollowMust(const Observation& observation);

  Condition condition_;
  std::vector<Observation> observations_;  // But the silent ones.
  bool answered_ = false;                  // Since the last death.
  // When the target was silent after it had answered; open while it is.
  std::vector<std::pair<WallTime, std::optional<WallTime>>> silences_;
  std::vector<Spell> spells_;
  std::vector<Outage> outages_;
};

}  // namespace tocsin::testing
