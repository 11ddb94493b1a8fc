#include "daemon/push/retry_after.h"

#include <algorithm>
#include <ctime>

#include "daemon/base/text.h"

namespace tocsin::push {

std::optional<Millis> RetryAfter(const std::string& header, WallTime now) {
  Millis wait{0};
  if (const auto seconds = ParseInt(header)) {
    if (*seconds < 0) return std::nullopt;
    const std::int64_t cap = std::chrono::floor<std::chrono::seconds>(kMaxRetryAfter).count();
    wait = std::chrono::seconds(std::min(*seconds, cap));
  } else {
    std::tm time{};
    const char* end = strptime(header.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time);
    if (header.empty() || end == nullptr || *end != '\0') return std::nullopt;
    wait = FromUnixMillis(static_cast<std::int64_t>(timegm(&time)) * 1000) - now;
  }
  return std::clamp(wait, Millis(0), kMaxRetryAfter);
}

}  // namespace tocsin::push
