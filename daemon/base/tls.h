#pragma once

// What every TLS client here agrees on: its options, what it tells of a session, and
// TLS on top of a Stream for those that speak a protocol of their own (libcurl does its
// own for HTTP).

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"

namespace tocsin {

class Deadline;
class Stream;

enum class TlsVersion { kDefault, k10, k11, k12, k13 };

struct TlsOptions {
  std::string ca_file;    // PEM; empty: the system's.
  std::string cert_file;  // PEM client certificate; empty: none.
  std::string key_file;
  std::string server_name;  // Empty: the name that is connected to.
  bool insecure_skip_verify = false;
  TlsVersion min_version = TlsVersion::kDefault;
  TlsVersion max_version = TlsVersion::kDefault;
};

struct TlsCertificate {
  WallTime not_after{};
  std::string fingerprint_sha256;  // Lower-case hex.
  std::string subject;
  std::string issuer;
  std::string serial_number;
  std::string subject_alternative;
};

// A session as it was negotiated; empty where there is none.
struct TlsSession {
  std::string version;  // "TLS 1.3".
  std::string cipher;
  std::vector<TlsCertificate> certificates;  // As the server sent them, leaf first.
  // When the first certificate of the chain that was verified ends, the trusted root's
  // included; nothing if none was verified.
  std::optional<WallTime> chain_end;

  explicit operator bool() const { return !version.empty(); }
};

// Reads the session of an OpenSSL SSL object; empty if that is null. Whoever skipped
// verification has no verified chain.
TlsSession DescribeTls(const void* ssl, bool verified);

// Shakes hands over `under`, which it takes, with `host` unless the options name another.
// Errors: kUnavailable for a failed handshake or a certificate that is not accepted,
// with the reason; as Stream's.
Result<std::unique_ptr<Stream>> StartTls(std::unique_ptr<Stream> under, const TlsOptions& options,
                                         const std::string& host, const Deadline& deadline);

}  // namespace tocsin
