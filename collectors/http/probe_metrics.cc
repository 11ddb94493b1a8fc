#include "collectors/http/probe_metrics.h"

#include <arpa/inet.h>

#include <algorithm>
#include <ctime>
#include <numeric>
#include <string>

namespace tocsin::collectors::http {
namespace {

using model::MetricBatch;
using model::MetricType;

// What blackbox_exporter shows as a time that is none: Go's zero time.
constexpr double kYearOne = -62135596800;

// FNV-1a over the address' bytes, as blackbox_exporter hashes it.
double AddressHash(const std::string& address) {
  unsigned char bytes[16];
  std::size_t size = 0;
  if (inet_pton(AF_INET, address.c_str(), bytes) == 1) {
    size = 4;
  } else if (inet_pton(AF_INET6, address.c_str(), bytes) == 1) {
    size = 16;
  }
  if (size == 0) return 0;
  std::uint32_t hash = 2166136261U;
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 16777619U;
  return hash;
}

// "Wed, 21 Oct 2015 07:28:00 GMT"
std::optional<double> ParseHttpDate(const std::string& text) {
  std::tm time{};
  const char* end = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return static_cast<double>(timegm(&time));
}

double UnixSeconds(WallTime time) { return static_cast<double>(ToUnixMillis(time)) / 1000; }

void WritePhases(const HttpPhases& phases, MetricBatch& batch) {
  const auto family = batch.DeclareFamily("probe_http_duration_seconds",
                                          "Seconds in each phase of the request, redirects summed.",
                                          MetricType::kGauge, {"phase"});
  batch.Add(family, {"connect"}, phases.connect);
  batch.Add(family, {"processing"}, phases.processing);
  batch.Add(family, {"resolve"}, phases.resolve);
  batch.Add(family, {"tls"}, phases.tls);
  batch.Add(family, {"transfer"}, phases.transfer);
}

bool IsRedirect(const HttpResponse& response) {
  constexpr int kRedirects[] = {301, 302, 303, 307, 308};
  return std::find(std::begin(kRedirects), std::end(kRedirects), response.status) !=
             std::end(kRedirects) &&
         !response.Header("Location").empty();
}

void WriteAnswer(const HttpResponse& response, MetricBatch& batch) {
  const bool answered = response.status != 0;
  batch.AddGauge("probe_http_status_code", "Status of the last answer; 0 if none came.",
                 response.status);
  batch.AddGauge("probe_http_content_length", "Length the answer's header names; -1 for none.",
                 answered ? static_cast<double>(response.content_length) : 0);
  batch.AddGauge("probe_http_uncompressed_body_length", "Bytes of body that were read.",
                 static_cast<double>(response.body.size()));
  batch.AddGauge("probe_http_redirects",
                 "Redirects that came, the last one included if it was not followed.",
                 response.redirects + (IsRedirect(response) ? 1 : 0));
  batch.AddGauge("probe_http_ssl", "1 if the last hop used TLS.", answered && response.tls ? 1 : 0);
  batch.AddGauge("probe_http_version", "HTTP version of the answer.", response.version);
  if (const auto modified = ParseHttpDate(response.Header("Last-Modified"))) {
    batch.AddGauge("probe_http_last_modified_timestamp_seconds",
                   "The answer's Last-Modified, in seconds since 1970.", *modified);
  }
}

}  // namespace

std::string_view FailureReasonName(FailureReason reason) {
  switch (reason) {
    case FailureReason::kTimeout: return "timeout";
    case FailureReason::kDns: return "dns";
    case FailureReason::kConnect: return "connect";
    case FailureReason::kTls: return "tls";
    case FailureReason::kBroken: return "broken";
    case FailureReason::kRedirects: return "redirects";
    case FailureReason::kTooLarge: return "too_large";
    case FailureReason::kStatus: return "status";
    case FailureReason::kHttpVersion: return "http_version";
    case FailureReason::kTlsExpected: return "tls_expected";
    case FailureReason::kHeader: return "header";
    case FailureReason::kBody: return "body";
    case FailureReason::kJson: return "json";
  }
  return "broken";
}

FailureReason ReasonOf(const HttpExchange& exchange) {
  const HttpResponse& response = exchange.response;
  if (exchange.error->code == ErrorCode::kDeadlineExceeded) return FailureReason::kTimeout;
  if (exchange.error->code == ErrorCode::kResourceExhausted) return FailureReason::kTooLarge;
  if (response.redirects > 0 && response.status >= 300 && response.status < 400) {
    return FailureReason::kRedirects;
  }
  switch (response.stage) {
    case HttpStage::kWaiting:
    case HttpStage::kResolve: return FailureReason::kDns;
    case HttpStage::kConnect: return FailureReason::kConnect;
    case HttpStage::kTls: return FailureReason::kTls;
    case HttpStage::kProcessing:
    case HttpStage::kTransfer: return FailureReason::kBroken;
  }
  return FailureReason::kBroken;
}

void WriteProbe(const ProbePath& path, const ProbeVerdict& verdict, MetricBatch& batch) {
  batch.AddGauge("probe_success", "1 if the answer was what is expected of it.",
                 verdict.failure ? 0 : 1);
  batch.AddGauge("probe_duration_seconds", "Seconds from the probe's start to its end.",
                 path.duration_seconds);
  if (path.has_address) {
    batch.AddGauge("probe_dns_lookup_time_seconds", "Seconds the name took to resolve.",
                   path.resolve_seconds);
    batch.AddGauge("probe_ip_protocol", "4 or 6: the IP protocol used; 0 if it came to none.",
                   path.ip_protocol);
    batch.AddGauge("probe_ip_addr_hash", "A hash of the address, to see it change.",
                   AddressHash(path.ip_address));
  }
  batch.AddGauge("probe_failed_due_to_regex",
                 "1 if a regular expression on what came back failed the probe.",
                 verdict.failed_by_regex ? 1 : 0);
  if (verdict.failure) {
    batch.Add(batch.DeclareFamily("tocsin_probe_failure_info", "Why the last probe failed.",
                                  MetricType::kGauge, {"reason"}),
              {FailureReasonName(*verdict.failure)}, 1);
  }
}

void WriteTls(const TlsSession& session, MetricBatch& batch) {
  if (!session) return;
  batch.Add(batch.DeclareFamily("probe_tls_version_info", "The TLS version used.",
                                MetricType::kGauge, {"version"}),
            {session.version}, 1);
  batch.Add(batch.DeclareFamily("probe_tls_cipher_info", "The TLS cipher suite used.",
                                MetricType::kGauge, {"cipher"}),
            {session.cipher}, 1);
  if (session.certificates.empty()) return;
  const auto earliest =
      std::min_element(session.certificates.begin(), session.certificates.end(),
                       [](const auto& a, const auto& b) { return a.not_after < b.not_after; });
  batch.AddGauge("probe_ssl_earliest_cert_expiry",
                 "When the first of the server's certificates ends, in seconds since 1970.",
                 UnixSeconds(earliest->not_after));
  batch.AddGauge("probe_ssl_last_chain_expiry_timestamp_seconds",
                 "When the first certificate of the verified chain ends, in seconds since 1970; "
                 "where nothing is verified, year 1.",
                 session.chain_end ? UnixSeconds(*session.chain_end) : kYearOne);
  const TlsCertificate& leaf = session.certificates.front();
  batch.Add(batch.DeclareFamily(
                "probe_ssl_last_chain_info", "What the server's own certificate says.",
                MetricType::kGauge,
                {"fingerprint_sha256", "issuer", "serialnumber", "subject", "subjectalternative"}),
            {leaf.fingerprint_sha256, leaf.issuer, leaf.serial_number, leaf.subject,
             leaf.subject_alternative},
            1);
}

void WriteHttpProbe(const HttpExchange& exchange, const ProbeVerdict& verdict, MetricBatch& batch) {
  const HttpResponse& response = exchange.response;
  WriteProbe({response.duration_seconds, response.phases.resolve, response.ip_protocol,
              response.ip_address},
             verdict, batch);
  if (verdict.failed_by_json) {
    batch.AddGauge("probe_failed_due_to_cel", "1 if an expectation of the JSON failed the probe.",
                   *verdict.failed_by_json ? 1 : 0);
  }
  WritePhases(response.phases, batch);
  WriteAnswer(response, batch);
  WriteTls(response.tls, batch);
}

void ProbeHistory::Count(double seconds, bool answered, const ProbeVerdict& verdict) {
  ++attempts_;
  if (verdict.failure) ++failures_[static_cast<std::size_t>(*verdict.failure)];
  if (verdict.failure == FailureReason::kTimeout) {
    ++buckets_.back();
  } else if (answered) {
    const auto bound = std::lower_bound(kBucketBounds.begin(), kBucketBounds.end(), seconds);
    ++buckets_[static_cast<std::size_t>(bound - kBucketBounds.begin())];
  } else {
    return;
  }
  sum_seconds_ += seconds;
}

void ProbeHistory::Write(MetricBatch& batch) const {
  batch.AddCounter("tocsin_probe_attempts_total", "Probes made, each retry for itself.",
                   static_cast<double>(attempts_));
  const std::uint64_t failed =
      std::accumulate(failures_.begin(), failures_.end(), std::uint64_t{0});
  batch.AddCounter("tocsin_probe_successes_total", "Probes that succeeded.",
                   static_cast<double>(attempts_ - failed));
  const auto failures = batch.DeclareFamily("tocsin_probe_failures_total", "Probes that failed.",
                                            MetricType::kCounter, {"reason"});
  for (std::size_t i = 0; i < kFailureReasons; ++i) {
    batch.Add(failures, {FailureReasonName(static_cast<FailureReason>(i))},
              static_cast<double>(failures_[i]));
  }
  const auto durations =
      batch.DeclareFamily("tocsin_probe_duration_seconds",
                          "How long answers took. A probe cut by its time-out counts in +Inf only.",
                          MetricType::kHistogram);
  batch.AddHistogram(durations, {}, {kBucketBounds, buckets_, sum_seconds_});
}

}  // namespace tocsin::collectors::http
