#pragma once

// What the HTTP server shows to those who connect with TLS. Stateless.

#include <memory>
#include <string>

struct ssl_ctx_st;  // OpenSSL's SSL_CTX.

namespace tocsin::api {

// TLS 1.2 and later with this certificate (PEM, its chain behind it) and key (PEM). Null if
// they cannot be used together.
std::shared_ptr<ssl_ctx_st> LoadServerCertificate(const std::string& cert_file,
                                                  const std::string& key_file);

}  // namespace tocsin::api
