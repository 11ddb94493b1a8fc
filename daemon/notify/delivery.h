#pragma once

// What waits in the outbox: the content of one message for one integration.

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/base/clock.h"

namespace tocsin::notify {

struct Delivery {
  std::int64_t id = 0;      // Assigned when stored; 0 before that.
  std::string integration;  // IntegrationConfig::id.
  std::string group_key;
  std::string dedup_key;  // SHA-256 of the group key: stable across retries and restarts.
  std::string payload;    // EncodeNotification(); never holds a credential.
  std::vector<std::uint64_t> firing;    // Fingerprints told as firing.
  std::vector<std::uint64_t> resolved;  // Fingerprints told as resolved.
  int attempts = 0;                     // That have ended.
  std::string last_error;               // Of the last attempt.
  // A mail that some have had and that waits for those who were put off; not stored: after
  // a restart its next attempt says so again. Nothing waits behind it.
  bool partly_delivered = false;
  // An attempt had no answer, or the process died: it may have been taken. Not stored.
  bool maybe_taken = false;
  WallTime created_at{};
  WallTime next_attempt_at{};  // Not attempted before this time.
  WallTime expires_at{};       // Dropped, and counted, after this time.
};

enum class Outcome { kDelivered, kRetryLater, kGiveUp };

inline constexpr Millis kDeliveryLifetime = std::chrono::hours(120);

}  // namespace tocsin::notify
