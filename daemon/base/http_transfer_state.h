#pragma once

// The insides of an HttpTransfer, shared by the .cc files it is split into:
// http_transfer.cc (hops, what arrives), http_transfer_request.cc (what is sent)
// and http_transfer_failure.cc (timings, errors). libcurl's types stay opaque here.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/http_client.h"
#include "daemon/base/http_transfer.h"

struct Curl_URL;
struct curl_slist;
struct curl_sockaddr;

namespace tocsin {

// The value of CURLOPT_SSLVERSION.
long CurlTlsVersions(const TlsOptions& tls);

// Where a hop goes.
struct HttpPlace {
  std::string scheme;
  std::string host;  // IPv6 in brackets.
  std::string port;

  friend bool operator==(const HttpPlace&, const HttpPlace&) = default;
};

struct CurlUrlDeleter {
  void operator()(Curl_URL* url) const;
};
using CurlUrl = std::unique_ptr<Curl_URL, CurlUrlDeleter>;

// One part (a CURLUPART) of a URL; empty if it has none.
std::string UrlPart(Curl_URL* url, int part, unsigned flags = 0);

struct HttpTransfer::State {
  State(HttpRequest request_in, SteadyTime started_at_in, SteadyTime deadline_in,
        std::string user_agent_in);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  HttpRequest request;
  SteadyTime started_at;
  SteadyTime deadline;
  std::string user_agent;

  void* easy = nullptr;
  curl_slist* headers = nullptr;
  curl_slist* proxy_headers = nullptr;
  curl_slist* connect_to = nullptr;
  CurlUrl url;       // Of the hop, as people know it.
  CurlUrl sent_url;  // As libcurl gets it: no user, perhaps another name for TLS.
  HttpPlace first_place;
  HttpPlace place;
  Result<> url_verdict;
  bool redirected = false;
  bool other_family = false;  // This place has no address of the preferred one.

  // Of the hop under way.
  SteadyTime hop_started_at{};
  int socket = -1;  // The last one opened; libcurl owns it.
  std::size_t header_bytes = 0;
  bool headers_complete = false;
  bool headers_too_large = false;
  bool body_too_large = false;
  char error_text[512] = {};  // At least CURL_ERROR_SIZE.

  HttpResponse response;
  std::optional<Error> error;

  // http_transfer_request.cc
  Result<> SetHeaders();
  Result<> SetProxyHeaders();
  void SetMethodAndBody();
  void SetTls();
  void SetUrlAndCredentials();
  void SetConnection(SteadyTime now);
  bool CredentialsBelongHere() const { return place == first_place; }

  // http_transfer_failure.cc
  void TakeTimings(SteadyTime now);
  void NoticeTls();
  Error Overdue() const;
  Error Failure(int curl_code);
  Error TooLarge() const;
  std::string Where() const { return place.host + ":" + place.port; }

  // http_transfer.cc
  Result<> TakePlace(bool readable);
  void SetCallbacks();
  void ResetHop(SteadyTime now);
  void HeaderLine(std::string_view line);
  bool Redirect();

  static std::size_t OnHeader(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t OnBody(char* bytes, std::size_t size, std::size_t count, void* self);
  static int OnRequest(void* self, char*, char*, int, int);
  static int OnSocket(void* self, int purpose, curl_sockaddr* address);

  static constexpr std::size_t kMaxHeaderBytes = 256 << 10;  // Of one answer, all lines together.
};

}  // namespace tocsin
