#pragma once

// A key and a certificate for localhost, made on the spot, for servers in tests.

#include <chrono>
#include <string>

#include "daemon/base/clock.h"

namespace tocsin::testing {

struct SelfSignedCertificate {
  std::string key_pem;
  std::string certificate_pem;
  WallTime not_after{};
};

// Signed by itself, for localhost and 127.0.0.1; ends `lifetime` from now
// (a negative lifetime: it has ended).
SelfSignedCertificate MakeSelfSignedCertificate(std::chrono::hours lifetime);

}  // namespace tocsin::testing
