#pragma once

// What one tcp target is asked and what it must say. Made by ParseTcpConfig and then
// immutable; thread-safe to read.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "collectors/http/probe_config.h"
#include "daemon/base/http_config.h"

namespace tocsin::collectors::http {

// What happens in a step, happens in the order of the members.
struct QueryStep {
  Regex expect;              // Null: nothing is waited for.
  std::string expect_bytes;  // Empty: likewise.
  std::vector<std::pair<std::string, std::string>> labels;
  std::string send;  // Without its line feed; empty: nothing is sent.
  bool starttls = false;
};

struct TcpConfig {
  std::string unix_path;  // Empty: host and port.
  std::string host;
  std::uint16_t port = 0;
  bool tls_at_once = false;
  TlsOptions tls;
  IpPreference ip;
  std::vector<QueryStep> steps;
  int retries = 0;

  // "host:port" ("[::1]:25"), or the socket's path.
  std::string Instance() const;
};

// Reads the kind's keys; what is wrong goes to the reader's errors.
TcpConfig ParseTcpConfig(ConfigReader& reader, FileSystem& files);

}  // namespace tocsin::collectors::http
