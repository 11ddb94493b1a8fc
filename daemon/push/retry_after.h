#pragma once

// The header Retry-After (RFC 9110, 10.2.3).

#include <optional>
#include <string>

#include "daemon/base/clock.h"

namespace tocsin::push {

// A bad header must not silence a destination for hours.
inline constexpr Millis kMaxRetryAfter = std::chrono::minutes(5);

// How long to wait, from seconds or a date; nothing if `header` is neither. At most
// kMaxRetryAfter.
std::optional<Millis> RetryAfter(const std::string& header, WallTime now);

}  // namespace tocsin::push
