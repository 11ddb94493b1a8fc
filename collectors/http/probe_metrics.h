#pragma once

// What a probe's answer is worth in numbers: blackbox_exporter's families of the http
// and tcp probers, and what is kept between probes. Stateless but for ProbeHistory.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/http_client.h"
#include "daemon/model/metric_batch.h"

namespace tocsin::collectors::http {

// Why a probe failed. The names are label values: a bounded set, every one of which
// has a counter from the start.
enum class FailureReason {
  kTimeout,    // The deadline passed.
  kDns,        // The name does not resolve.
  kConnect,    // No connection: refused, unreachable.
  kTls,        // The handshake or the certificate.
  kBroken,     // The connection broke off, or the answer is no HTTP.
  kRedirects,  // Too many, or to nowhere.
  kTooLarge,   // Headers or body over the limit.
  kStatus,     // From here on: answered, but not as expected.
  kHttpVersion,
  kTlsExpected,  // TLS where it must not be, or none where it must.
  kHeader,
  kBody,  // Of a tcp target: the conversation.
  kJson,
};
inline constexpr std::size_t kFailureReasons = 13;

std::string_view FailureReasonName(FailureReason reason);

// How an exchange that has an error failed.
FailureReason ReasonOf(const HttpExchange& exchange);

struct ProbeVerdict {
  std::optional<FailureReason> failure;
  bool failed_by_regex = false;        // blackbox' word for body and header expectations.
  std::optional<bool> failed_by_json;  // Nothing if no JSON is expected.
};

// What every probe tells.
struct ProbePath {
  double duration_seconds = 0;
  double resolve_seconds = 0;
  int ip_protocol = 0;  // 4, 6, 0 when never resolved.
  std::string ip_address;
  bool has_address = true;  // A Unix socket has none: nothing is said of it.
};
void WriteProbe(const ProbePath& path, const ProbeVerdict& verdict, model::MetricBatch& batch);

// Writes nothing where there is no session.
void WriteTls(const TlsSession& session, model::MetricBatch& batch);

// Writes all of an http probe's families.
void WriteHttpProbe(const HttpExchange& exchange, const ProbeVerdict& verdict,
                    model::MetricBatch& batch);

// Counters and the latency histogram of one target since it was started. A probe cut
// by its deadline counts in +Inf only, whatever the deadline; one that was never
// answered for another reason is no latency and counts as a failure only. Not
// thread-safe.
class ProbeHistory {
 public:
  static constexpr std::array<double, 13> kBucketBounds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                           1,     2.5,  5,     7.5,  10,  30};

  // `answered`: the peer did, whatever is thought of it.
  void Count(double seconds, bool answered, const ProbeVerdict& verdict);
  void Write(model::MetricBatch& batch) const;

 private:
  std::uint64_t attempts_ = 0;
  std::array<std::uint64_t, kFailureReasons> failures_{};
  std::array<std::uint64_t, kBucketBounds.size() + 1> buckets_{};
  double sum_seconds_ = 0;
};

}  // namespace tocsin::collectors::http
