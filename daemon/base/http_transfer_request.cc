#include <curl/curl.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "daemon/base/ascii.h"
#include "daemon/base/check.h"
#include "daemon/base/http_transfer_state.h"

namespace tocsin {
namespace {

// The loop keeps the deadline, knowing better what to say; libcurl's own time-outs
// only make it try a name's next address in time.
constexpr long kTimeoutMarginMs = 200;
constexpr long kCaCacheSeconds = 60;  // A CA file that was replaced is taken up by then.

// Sets an option; only a fault of ours can make it fail for good.
template <class T>
void Set(CURL* easy, CURLoption option, T value) {
  TOCSIN_CHECK(curl_easy_setopt(easy, option, value) != CURLE_BAD_FUNCTION_ARGUMENT);
}

long MinVersion(TlsVersion version) {
  switch (version) {
    case TlsVersion::kDefault: return CURL_SSLVERSION_DEFAULT;
    case TlsVersion::k10: return CURL_SSLVERSION_TLSv1_0;
    case TlsVersion::k11: return CURL_SSLVERSION_TLSv1_1;
    case TlsVersion::k12: return CURL_SSLVERSION_TLSv1_2;
    case TlsVersion::k13: return CURL_SSLVERSION_TLSv1_3;
  }
  return CURL_SSLVERSION_DEFAULT;
}

long MaxVersion(TlsVersion version) {
  switch (version) {
    case TlsVersion::kDefault: return CURL_SSLVERSION_MAX_DEFAULT;
    case TlsVersion::k10: return CURL_SSLVERSION_MAX_TLSv1_0;
    case TlsVersion::k11: return CURL_SSLVERSION_MAX_TLSv1_1;
    case TlsVersion::k12: return CURL_SSLVERSION_MAX_TLSv1_2;
    case TlsVersion::k13: return CURL_SSLVERSION_MAX_TLSv1_3;
  }
  return CURL_SSLVERSION_MAX_DEFAULT;
}

bool IsHeaderName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c > 32 && c < 127 && std::strchr("()<>@,;:\\\"/[]?={}", c) == nullptr;
  });
}

bool IsHeaderValue(std::string_view value) {
  return value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

// False if it cannot be sent.
bool AddHeader(std::string_view name, std::string_view value, curl_slist*& list) {
  if (!IsHeaderName(name) || !IsHeaderValue(value)) return false;
  std::string line(name);
  // libcurl takes "Name;" for a header without a value; "Name:" would remove it.
  line += value.empty() ? ";" : ": ";
  line += value;
  list = curl_slist_append(list, line.c_str());
  return true;
}

}  // namespace

long CurlTlsVersions(const TlsOptions& tls) {
  return MinVersion(tls.min_version) | MaxVersion(tls.max_version);
}

Result<> HttpTransfer::State::SetHeaders() {
  curl_slist_free_all(headers);
  headers = nullptr;
  bool has_content_type = false;
  bool has_host = false;
  for (const auto& [name, value] : request.headers) {
    const bool is_credential =
        EqualIgnoringCase(name, "Authorization") || EqualIgnoringCase(name, "Cookie");
    if (is_credential && !CredentialsBelongHere()) continue;
    const bool is_host = EqualIgnoringCase(name, "Host");
    if (is_host && redirected) continue;
    has_host = has_host || is_host;
    has_content_type = has_content_type || EqualIgnoringCase(name, "Content-Type");
    if (!AddHeader(name, value, headers)) {
      return Error{ErrorCode::kInvalidArgument,
                   Where() + ": a header's name or value cannot be sent (line break?)"};
    }
  }
  const std::string& credentials = request.authorization.Reveal();
  if (!credentials.empty() && CredentialsBelongHere() &&
      !AddHeader("Authorization", request.authorization_type + " " + credentials, headers)) {
    return Error{ErrorCode::kInvalidArgument, Where() + ": the authorization holds a line break"};
  }
  if (!has_content_type) headers = curl_slist_append(headers, "Content-Type:");
  headers = curl_slist_append(headers, "Expect:");
  if (!request.tls.server_name.empty() && !redirected && !has_host) {
    const std::string port = UrlPart(url.get(), CURLUPART_PORT);
    AddHeader("Host", place.host + (port.empty() ? "" : ":" + port), headers);
  }
  Set(easy, CURLOPT_HTTPHEADER, headers);
  return Ok{};
}

Result<> HttpTransfer::State::SetProxyHeaders() {
  curl_slist_free_all(proxy_headers);
  proxy_headers = nullptr;
  if (place.scheme != "https") return Ok{};  // The proxy would pass them on.
  for (const auto& [name, value] : request.proxy_headers) {
    if (!AddHeader(name, value, proxy_headers)) {
      return Error{ErrorCode::kInvalidArgument,
                   Where() + ": a header for the proxy cannot be sent (line break?)"};
    }
  }
  Set(easy, CURLOPT_PROXYHEADER, proxy_headers);
  return Ok{};
}

