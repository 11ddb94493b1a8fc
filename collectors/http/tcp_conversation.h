#pragma once

// One attempt of a tcp probe: resolve, connect, TLS, and the steps.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "collectors/http/probe_metrics.h"
#include "collectors/http/tcp_config.h"
#include "daemon/base/deadline.h"

namespace tocsin::collectors::http {

// How it ended.
struct Conversation {
  ProbePath path;
  ProbeVerdict verdict;
  std::string explanation;       // For people; empty when all is well.
  bool failed_by_bytes = false;  // blackbox' word for other bytes than expected.
  TlsSession tls;
  std::vector<std::pair<std::string, std::string>> labels;  // Of probe_expect_info.
};

// A line of the peer's longer than this fails the probe.
inline constexpr std::size_t kMaxLineBytes = 64 << 10;

// Errors: kCancelled only; any other end is an answer.
Result<Conversation> Converse(const TcpConfig& config, const Deadline& deadline);

}  // namespace tocsin::collectors::http
