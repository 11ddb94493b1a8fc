#pragma once

// A small real HTTP/1.1 server for tests, on 127.0.0.1 and a free port, that can
// misbehave: hang, drip, talk nonsense, close half-way, take its time. A thread
// per connection; the destructor ends them all. Requests are kept for the test.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"

namespace tocsin::testing {

struct ServedRequest {
  std::string method;
  std::string target;  // Path and query.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  // The first header of that name, in any case; empty if there is none.
  std::string Header(const std::string& name) const;
};

struct ServedAnswer {
  enum class Manner {
    kWhole,         // As a good server does.
    kChunked,       // The same without a length.
    kHang,          // Takes the request and never answers.
    kHangInBody,    // Headers and half of the body, then nothing.
    kDrip,          // One byte of the body at a time, `delay` between them.
    kNonsense,      // `body` as it stands, no HTTP around it; then closes.
    kCloseAtOnce,   // Closes without a byte.
    kCloseHalfWay,  // Headers and half of the body, then closes.
  };
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  Manner manner = Manner::kWhole;
  Millis delay{0};  // Before the answer; between bytes for kDrip.
};

// Thread-safe.
class HttpServer {
 public:
  using Respond = std::function<ServedAnswer(const ServedRequest&)>;  // Of any thread.

  struct Options {
    bool tls = false;     // With a certificate made for localhost and 127.0.0.1.
    bool silent = false;  // Accepts and never reads nor writes.
    std::chrono::hours certificate_lifetime{24 * 30};
  };

  explicit HttpServer(Respond respond);
  HttpServer(Respond respond, Options options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;
  // "http://127.0.0.1:PORT" + path; https with TLS.
  std::string Url(const std::string& path = "/") const;
  // A PEM file with the certificate, to be trusted; exists as long as the server.
  std::string ca_file() const;
  // When that certificate ends.
  WallTime certificate_end() const;

  std::vector<ServedRequest> requests() const;
  // Waits until `count` requests came in; false after `limit`.
  bool WaitForRequests(std::size_t count, Millis limit) const;
  int connections_accepted() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Answers every request the same way.
HttpServer::Respond Always(ServedAnswer answer);

}  // namespace tocsin::testing
