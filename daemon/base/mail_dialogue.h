#pragma once

// What is said between us and a mail server, line by line, as libcurl shows it: how far it
// has come, and what the server replied. Credentials pass here and are not kept. Internal
// to base. Not thread-safe.

#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/mail.h"

namespace tocsin {

class MailDialogue {
 public:
  // `recipients` must outlive it.
  MailDialogue(const std::vector<std::string>& recipients, const Clock& clock)
      : recipients_(recipients), clock_(clock) {}

  // A new connection; only what the server offers is remembered.
  void BeginAnew();
  void NoteCommand(std::string_view line);
  void NoteReply(std::string_view line);

  MailStep step() const { return step_; }
  bool awaits_reply() const { return awaits_reply_; }
  // The last whole reply before the farewell: its code and words, and what it was about.
  int code() const { return code_; }
  const std::string& text() const { return text_; }
  MailStep replied() const { return replied_; }
  // To the recipients so far, in their order.
  const std::vector<MailReply>& answers() const { return answers_; }
  // The ways to log in, in the server's order.
  const std::vector<std::string>& offered() const { return offered_; }
  SteadyTime farewell_at() const { return farewell_at_; }
  // Whether the farewell came while a reply was still due.
  bool left_unanswered() const { return left_unanswered_; }

 private:
  void NoteWaysToLogIn(std::string_view line);

  const std::vector<std::string>& recipients_;
  const Clock& clock_;
  MailStep step_ = MailStep::kNone;
  bool awaits_reply_ = true;
  int code_ = 0;
  std::string text_;
  MailStep replied_ = MailStep::kNone;
  std::string reply_;  // The lines so far of the one under way.
  std::vector<MailReply> answers_;
  std::vector<std::string> offered_;
  SteadyTime farewell_at_{};
  bool left_unanswered_ = false;
};

// "waiting for the greeting"
std::string_view Doing(MailStep step);

}  // namespace tocsin
