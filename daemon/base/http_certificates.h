#pragma once

// What a TLS connection says of itself: version, cipher and the certificates the
// server sent. Works on OpenSSL's SSL*, which libcurl lends while the connection
// lives.

#include "daemon/base/http_client.h"

namespace tocsin {

// Fills the TLS fields of `response` from `ssl` (an SSL*; null changes nothing).
void DescribeTls(const void* ssl, HttpResponse& response);

}  // namespace tocsin
