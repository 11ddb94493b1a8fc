#pragma once

// The HTTP server: listens on TCP and Unix sockets, checks credentials, bounds
// bodies and concurrent heavy work, and hands requests to the endpoints.
//
// Health and alert pages stay prompt while queries pile up: of the kWorkers
// threads at most kMaxHeavy answer heavy endpoints, the rest refuse them with 503. (Clients
// that send or take slowly hold a worker each, and are given up in their time.)

#include <memory>
#include <string>
#include <vector>

#include "daemon/api/api_config.h"
#include "daemon/api/context.h"
#include "daemon/base/result.h"

namespace tocsin::api {

// Start() and Stop() from one thread.
class HttpServer {
 public:
  static constexpr int kWorkers = 32;  // Per listening address.
  static constexpr int kMaxHeavy = 24;

  // Binds every address at once, so that a port in use is an error at start.
  // Errors: kUnavailable (address in use), kPermissionDenied, kInvalidArgument
  // (certificate); the message names the address.
  static Result<std::unique_ptr<HttpServer>> Bind(const ApiConfig& config, Context context);

  ~HttpServer();  // Stops.

  // Begins to answer.
  void Start();

  // Accepts no more and lets the answers under way be taken, within two seconds each address.
  void Stop();

  // As bound: port 0 has become the real one.
  const std::vector<ListenAddress>& addresses() const { return addresses_; }

 private:
  class Rep;
  explicit HttpServer(std::unique_ptr<Rep> rep);

  std::unique_ptr<Rep> rep_;
  std::vector<ListenAddress> addresses_;
  bool stopped_ = false;
};

}  // namespace tocsin::api
