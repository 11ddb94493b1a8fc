#pragma once

// One mail by SMTP, from connecting to QUIT, on the calling thread: libcurl waits
// for the reply to a message's last dot without returning, which would hold up
// everything else on the loop of http_client.cc.
//
// A recipient that the server refuses does not keep the others from getting the
// mail; HttpResponse::recipients says who was refused. Internal to base.

#include <memory>

#include "daemon/base/clock.h"
#include "daemon/base/http_client.h"

namespace tocsin {

class MailTransfer {
 public:
  // Requires: `request.mail`.
  MailTransfer(HttpRequest request, const Clock& clock, SteadyTime deadline);
  ~MailTransfer();
  MailTransfer(const MailTransfer&) = delete;
  MailTransfer& operator=(const MailTransfer&) = delete;

  // Sends it; once. Returns by the deadline or at most a second later, and a second
  // after Cancel(). A server that refused has `status` (its reply's code), `body`
  // (the reply) and `mail_step` set and is no error. Errors: kUnavailable,
  // kDeadlineExceeded, kCancelled, kInvalidArgument, and kPermissionDenied if the
  // server offers no way to log in that may be used.
  HttpExchange Run();

  // Ends Run() early. From any thread.
  void Cancel();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tocsin
