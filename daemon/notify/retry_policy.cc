#include "daemon/notify/retry_policy.h"

#include <date/date.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <nlohmann/json.hpp>
#include <sstream>

#include "daemon/base/text.h"

namespace tocsin::notify {
namespace {

constexpr double kFirstDelaySeconds = 0.5;
constexpr double kDelayFactor = 1.5;
constexpr double kMaxDelaySeconds = 60;
constexpr double kJitter = 0.5;
constexpr std::size_t kMaxErrorRunes = 200;  // Of an answer's body, in an error.

FailureReason ReasonOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kDeadlineExceeded: return FailureReason::kDeadlineExceeded;
    case ErrorCode::kCancelled: return FailureReason::kCanceled;
    default: return FailureReason::kOther;
  }
}

std::string WithBody(std::string message, const std::string& body) {
  std::string text = ValidUtf8(TrimSpace(body));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  if (text.empty()) return message;
  return message + ": " + TruncateRunes(text, kMaxErrorRunes);
}

Verdict Refused(const HttpResponse& response, FailureReason reason) {
  return {Outcome::kRetryLater, reason, kMaxRetryDelay, false,
          WithBody(fmt::format("refused with status {}", response.status), response.body)};
}

Verdict Limited(const std::string& error, Millis retry_after) {
  return {Outcome::kRetryLater, FailureReason::kRateLimited, retry_after, true, error};
}

Verdict JudgeStatus(const HttpResponse& response, WallTime now) {
  const int status = response.status;
  const auto error = [&](std::string_view what) {
    return WithBody(fmt::format("{} with status {}", what, status), response.body);
  };
  switch (status) {
    case 429:
      return Limited(error("rate limited"), ParseRetryAfter(response.Header("Retry-After"), now));
    case 408:
    case 425:
      return {Outcome::kRetryLater, FailureReason::kClientError, Millis(0), false,
              error("asked to try again")};
    case 401:
    case 403:
    case 407: return Refused(response, FailureReason::kAuthError);
    case 404:
    case 410: return Refused(response, FailureReason::kClientError);
    default: break;
  }
  if (status >= 500) {
    const Millis after =
        status == 503 ? ParseRetryAfter(response.Header("Retry-After"), now) : Millis(0);
    return {Outcome::kRetryLater, FailureReason::kServerError, after, false, error("failed")};
  }
  if (status >= 300 && status < 400) return Refused(response, FailureReason::kOther);
  if (status >= 400) {
    return {Outcome::kGiveUp, FailureReason::kClientError, Millis(0), false,
            error("message refused")};
  }
  return {Outcome::kRetryLater, FailureReason::kOther, Millis(0), false,
          error("unexpected answer")};
}

// Slack says with 200 what others say with a status.
Verdict JudgeErrorWord(const std::string& word, Millis retry_after) {
  constexpr std::string_view kRateWords[] = {"rate_limited", "ratelimited"};
  constexpr std::string_view kTryAgainWords[] = {
      "internal_error", "fatal_error", "service_unavailable", "request_timeout", "rollup_error"};
  constexpr std::string_view kMessageWords[] = {"invalid_payload",      "no_text",
                                                "invalid_blocks",       "msg_too_long",
                                                "too_many_attachments", "invalid_attachments",
                                                "msg_blocks_too_long"};
  const auto is_one_of = [&](const auto& words) {
    return std::find(std::begin(words), std::end(words), word) != std::end(words);
  };
  const std::string error = WithBody("refused", word);
  if (is_one_of(kRateWords)) return Limited(error, retry_after);
  if (is_one_of(kTryAgainWords)) {
    return {Outcome::kRetryLater, FailureReason::kServerError, Millis(0), false, error};
  }
  if (is_one_of(kMessageWords)) {
    return {Outcome::kGiveUp, FailureReason::kClientError, Millis(0), false, error};
  }
  // A channel, a token, a permission: somebody may mend it.
  return {Outcome::kRetryLater, FailureReason::kClientError, kMaxRetryDelay, false, error};
}

Verdict JudgeJsonBody(const HttpResponse& response, WallTime now) {
  try {
    const auto json = nlohmann::json::parse(response.body);
    if (json.value("ok", false)) return {};
    const Millis after = ParseRetryAfter(response.Header("Retry-After"), now);
    return JudgeErrorWord(json.value("error", "no reason given"), after);
  } catch (const std::exception&) {
    return JudgeErrorWord(response.body, Millis(0));
  }
}

}  // namespace

std::string_view FailureReasonName(FailureReason reason) {
  switch (reason) {
    case FailureReason::kNone: return "none";
    case FailureReason::kClientError: return "clientError";
    case FailureReason::kServerError: return "serverError";
    case FailureReason::kAuthError: return "authError";
    case FailureReason::kRateLimited: return "rateLimited";
    case FailureReason::kDeadlineExceeded: return "contextDeadlineExceeded";
    case FailureReason::kCanceled: return "contextCanceled";
    case FailureReason::kOther: return "other";
  }
  return "other";
}

Verdict JudgeExchange(const HttpExchange& exchange, const AnswerRules& rules, WallTime now) {
  if (rules.mail) return JudgeMail(exchange);
  const HttpResponse& response = exchange.response;
  if (exchange.error) {
    return {Outcome::kRetryLater, ReasonOf(exchange.error->code), Millis(0), false,
            exchange.error->message};
  }
  if (response.status < 200 || response.status > 299) return JudgeStatus(response, now);
  if (rules.json_ok) return JudgeJsonBody(response, now);
  const std::string_view body = TrimSpace(response.body);
  if (rules.accepted_bodies.empty()) return {};
  const auto& accepted = rules.accepted_bodies;
  if (std::find(accepted.begin(), accepted.end(), body) != accepted.end()) return {};
  return JudgeJsonBody(response, now);
}

Millis ParseRetryAfter(const std::string& header, WallTime now) {
  const std::string_view text = TrimSpace(header);
  if (text.empty()) return Millis(0);
  Millis delay{0};
  if (const auto seconds = ParseDouble(text)) {
    if (!std::isfinite(*seconds) || *seconds < 0) return Millis(0);
    const double capped = std::min(*seconds, ToSeconds(kMaxRetryAfter));
    delay = Millis(static_cast<std::int64_t>(std::ceil(capped * 1000)));
  } else {
    std::istringstream in{std::string(text)};
    date::sys_seconds when;
    in >> date::parse("%a, %d %b %Y %T GMT", when);
    if (in.fail()) return Millis(0);
    delay = std::chrono::duration_cast<Millis>(when - now);
  }
  return std::clamp(delay, Millis(0), kMaxRetryAfter);
}

Millis Backoff::Next(int attempts) {
  const double exponent = std::clamp(attempts - 1, 0, 30);
  const double base =
      std::min(kFirstDelaySeconds * std::pow(kDelayFactor, exponent), kMaxDelaySeconds);
  // std::uniform_real_distribution differs between libraries; this does not.
  const double unit = static_cast<double>(random_() >> 11) * 0x1.0p-53;
  const double seconds = base * (1 - kJitter + 2 * kJitter * unit);
  return Millis(static_cast<std::int64_t>(std::ceil(seconds * 1000)));
}

}  // namespace tocsin::notify
