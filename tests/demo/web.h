#pragma once

// What the demo asks over HTTP of servers on this host. Thread-safe.

#include <chrono>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/result.h"

namespace tocsin::demo {

struct WebAnswer {
  int status = 0;
  std::string body;
  double seconds = 0;
};

// Errors: kUnavailable when no answer came within `limit`.
Result<WebAnswer> WebGet(int port, const std::string& path,
                         std::chrono::milliseconds limit = std::chrono::seconds(5));
Result<WebAnswer> WebPost(int port, const std::string& path,
                          std::chrono::milliseconds limit = std::chrono::seconds(35));

struct SeenAlert {
  std::map<std::string, std::string> labels;
  std::string state;  // "pending" or "firing".
  double value = 0;
  std::string active_at;

  std::string Label(const std::string& name) const;
};

struct SeenTarget {
  std::string job;
  std::string instance;
  std::string health;  // "up", "down", "unknown".
  std::string error;
};

struct SeenSample {
  std::map<std::string, std::string> labels;
  double value = 0;
};

// A server that speaks Prometheus' HTTP API: the daemon, or Prometheus itself.
// Errors: kUnavailable, kCorruption for an answer of another shape, kInvalidArgument
// for a query that was refused.
class PrometheusApi {
 public:
  explicit PrometheusApi(int port) : port_(port) {}

  int port() const { return port_; }
  bool Ready() const;
  Result<std::vector<SeenAlert>> Alerts() const;
  Result<std::vector<SeenTarget>> Targets() const;
  Result<std::vector<SeenSample>> Query(const std::string& expression) const;

 private:
  int port_;
};

}  // namespace tocsin::demo
