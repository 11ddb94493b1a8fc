#include "tests/sim/daemon/course.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/base/text.h"

namespace tocsin::testing {

void Course::Add(const Observation& observation) {
  const bool silent = !silences_.empty() && !silences_.back().second;
  if (observation.seen == Seen::kSilent) {
    if (!silent && answered_ && observation.sure) {
      silences_.emplace_back(observation.to + kJudgedWithin, std::nullopt);
    }
    return;
  }
  answered_ |= observation.sure;
  if (silent) silences_.back().second = observation.from;
  FollowMay(observation);
  FollowMust(observation);
  observations_.push_back(observation);
}

void Course::DaemonDied(WallTime at, bool power_lost) {
  if (!silences_.empty() && !silences_.back().second) silences_.back().second = at;
  answered_ = false;
  if (!power_lost) return;
  if (!spells_.empty() && !spells_.back().until) return;
  const bool seems = std::any_of(observations_.begin(), observations_.end(), [&](const auto& seen) {
    return seen.seen == Seen::kHolds && seen.to >= at - kLookback - kLostWithPower;
  });
  if (seems) spells_.push_back({at, {}, {}});
}

// Every doubt is resolved so that the alert fires earlier and longer.
void Course::FollowMay(const Observation& observation) {
  const bool open = !spells_.empty() && !spells_.back().until;
  if (observation.seen == Seen::kHolds) {
    if (!open) spells_.push_back({observation.from, {}, {}});
    spells_.back().over.reset();
    return;
  }
  if (!open) return;
  Spell& spell = spells_.back();
  if (!observation.sure) return;
  if (spell.since + condition_.for_duration > observation.to + kJudgedWithin) {
    spells_.pop_back();  // It was pending at most.
    return;
  }
  if (observation.seen == Seen::kBetween) return;
  if (!spell.over) spell.over = observation.to + kJudgedWithin;
  const Millis keep = condition_.keep_firing_for;
  if (keep == Millis(0) || observation.from >= *spell.over + keep) {
    spell.until = observation.to + kJudgedWithin;
  }
}

// And here so that it fires later and shorter.
void Course::FollowMust(const Observation& observation) {
  const bool open = !outages_.empty() && !outages_.back().ends_from;
  if (observation.seen == Seen::kHolds) {
    if (!observation.sure) return;
    if (!open) outages_.push_back({observation.to + kJudgedWithin, {}, {}});
    Outage& outage = outages_.back();
    if (!outage.fires_by && observation.from >= outage.since + condition_.for_duration) {
      outage.fires_by = observation.to + kJudgedWithin;
    }
    if (condition_.for_duration == Millis(0)) outage.fires_by = outage.since;
    return;
  }
  if (!open) return;
  Outage& outage = outages_.back();
  if (!outage.fires_by) {
    outages_.pop_back();
  } else if (observation.seen == Seen::kOver) {
    outage.ends_from = observation.from;
  }
}

std::string Course::Doubt(WallTime starts_at) const {
  const bool may = std::any_of(spells_.begin(), spells_.end(), [&](const Spell& spell) {
    return spell.since + condition_.for_duration <= starts_at &&
           (!spell.until || starts_at <= *spell.until);
  });
  if (!may) return "the condition had not held for as long as `for` then";
  if (SilentAt(starts_at))
    return "its target did not answer then, and it cannot have begun to fire";
  for (const Outage& outage : outages_) {
    if (!outage.fires_by || starts_at <= *outage.fires_by) continue;
    if (outage.ends_from && starts_at > *outage.ends_from) continue;
    return fmt::format("it must have fired by {}", FormatTime(*outage.fires_by));
  }
  return "";
}

bool Course::SilentAt(WallTime at) const {
  return std::any_of(silences_.begin(), silences_.end(), [at](const auto& silence) {
    return silence.first < at && (!silence.second || at < *silence.second);
  });
}

std::string Course::DoubtOfNewStart(WallTime before, WallTime starts_at) const {
  const auto over = std::find_if(observations_.begin(), observations_.end(), [&](const auto& seen) {
    return seen.seen == Seen::kOver && seen.to + kJudgedWithin >= before;
  });
  const Millis least = condition_.keep_firing_for + condition_.for_duration;
  if (over != observations_.end() && over->from + least <= starts_at) return "";
  return "it fires since " + FormatTime(before) + " without a break";
}

std::string Course::DoubtOfEnd(WallTime starts_at, WallTime ends_at) const {
  std::optional<WallTime> over;  // Since when all may have been over.
  for (const Observation& observation : observations_) {
    if (observation.to + kJudgedWithin < starts_at || observation.from > ends_at) continue;
    if (observation.seen == Seen::kHolds && observation.sure &&
        observation.to + kJudgedWithin < ends_at) {
      over.reset();
    } else if (observation.seen == Seen::kOver && !over) {
      over = observation.from;
    }
  }
  if (!over) return "the condition has held without a break";
  if (*over + condition_.keep_firing_for <= ends_at) return "";
  return "keep_firing_for began only at " + FormatTime(*over);
}

std::optional<WallTime> Course::MustFireSince() const {
  if (outages_.empty() || outages_.back().ends_from) return std::nullopt;
  return outages_.back().fires_by;
}

bool Course::MayFire(WallTime from, WallTime to) const {
  return std::any_of(spells_.begin(), spells_.end(), [&](const Spell& spell) {
    return spell.since + condition_.for_duration <= to && (!spell.until || *spell.until >= from);
  });
}

}  // namespace tocsin::testing
