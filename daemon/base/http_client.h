#pragma once

// Outgoing HTTP: probes, scrapes, receivers and push. One seam for all of them:
// production is CurlHttpClient (one libcurl multi loop on one thread, so that a
// hung peer costs a socket and no thread), tests script the answers
// (tests/support/scripted_http_client.h). Mail goes the same way, with an
// HttpRequest that has an envelope; each has a thread while it is under way.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/mail.h"
#include "daemon/base/result.h"
#include "daemon/base/secret.h"
#include "daemon/base/tls.h"

namespace tocsin {

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // http:, https:; may hold a secret (webhooks): never logged whole.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string basic_auth_user;  // Empty: none.
  Secret basic_auth_password;
  std::string authorization_type = "Bearer";
  Secret authorization;  // The credentials behind the type; empty: none.
  TlsOptions tls;
  std::string proxy_url;
  std::string no_proxy;  // Reached without it: names, addresses and networks, by commas.
  // For the proxy alone, when it is asked to connect (https:).
  std::vector<std::pair<std::string, std::string>> proxy_headers;
  bool http2 = true;              // Over TLS, with peers that speak it.
  std::string unix_socket;        // Connects to this path whatever the URL's host is; empty: TCP.
  bool follow_redirects = false;  // At most 10.
  std::string accept_encoding;    // "gzip, br": asked for, and decoded; empty: neither.
  bool fresh_connection = false;  // Probes measure the whole way: nothing is reused.
  int ip_family = 0;              // 0 either, 4, 6.
  bool ip_fallback = false;       // A name without an address of `ip_family`: the other one.
  Millis time_limit{0};           // Ends it before the deadline; 0: does not.
  std::int64_t max_body_bytes = 10 << 20;
  std::string spare;  // Memory that the answer's body is received in, instead of new.
  // Set: `body` is a mail, `url` smtp://HOST:PORT or smtps://HOST:PORT; of the rest
  // only `tls` counts.
  std::optional<MailEnvelope> mail;
};

// Seconds of each phase, summed over redirects, as blackbox_exporter counts them.
struct HttpPhases {
  double resolve = 0;
  double connect = 0;
  double tls = 0;
  double processing = 0;
  double transfer = 0;
};

// How far an exchange came.
enum class HttpStage { kWaiting, kResolve, kConnect, kTls, kProcessing, kTransfer };

struct HttpResponse {
  int status = 0;                                            // 0: no answer came.
  std::vector<std::pair<std::string, std::string>> headers;  // Of the last answer.
  std::string body;                                          // Decoded if an encoding was accepted.
  std::int64_t content_length = -1;                          // The header's; -1 if there was none.
  std::string effective_url;
  int redirects = 0;
  double version = 0;   // 1, 1.1, 2, 3.
  int ip_protocol = 0;  // 4, 6, 0 when never resolved.
  std::string ip_address;
  HttpStage stage = HttpStage::kWaiting;  // Of the last hop; kTransfer once an answer came.
  HttpPhases phases;
  double duration_seconds = 0;
  TlsSession tls;  // Of the last hop.
  // Of a mail: `status` and `body` are the last reply's, which was about this step; and
  // what was replied to each recipient so far.
  MailStep mail_step = MailStep::kNone;
  std::vector<MailReply> recipients;

  // The first header of that name, in any case; empty if there is none.
  std::string Header(const std::string& name) const;
};

// How a request ended. `response` holds what is known even when `error` is set:
// the phases up to the failure, a status if one came.
struct HttpExchange {
  HttpResponse response;
  // kUnavailable (resolve, connect, TLS, broken off), kDeadlineExceeded, kCancelled,
  // kResourceExhausted (body over the limit), kInvalidArgument (URL),
  // kPermissionDenied (no way to log in to a mail server). The message names the host
  // and never the path, query or credentials.
  std::optional<Error> error;
};

// Thread-safe.
class HttpClient {
 public:
  using RequestId = std::uint64_t;
  using Done = std::function<void(HttpExchange)>;

  virtual ~HttpClient() = default;

  // Sends `request`; the whole exchange ends by `deadline`, a mail's perhaps later.
  // `done` is called exactly once, on the client's own thread, never from within Start;
  // it must be quick (hand work on to a lane).
  virtual RequestId Start(HttpRequest request, SteadyTime deadline, Done done) = 0;

  // Ends a request early: its `done` is called with kCancelled, unless it was already.
  virtual void Cancel(RequestId id) = 0;
};

// Sends and waits. For the command line and tests, never from a client's own thread.
HttpExchange Fetch(HttpClient& client, HttpRequest request, SteadyTime deadline);

// `text` with every byte outside [A-Za-z0-9-_.~] as %XX.
std::string PercentEncode(const std::string& text);

class MailSender;

// libcurl's multi interface on one thread, and the mails' threads. The destructor
// cancels what is under way.
class CurlHttpClient : public HttpClient {
 public:
  struct Options {
    std::string user_agent = "tocsin";
    int max_connections = 1100;  // At once; further requests wait their turn within their deadline.
    // For a mail server's reply to a whole message, whatever the deadline: a message that
    // is sent again while it is being taken arrives twice (RFC 5321, 4.5.3.2.6).
    Millis mail_reply_patience = std::chrono::minutes(10);
  };

  explicit CurlHttpClient(const Clock& clock);
  CurlHttpClient(const Clock& clock, Options options);
  ~CurlHttpClient() override;

  RequestId Start(HttpRequest request, SteadyTime deadline, Done done) override;
  void Cancel(RequestId id) override;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<MailSender> mail_;
};

}  // namespace tocsin
