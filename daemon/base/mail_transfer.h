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
  // A server may take `reply_patience` for its reply to a whole message, though the
  // deadline passes meanwhile: to send a message again that it is about to take would be
  // to send it twice (RFC 5321, 4.5.3.2.6).
  // Requires: `request.mail`.
  MailTransfer(HttpRequest request, const Clock& clock, SteadyTime deadline, Millis reply_patience);
  ~MailTransfer();
  MailTransfer(const MailTransfer&) = delete;
  MailTransfer& operator=(const MailTransfer&) = delete;

  // Sends it; once. Returns by the deadline (or the end of the patience) or at most a
  // second later, and a second after Cancel(). A server that refused has `status` (its reply's
  // code), `body` (the reply) and `mail_step` set and is no error. Errors: kUnavailable,
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
