#pragma once

// What Slack's incoming webhooks and PagerDuty's Events API v2 accept, after the
// vendors' documentation: fields that are required, types, lengths, words.
// References: https://api.slack.com/messaging/webhooks,
// https://api.slack.com/reference/messaging/attachments,
// https://developer.pagerduty.com/docs/send-alert-event

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::demo {

inline constexpr std::size_t kSlackTextLimit = 40'000;  // Characters.
inline constexpr std::size_t kSlackAttachmentLimit = 100;
inline constexpr std::size_t kSlackBlockLimit = 50;
inline constexpr std::size_t kPagerDutyBodyLimit = 512'000;  // Bytes.
inline constexpr std::size_t kPagerDutySummaryLimit = 1'024;
inline constexpr std::size_t kPagerDutyDedupKeyLimit = 255;
inline constexpr std::size_t kPagerDutyRoutingKeyLength = 32;

struct SlackVerdict {
  // The word Slack answers with ("invalid_payload", "no_text", …); empty: accepted.
  std::string refusal;
  std::string reason;    // What exactly is wrong, for the person who reads the demo.
  std::string headline;  // The text, or the first attachment's title.
};

// Judges the body of a POST to an incoming webhook.
SlackVerdict JudgeSlackMessage(std::string_view body);

struct PagerDutyVerdict {
  std::vector<std::string> errors;  // As PagerDuty lists them; empty: accepted.
  std::string action;               // "trigger", "acknowledge" or "resolve".
  std::string routing_key;
  std::string dedup_key;  // Empty if the event names none.
  std::string summary;
  std::string severity;
};

// Judges the body of a POST to /v2/enqueue.
PagerDutyVerdict JudgePagerDutyEvent(std::string_view body);

}  // namespace tocsin::demo