void HttpTransfer::State::SetMethodAndBody() {
  const std::string& method = request.method;
  if (method == "HEAD") {
    Set(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  if (!request.body.empty() || method == "POST") {
    Set(easy, CURLOPT_POST, 1L);
    Set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    Set(easy, CURLOPT_POSTFIELDS, request.body.data());
    if (method != "POST") Set(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
    return;
  }
  Set(easy, CURLOPT_HTTPGET, 1L);
  if (method != "GET") Set(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
}

void HttpTransfer::State::SetTls() {
  const TlsOptions& tls = request.tls;
  Set(easy, CURLOPT_SSLVERSION, CurlTlsVersions(tls));
  if (!tls.ca_file.empty()) {
    Set(easy, CURLOPT_CA_CACHE_TIMEOUT, kCaCacheSeconds);
    Set(easy, CURLOPT_CAINFO, tls.ca_file.c_str());
    Set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  if (!tls.cert_file.empty() && CredentialsBelongHere()) {
    Set(easy, CURLOPT_SSLCERT, tls.cert_file.c_str());
    Set(easy, CURLOPT_SSLKEY, tls.key_file.empty() ? tls.cert_file.c_str() : tls.key_file.c_str());
  }
  if (tls.insecure_skip_verify) {
    Set(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    Set(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

void HttpTransfer::State::SetUrlAndCredentials() {
  const TlsOptions& tls = request.tls;
  curl_slist_free_all(connect_to);
  connect_to = nullptr;
  sent_url.reset(curl_url_dup(url.get()));
  // Credentials in the URL go as an option, for the first host only.
  std::string user = UrlPart(url.get(), CURLUPART_USER, CURLU_URLDECODE);
  std::string password = UrlPart(url.get(), CURLUPART_PASSWORD, CURLU_URLDECODE);
  curl_url_set(sent_url.get(), CURLUPART_USER, nullptr, 0);
  curl_url_set(sent_url.get(), CURLUPART_PASSWORD, nullptr, 0);
  if (!request.basic_auth_user.empty() && CredentialsBelongHere()) {
    user = request.basic_auth_user;
    password = request.basic_auth_password.Reveal();
  }
  if (!user.empty() && CredentialsBelongHere()) {
    Set(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    Set(easy, CURLOPT_USERNAME, user.c_str());
    Set(easy, CURLOPT_PASSWORD, password.c_str());
  }
  if (!tls.server_name.empty() && place.scheme == "https" && !redirected) {
    // libcurl sends and checks the URL's name: put the wished one there and connect to the real.
    curl_url_set(sent_url.get(), CURLUPART_HOST, tls.server_name.c_str(), 0);
    connect_to = curl_slist_append(nullptr, ("::" + place.host + ":" + place.port).c_str());
    Set(easy, CURLOPT_CONNECT_TO, connect_to);
  }
}

void HttpTransfer::State::SetConnection(SteadyTime now) {
  const auto left = std::chrono::ceil<Millis>(std::max(deadline - now, SteadyTime::duration(0)));
  const long left_ms = std::max<long>(left.count(), 1);
  Set(easy, CURLOPT_QUICK_EXIT, 1L);  // A hung resolver must not outlive the deadline.
  Set(easy, CURLOPT_NOSIGNAL, 1L);
  Set(easy, CURLOPT_CONNECTTIMEOUT_MS, left_ms + kTimeoutMarginMs);
  Set(easy, CURLOPT_TIMEOUT_MS, left_ms + kTimeoutMarginMs);
  Set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  Set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  Set(easy, CURLOPT_PROXY, request.proxy_url.c_str());   // Empty: none, not the environment's.
  Set(easy, CURLOPT_NOPROXY, request.no_proxy.c_str());  // Likewise.
  if (!request.http2) Set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Set(easy, CURLOPT_TCP_NODELAY, 1L);
  if (!request.unix_socket.empty()) {
    Set(easy, CURLOPT_UNIX_SOCKET_PATH, request.unix_socket.c_str());
  }
  if (request.ip_family != 0) {
    const bool v4 = (request.ip_family == 4) != other_family;
    Set(easy, CURLOPT_IPRESOLVE, static_cast<long>(v4 ? CURL_IPRESOLVE_V4 : CURL_IPRESOLVE_V6));
  }
  if (!request.accept_encoding.empty()) {
    Set(easy, CURLOPT_ACCEPT_ENCODING, request.accept_encoding.c_str());
  }
  if (request.fresh_connection) {
    Set(easy, CURLOPT_FRESH_CONNECT, 1L);
    Set(easy, CURLOPT_FORBID_REUSE, 1L);
    Set(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    Set(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
  }
  Set(easy, CURLOPT_USERAGENT, user_agent.c_str());
}

}  // namespace tocsin
