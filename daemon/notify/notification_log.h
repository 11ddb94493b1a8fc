#pragma once

// What an integration has been told of a group, and what that means for the next
// flush. The log is the memory behind three promises: nobody is told twice,
// every FIRING that was told gets its RESOLVED, and what was quiet and still
// fires is told again. Pure: no time, disk or lock of its own.
//
// Follows Alertmanager's dedup stage (notify.go, needsUpdate) and differs where
// DESIGN.md says so: a resolve under quiet, the end of a silence, alerts that
// were never told.

#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"

namespace tocsin::notify {

// Why a notification goes out, or does not.
enum class Reason {
  kNothingNew,         // Told already, not yet time to repeat.
  kNothingTold,        // Nothing fires that may be told, nothing told is open.
  kFirstNotification,  // Nothing of the group was open at this integration.
  kNewAlerts,          // An alert fires that was not told.
  kQuietEnded,         // Told, then silenced or muted; still firing now.
  kSomeResolved,       // Others still fire.
  kAllResolved,
  kRepeatInterval,  // Nothing changed for repeat_interval.
};
std::string_view ReasonName(Reason reason);  // "first notification", …
bool IsNotification(Reason reason);          // Whether something goes out.

// Why an alert may not be told now.
enum class Quiet {
  kNone,
  kUnrouted,  // Its route is gone since a reload: only the end is told.
  kInhibited,
  kMuted,
  kSilenced,
};
std::string_view QuietName(Quiet quiet);  // "none", "unrouted", "inhibited", …

// An alert of the group, as one flush sees it.
struct MemberState {
  std::uint64_t fingerprint = 0;
  bool resolved = false;
  Quiet quiet = Quiet::kNone;
};

struct LogEntry {
  struct Told {
    bool hushed = false;  // Silenced or muted since it was told.
    bool taken = false;   // Not only in the outbox: the receiver has accepted one that says so.
    friend bool operator==(const Told&, const Told&) = default;
  };
  std::map<std::uint64_t, Told> firing;  // Told as firing, and not yet as resolved.
  std::set<std::uint64_t> resolved;      // Told as resolved in the last notification.
  WallTime told_at{};
  Reason reason = Reason::kNothingTold;

  friend bool operator==(const LogEntry&, const LogEntry&) = default;
};

// What an integration wants.
struct IntegrationTraits {
  bool send_resolved = true;
  bool resolves_in_quiet = false;  // PagerDuty and webhooks close at once; Slack waits.
};

struct Decision {
  Reason reason = Reason::kNothingTold;
  std::vector<std::uint64_t> firing;    // To be told as firing; empty unless something goes out.
  std::vector<std::uint64_t> resolved;  // To be told as resolved.
  LogEntry entry;                       // The log afterwards.
};

// Notes in `entry` which alerts that were told are silenced or muted now, so that
// they are told again afterwards. Returns whether that changed anything.
bool MarkHushed(LogEntry& entry, const std::vector<MemberState>& members);

Decision Decide(const LogEntry& entry, const std::vector<MemberState>& members,
                const IntegrationTraits& traits, Millis repeat_interval, WallTime now);

}  // namespace tocsin::notify
