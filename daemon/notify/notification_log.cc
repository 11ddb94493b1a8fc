#include "daemon/notify/notification_log.h"

#include <algorithm>

namespace tocsin::notify {
namespace {

// What there is to say, before it is decided whether to say it.
struct Tidings {
  std::vector<std::uint64_t> firing;    // May be told.
  std::vector<std::uint64_t> resolved;  // Was told as firing at some time, may be told.
  std::vector<std::uint64_t> ended;     // Of those, told as firing and not as resolved.
  bool has_new = false;
  bool has_hushed = false;
};

Tidings Gather(const LogEntry& entry, const std::vector<MemberState>& members,
               const IntegrationTraits& traits) {
  Tidings tidings;
  for (const MemberState& member : members) {
    const auto told = entry.firing.find(member.fingerprint);
    if (!member.resolved) {
      if (member.quiet != Quiet::kNone) continue;
      tidings.firing.push_back(member.fingerprint);
      if (told == entry.firing.end()) tidings.has_new = true;
      if (told != entry.firing.end() && told->second.hushed) tidings.has_hushed = true;
      continue;
    }
    if (member.quiet != Quiet::kNone && !traits.resolves_in_quiet) continue;
    if (told != entry.firing.end()) tidings.ended.push_back(member.fingerprint);
    if (told != entry.firing.end() || entry.resolved.count(member.fingerprint)) {
      tidings.resolved.push_back(member.fingerprint);
    }
  }
  return tidings;
}

Reason ReasonFor(const LogEntry& entry, const Tidings& tidings, const IntegrationTraits& traits,
                 Millis repeat_interval, WallTime now) {
  if (tidings.has_new) {
    return entry.firing.empty() ? Reason::kFirstNotification : Reason::kNewAlerts;
  }
  if (tidings.has_hushed) return Reason::kQuietEnded;
  if (!tidings.ended.empty() && traits.send_resolved) {
    return tidings.firing.empty() ? Reason::kAllResolved : Reason::kSomeResolved;
  }
  if (tidings.firing.empty()) return Reason::kNothingTold;
  return now - entry.told_at >= repeat_interval ? Reason::kRepeatInterval : Reason::kNothingNew;
}

}  // namespace

std::string_view ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kNothingNew: return "nothing new since the last notification";
    case Reason::kNothingTold: return "nothing to tell";
    case Reason::kFirstNotification: return "first notification";
    case Reason::kNewAlerts: return "new alerts added";
    case Reason::kQuietEnded: return "still firing after a silence or mute interval";
    case Reason::kSomeResolved: return "some alerts resolved";
    case Reason::kAllResolved: return "all alerts resolved";
    case Reason::kRepeatInterval: return "repeat interval elapsed";
  }
  return "nothing to tell";
}

bool IsNotification(Reason reason) {
  return reason != Reason::kNothingNew && reason != Reason::kNothingTold;
}

std::string_view QuietName(Quiet quiet) {
  switch (quiet) {
    case Quiet::kNone: return "none";
    case Quiet::kUnrouted: return "unrouted";
    case Quiet::kInhibited: return "inhibited";
    case Quiet::kMuted: return "muted";
    case Quiet::kSilenced: return "silenced";
  }
  return "none";
}

bool MarkHushed(LogEntry& entry, const std::vector<MemberState>& members) {
  bool changed = false;
  for (const MemberState& member : members) {
    const bool hushes = member.quiet == Quiet::kSilenced || member.quiet == Quiet::kMuted;
    if (member.resolved || !hushes) continue;
    const auto told = entry.firing.find(member.fingerprint);
    if (told == entry.firing.end() || told->second.hushed) continue;
    told->second.hushed = true;
    changed = true;
  }
  return changed;
}

Decision Decide(const LogEntry& entry, const std::vector<MemberState>& members,
                const IntegrationTraits& traits, Millis repeat_interval, WallTime now) {
  Tidings tidings = Gather(entry, members, traits);
  Decision decision;
  decision.reason = ReasonFor(entry, tidings, traits, repeat_interval, now);
  decision.entry = entry;
  MarkHushed(decision.entry, members);
  const bool sends = IsNotification(decision.reason);
  // Who does not want resolves has nothing open with what has ended.
  if (sends || !traits.send_resolved) {
    for (const std::uint64_t fingerprint : tidings.ended) decision.entry.firing.erase(fingerprint);
  }
  if (!sends) return decision;
  for (const std::uint64_t fingerprint : tidings.firing) {
    decision.entry.firing[fingerprint].hushed = false;
  }
  decision.entry.resolved = {tidings.resolved.begin(), tidings.resolved.end()};
  decision.entry.told_at = now;
  decision.entry.reason = decision.reason;
  decision.firing = std::move(tidings.firing);
  if (traits.send_resolved) decision.resolved = std::move(tidings.resolved);
  return decision;
}

}  // namespace tocsin::notify
