#include "daemon/base/mail_dialogue.h"

#include <algorithm>
#include <utility>

namespace tocsin {
namespace {

constexpr std::size_t kMaxReplyBytes = 1024;  // Kept of one reply.
constexpr std::size_t kMaxWays = 16;          // To log in, of a server's list.

struct Command {
  std::string_view begins;
  MailStep step;
};
constexpr Command kCommands[] = {
    {"EHLO ", MailStep::kHello},         {"HELO ", MailStep::kHello},
    {"STARTTLS\r", MailStep::kStartTls}, {"AUTH ", MailStep::kLogin},
    {"MAIL FROM:", MailStep::kSender},   {"RCPT TO:", MailStep::kRecipients},
    {"DATA\r", MailStep::kContent},      {"QUIT\r", MailStep::kFarewell},
};

}  // namespace

std::string_view Doing(MailStep step) {
  switch (step) {
    case MailStep::kNone: return "connecting";
    case MailStep::kGreeting: return "waiting for the greeting";
    case MailStep::kHello: return "waiting for the reply to EHLO";
    case MailStep::kStartTls: return "turning to TLS";
    case MailStep::kLogin: return "logging in";
    case MailStep::kSender: return "waiting for the reply to MAIL FROM";
    case MailStep::kRecipients: return "waiting for the reply to RCPT TO";
    case MailStep::kContent: return "handing over the message";
    case MailStep::kFarewell: return "waiting for the reply to QUIT";
  }
  return "sending";
}

void MailDialogue::BeginAnew() {
  step_ = MailStep::kNone;
  awaits_reply_ = true;
  code_ = 0;
  text_.clear();
  replied_ = MailStep::kNone;
  reply_.clear();
  answers_.clear();
  left_unanswered_ = false;
}

void MailDialogue::NoteCommand(std::string_view line) {
  const bool unanswered = std::exchange(awaits_reply_, true);
  for (const Command& command : kCommands) {
    // Within a login the lines are credentials, whatever they look like.
    if (step_ == MailStep::kLogin && command.step != MailStep::kSender) continue;
    if (!line.starts_with(command.begins)) continue;
    step_ = command.step;
    if (step_ == MailStep::kHello) offered_.clear();
    if (step_ == MailStep::kFarewell) {
      farewell_at_ = clock_.SteadyNow();
      left_unanswered_ = unanswered;
    }
    return;
  }
}

void MailDialogue::NoteReply(std::string_view line) {
  if (step_ == MailStep::kNone) step_ = MailStep::kGreeting;
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  const bool numbered = line.size() >= 3 && std::all_of(line.begin(), line.begin() + 3, [](char c) {
                          return c >= '0' && c <= '9';
                        });
  if (!numbered) return;
  if (step_ == MailStep::kHello && line.size() > 4) NoteWaysToLogIn(line.substr(4));
  if (reply_.size() < kMaxReplyBytes && line.size() > 4) {
    if (!reply_.empty()) reply_ += ' ';
    reply_ += line.substr(4, kMaxReplyBytes);
  }
  if (line.size() > 3 && line[3] == '-') return;  // More lines follow.
  awaits_reply_ = false;
  if (step_ == MailStep::kFarewell) return;
  code_ = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  text_ = std::exchange(reply_, {});
  replied_ = step_;
  if (step_ == MailStep::kRecipients && answers_.size() < recipients_.size()) {
    answers_.push_back({recipients_[answers_.size()], code_, text_});
  }
}

// "AUTH PLAIN LOGIN"
void MailDialogue::NoteWaysToLogIn(std::string_view line) {
  constexpr std::string_view kKey = "AUTH ";
  if (!line.starts_with(kKey)) return;
  line.remove_prefix(kKey.size());
  while (!line.empty() && offered_.size() < kMaxWays) {
    const std::size_t end = std::min(line.find(' '), line.size());
    if (end > 0) offered_.emplace_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
}

}  // namespace tocsin
