#pragma once

// How a peer is reached over HTTP, as the configuration says it everywhere in the
// same words: url, headers, basic_auth { username, password or password_file },
// bearer_token (or bearer_token_file), authorization { type, credentials or
// credentials_file }, tls { ca_file, cert_file, key_file, server_name,
// insecure_skip_verify, min_version, max_version }, proxy with no_proxy, or
// proxy_from_environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), proxy_connect_header,
// http2, ip_family, follow_redirects.

#include <optional>
#include <string>

#include "daemon/base/config_node.h"
#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"

namespace tocsin {

// A URL taken apart. Parts are as they were written; the port is explicit.
struct UrlParts {
  std::string scheme;
  std::string host;  // IPv6 in brackets.
  std::string port;
  std::string path;  // With the query; "/" if empty.
  bool has_user = false;
};

// Nothing if `url` is not a URL with a host and the scheme http or https.
std::optional<UrlParts> ParseHttpUrl(const std::string& url);

// What keeps `url` from being a peer's address; nothing if it is one. A user or a
// password in it is refused: it would show in labels.
std::optional<std::string> FaultOfHttpUrl(const std::string& url);

// Reads a map `tls` (or Alertmanager's `tls_config`) to its end. Versions are 1.0 to 1.3,
// or Go's TLS10 to TLS13.
TlsOptions ReadTls(ConfigReader tls, FileSystem& files);

// Reads `ip_family` (any, ip4, ip6, prefer_ip4, prefer_ip6: the other one if a name has no
// address of that family).
struct IpPreference {
  int family = 0;  // 0 either, 4, 6.
  bool fallback = false;
};
IpPreference ReadIpFamily(ConfigReader& reader);

// Takes what the files of the request's credentials hold now (see Secret::Renew).
void RenewCredentials(HttpRequest& request, FileSystem& files);

// Reads those keys from `reader`'s map into a request with method GET. The caller
// reads what is its own and calls Finish(). `follow_redirects` is the default.
HttpRequest ReadHttpRequest(ConfigReader& reader, FileSystem& files, bool follow_redirects);

}  // namespace tocsin
