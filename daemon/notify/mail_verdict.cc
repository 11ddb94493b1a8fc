// How the attempt to hand over a mail ended: RFC 5321, 4.2.

#include <fmt/format.h>

#include "daemon/base/text.h"
#include "daemon/notify/retry_policy.h"

namespace tocsin::notify {
namespace {

constexpr int kTooLarge = 552;
constexpr std::size_t kMaxErrorRunes = 200;  // Of a server's words, in an error.

std::string Words(std::string_view text) {
  std::string words = ValidUtf8(TrimSpace(text));
  for (char& c : words) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return TruncateRunes(words, kMaxErrorRunes);
}

std::string Answer(int code, std::string_view text) {
  const std::string words = Words(text);
  return words.empty() ? fmt::format("{}", code) : fmt::format("{} {}", code, words);
}

bool IsGood(int code) { return code >= 200 && code <= 299; }
bool IsFinal(int code) { return code >= 500; }

Verdict Retry(FailureReason reason, Millis after, std::string error) {
  return {Outcome::kRetryLater, reason, after, false, std::move(error), {}, {}};
}

Verdict WithoutReply(const Error& error) {
  switch (error.code) {
    case ErrorCode::kDeadlineExceeded:
      return Retry(FailureReason::kDeadlineExceeded, Millis(0), error.message);
    case ErrorCode::kCancelled: return Retry(FailureReason::kCanceled, Millis(0), error.message);
    case ErrorCode::kPermissionDenied:
      return Retry(FailureReason::kAuthError, kMaxRetryDelay, error.message);
    default: return Retry(FailureReason::kOther, Millis(0), error.message);
  }
}

// Nobody's mail was taken, or it was taken for some of its recipients.
Verdict JudgeRecipients(const HttpResponse& response, bool taken) {
  Verdict verdict;
  std::string later;
  std::size_t waiting = 0;
  for (const MailReply& reply : response.recipients) {
    const std::string line = fmt::format("{}: {}", reply.recipient, Answer(reply.code, reply.text));
    if (IsGood(reply.code)) {
      if (taken) verdict.settled_recipients.push_back(reply.recipient);
    } else if (IsFinal(reply.code)) {
      verdict.settled_recipients.push_back(reply.recipient);
      verdict.refused_recipients.push_back(line);
    } else {
      if (waiting++ == 0) later = line;
    }
  }
  if (waiting > 0) {
    verdict.outcome = Outcome::kRetryLater;
    verdict.reason = FailureReason::kServerError;
    verdict.error = fmt::format("{} of {} recipients not taken for now: {}", waiting,
                                response.recipients.size(), later);
  } else if (!taken) {
    verdict.outcome = Outcome::kGiveUp;
    verdict.reason = FailureReason::kClientError;
    verdict.error = "every recipient was refused: " +
                    fmt::format("{}", fmt::join(verdict.refused_recipients, "; "));
  }
  return verdict;
}

Verdict Refused(const HttpResponse& response) {
  const auto error = [&](std::string_view what) {
    return fmt::format("{} with {}", what, Answer(response.status, response.body));
  };
  if (!IsFinal(response.status)) {
    return Retry(FailureReason::kServerError, Millis(0), error("put off"));
  }
  switch (response.mail_step) {
    case MailStep::kLogin:
      return Retry(FailureReason::kAuthError, kMaxRetryDelay, error("login refused"));
    case MailStep::kSender:
      if (response.status == kTooLarge) break;  // The size is said with the sender (RFC 1870).
      // 530: somebody has to log in first.
      return Retry(response.status == 530 ? FailureReason::kAuthError : FailureReason::kClientError,
                   kMaxRetryDelay, error("sender refused"));
    case MailStep::kGreeting:
    case MailStep::kHello:
    case MailStep::kStartTls:
      return Retry(FailureReason::kServerError, kMaxRetryDelay, error("connection refused"));
    default: break;
  }
  return {Outcome::kGiveUp,
          FailureReason::kClientError,
          Millis(0),
          false,
          error("message refused"),
          {},
          {}};
}

}  // namespace

Verdict JudgeMail(const HttpExchange& exchange) {
  const HttpResponse& response = exchange.response;
  if (exchange.error) return WithoutReply(*exchange.error);
  if (IsGood(response.status)) return JudgeRecipients(response, true);
  if (response.mail_step == MailStep::kRecipients && !response.recipients.empty()) {
    return JudgeRecipients(response, false);
  }
  return Refused(response);
}

}  // namespace tocsin::notify
