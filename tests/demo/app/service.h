#pragma once

// The booking platform's application, small: login, availability, booking,
// dashboard and payment over a connection pool and a cache, /health with the
// pool's numbers, /metrics, and two faults that can be switched on:
//   POST /debug/leak?connections=N  checks N connections out and keeps them (0: gives all back)
//   POST /debug/stall?seconds=S     lets every request of a user, and /health, wait (0: ends it)

#include <memory>
#include <string>

#include "daemon/base/result.h"

namespace tocsin::demo {

struct ServiceOptions {
  int port = 0;  // On 127.0.0.1.
  std::string database;
  int redis_port = 0;
  int pool_size = 20;
  int pool_overflow = 40;
};

class Service {
 public:
  explicit Service(const ServiceOptions& options);
  ~Service();

  // Serves until Stop(). Errors: kUnavailable if the port is taken.
  Result<> Run();
  // From any thread.
  void Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::demo
