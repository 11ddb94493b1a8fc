#pragma once

// One request on its way, hop by hop: sets up libcurl's easy handle for each hop
// of a chain of redirects and gathers what the hop brought. Redirects are followed
// here and not by libcurl, so that the phases of every hop are known exactly, and
// credentials stay with the host they were meant for. The loop in http_client.cc
// runs the hops; nobody else uses this. Not thread-safe.

#include <memory>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/http_client.h"
#include "daemon/base/result.h"

namespace tocsin {

class HttpTransfer {
 public:
  HttpTransfer(HttpRequest request, SteadyTime started_at, SteadyTime deadline,
               std::string user_agent);
  ~HttpTransfer();
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;

  // Sets the easy handle up for the next hop.
  // Errors: kInvalidArgument for a URL or a header that cannot be sent.
  Result<> PrepareHop(SteadyTime now);

  // libcurl's easy handle; valid from a successful PrepareHop to the destructor.
  void* easy() const;

  SteadyTime deadline() const;

  // Takes what the hop brought, `curl_code` being libcurl's verdict. Returns true
  // if another hop follows: PrepareHop and run again.
  bool FinishHop(int curl_code, SteadyTime now);

  // Ends the exchange before libcurl did: kDeadlineExceeded or kCancelled.
  void Abort(ErrorCode code, SteadyTime now);

  // Ends the exchange with an error that is none of libcurl's.
  void Fail(Error error);

  // What the exchange came to; once, at the end.
  HttpExchange TakeExchange(SteadyTime now);

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace tocsin
