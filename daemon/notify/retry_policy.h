#pragma once

// The one place that turns how an attempt ended into what happens next, and that
// chooses when to try again. Each integration brings a table of its differences.
// Internal.

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/http_client.h"
#include "daemon/notify/delivery.h"

namespace tocsin::notify {

// Values of the label "reason" of tocsin_notifications_failed_total, as
// Alertmanager names them.
enum class FailureReason {
  kNone,
  kClientError,
  kServerError,
  kAuthError,
  kRateLimited,
  kDeadlineExceeded,
  kCanceled,
  kOther,
};
std::string_view FailureReasonName(FailureReason reason);

// What a person must mend is tried again this often.
inline constexpr Millis kMaxRetryDelay = std::chrono::minutes(5);
// No receiver may put us off for longer, whatever its Retry-After says.
inline constexpr Millis kMaxRetryAfter = std::chrono::hours(1);

struct Verdict {
  Outcome outcome = Outcome::kDelivered;
  FailureReason reason = FailureReason::kNone;
  Millis retry_after{0};  // At least; 0: what the backoff says.
  // The whole channel waits, not only this delivery: it is rate limited.
  bool holds_channel = false;
  std::string error;  // Empty when delivered; never with a credential.
  // Of a mail: the recipients that need not be tried again, and among them those whom the
  // server refused for good, each with its words.
  std::vector<std::string> settled_recipients{};
  std::vector<std::string> refused_recipients{};
};

// What an integration answers beyond its status.
struct AnswerRules {
  // A 2xx answer whose body is none of these words is an error. Empty: any body.
  std::vector<std::string_view> accepted_bodies;
  // Or: a 2xx answer must be JSON with "ok": true.
  bool json_ok = false;
  // The exchange is a mail's.
  bool mail = false;
};

// In general: 2xx is delivered. 408, 425, 429 and 5xx are tried again, 429 and 503
// not before their Retry-After. 401, 403, 404, 407, 410 and 3xx mean that an
// address or a credential is wrong: a person may mend it, so they are tried again
// too, every kMaxRetryDelay. Any other 4xx refuses this message: given up. No
// answer at all is tried again. (An end that was given up is composed anew all the same:
// Dispatcher::PlanUntell.)
Verdict JudgeExchange(const HttpExchange& exchange, const AnswerRules& rules, WallTime now);

// Of a mail. Replies 4xx, and no reply at all, are tried again; so is, every
// kMaxRetryDelay, what a person may mend: a login, a sender or a whole connection that
// was refused. Recipients are judged one by one: those refused for good (5xx) are left
// out of the next attempt and keep nobody else from being told. If all of them or the
// message itself is refused for good, it is given up.
Verdict JudgeMail(const HttpExchange& exchange);

// The `Retry-After` header, seconds or a date, up to kMaxRetryAfter; 0 if there is none or
// it is not sound.
Millis ParseRetryAfter(const std::string& header, WallTime now);

// Exponential with jitter: 0.5 s, then half as much again each time, up to a
// minute, each ± 50 %. Not thread-safe.
class Backoff {
 public:
  explicit Backoff(std::uint64_t seed) : random_(seed) {}

  // After the `attempts`th attempt has failed (from 1).
  Millis Next(int attempts);

 private:
  std::mt19937_64 random_;
};

}  // namespace tocsin::notify
