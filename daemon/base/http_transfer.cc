#include "daemon/base/http_transfer.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "daemon/base/ascii.h"
#include "daemon/base/check.h"
#include "daemon/base/http_transfer_state.h"
#include "daemon/base/tls.h"

namespace tocsin {
namespace {

constexpr int kMaxRedirects = 10;

// Sets an option; only a fault of ours can make it fail for good.
template <class T>
void Set(CURL* easy, CURLoption option, T value) {
  TOCSIN_CHECK(curl_easy_setopt(easy, option, value) != CURLE_BAD_FUNCTION_ARGUMENT);
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && std::strchr(" \t\r\n", text.back()) != nullptr) text.remove_suffix(1);
  return text;
}

HttpPlace PlaceOf(CURLU* url) {
  return {UrlPart(url, CURLUPART_SCHEME), UrlPart(url, CURLUPART_HOST),
          UrlPart(url, CURLUPART_PORT, CURLU_DEFAULT_PORT)};
}

}  // namespace

void CurlUrlDeleter::operator()(Curl_URL* url) const { curl_url_cleanup(url); }

std::string UrlPart(Curl_URL* url, int part, unsigned flags) {
  char* text = nullptr;
  if (curl_url_get(url, static_cast<CURLUPart>(part), &text, flags) != CURLUE_OK) return {};
  std::string result(text);
  curl_free(text);
  return result;
}

HttpTransfer::State::State(HttpRequest request_in, SteadyTime started_at_in, SteadyTime deadline_in,
                           std::string user_agent_in)
    : request(std::move(request_in)),
      started_at(started_at_in),
      deadline(deadline_in),
      user_agent(std::move(user_agent_in)),
      url(curl_url()) {
  static_assert(sizeof error_text >= CURL_ERROR_SIZE);
  response.body = std::move(request.spare);
  response.body.clear();
  const bool readable = curl_url_set(url.get(), CURLUPART_URL, request.url.c_str(),
                                     CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
  url_verdict = TakePlace(readable);
  first_place = place;
}

HttpTransfer::State::~State() {
  if (easy != nullptr) curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
  curl_slist_free_all(proxy_headers);
  curl_slist_free_all(connect_to);
}

void HttpTransfer::State::HeaderLine(std::string_view line) {
  if (line.substr(0, 5) == "HTTP/") {  // A new answer: an interim 1xx one may have come before.
    response.headers.clear();
    response.content_length = -1;
    headers_complete = false;
    return;
  }
  if (headers_complete) return;  // A trailer.
  const std::string_view text = Trim(line);
  if (text.empty()) {
    headers_complete = true;
    return;
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view name = Trim(text.substr(0, colon));
  const std::string_view value = Trim(text.substr(colon + 1));
  response.headers.emplace_back(name, value);
  if (EqualIgnoringCase(name, "Content-Length")) {
    std::int64_t length = 0;
    const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), length);
    if (code == std::errc() && end == value.data() + value.size()) response.content_length = length;
  }
}

std::size_t HttpTransfer::State::OnHeader(char* bytes, std::size_t size, std::size_t count,
                                          void* self) {
  auto& state = *static_cast<State*>(self);
  const std::size_t total = size * count;
  state.response.stage = HttpStage::kTransfer;
  state.header_bytes += total;
  if (state.header_bytes > kMaxHeaderBytes) {
    state.headers_too_large = true;
    return 0;
  }
  state.HeaderLine(std::string_view(bytes, total));
  return total;
}

std::size_t HttpTransfer::State::OnBody(char* bytes, std::size_t size, std::size_t count,
                                        void* self) {
  auto& state = *static_cast<State*>(self);
  const std::size_t total = size * count;
  auto& body = state.response.body;
  const auto room = static_cast<std::size_t>(state.request.max_body_bytes) - body.size();
  if (total > room) {
    body.append(bytes, room);
    state.body_too_large = true;
    return 0;
  }
  if (body.empty() && state.response.content_length > 0) {  // Room for all of it at once.
    body.reserve(static_cast<std::size_t>(
        std::min(state.response.content_length, state.request.max_body_bytes)));
  }
  body.append(bytes, total);
  return total;
}

int HttpTransfer::State::OnRequest(void* self, char*, char*, int, int) {
  auto& state = *static_cast<State*>(self);
  state.response.stage = HttpStage::kProcessing;
  const curl_tlssessioninfo* session = nullptr;
  if (state.place.scheme == "https" &&
      curl_easy_getinfo(state.easy, CURLINFO_TLS_SSL_PTR, &session) == CURLE_OK &&
      session != nullptr && session->backend == CURLSSLBACKEND_OPENSSL) {
    state.response.tls = DescribeTls(session->internals, !state.request.tls.insecure_skip_verify);
  }
  return CURL_PREREQFUNC_OK;
}

int HttpTransfer::State::OnSocket(void* self, int /*purpose*/, curl_sockaddr* address) {
  auto& state = *static_cast<State*>(self);
  state.response.stage = HttpStage::kConnect;
  state.response.ip_protocol = address->family == AF_INET6 ? 6 : 4;
  const void* bytes = address->family == AF_INET6
                          ? static_cast<const void*>(
                                &reinterpret_cast<const sockaddr_in6*>(&address->addr)->sin6_addr)
                          : &reinterpret_cast<const sockaddr_in*>(&address->addr)->sin_addr;
  char text[INET6_ADDRSTRLEN] = "";
  if (inet_ntop(address->family, bytes, text, sizeof text) != nullptr) {
    state.response.ip_address = text;
  }
  state.socket = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  return state.socket;
}

void HttpTransfer::State::SetCallbacks() {
  Set(easy, CURLOPT_ERRORBUFFER, error_text);
  Set(easy, CURLOPT_PRIVATE, static_cast<void*>(nullptr));
  Set(easy, CURLOPT_HEADERFUNCTION, &OnHeader);
  Set(easy, CURLOPT_HEADERDATA, static_cast<void*>(this));
  Set(easy, CURLOPT_WRITEFUNCTION, &OnBody);
  Set(easy, CURLOPT_WRITEDATA, static_cast<void*>(this));
  Set(easy, CURLOPT_PREREQFUNCTION, &OnRequest);
  Set(easy, CURLOPT_PREREQDATA, static_cast<void*>(this));
  Set(
      easy, CURLOPT_OPENSOCKETFUNCTION,
      +[](void* self, curlsocktype purpose, curl_sockaddr* address) -> curl_socket_t {
        return OnSocket(self, purpose, address);
      });
  Set(easy, CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
}

void HttpTransfer::State::ResetHop(SteadyTime now) {
  hop_started_at = now;
  socket = -1;
  response.stage = HttpStage::kResolve;
  header_bytes = 0;
  headers_complete = false;
  headers_too_large = false;
  body_too_large = false;
  error_text[0] = '\0';
  response.status = 0;
  response.headers.clear();
  response.body.clear();
  response.content_length = -1;
  response.version = 0;
  response.tls = {};
}

Result<> HttpTransfer::State::TakePlace(bool readable) {
  if (!readable) return Error{ErrorCode::kInvalidArgument, "the URL cannot be read"};
  place = PlaceOf(url.get());
  if (place.scheme != "http" && place.scheme != "https") {
    return Error{ErrorCode::kInvalidArgument, "the URL must begin with http:// or https://"};
  }
  if (place.host.empty()) return Error{ErrorCode::kInvalidArgument, "the URL names no host"};
  return Ok{};
}

bool HttpTransfer::State::Redirect() {
  const int status = response.status;
  const bool moves =
      status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  const std::string location = response.Header("Location");
  if (!request.follow_redirects || !moves || location.empty()) return false;
  if (response.redirects >= kMaxRedirects) {
    error = Error{ErrorCode::kUnavailable,
                  Where() + ": stopped after " + std::to_string(kMaxRedirects) + " redirects"};
    return false;
  }
  other_family = false;
  // The user and password of the first URL do not travel.
  curl_url_set(url.get(), CURLUPART_USER, nullptr, 0);
  curl_url_set(url.get(), CURLUPART_PASSWORD, nullptr, 0);
  const std::string from = Where();
  const unsigned flags = CURLU_URLENCODE | CURLU_NON_SUPPORT_SCHEME;
  const auto verdict =
      TakePlace(curl_url_set(url.get(), CURLUPART_URL, location.c_str(), flags) == CURLUE_OK);
  if (!verdict.ok()) {
    error = Error{ErrorCode::kUnavailable, from + ": redirected: " + verdict.error().message};
    return false;
  }
  if (status <= 303 && request.method != "GET" && request.method != "HEAD") {
    request.method = "GET";
    request.body.clear();
    std::erase_if(request.headers, [](const auto& header) {
      return EqualIgnoringCase(header.first.substr(0, 8), "Content-");
    });
  }
  ++response.redirects;
  redirected = true;
  return true;
}

HttpTransfer::HttpTransfer(HttpRequest request, SteadyTime started_at, SteadyTime deadline,
                           std::string user_agent)
    : state_(std::make_unique<State>(std::move(request), started_at, deadline,
                                     std::move(user_agent))) {}

HttpTransfer::~HttpTransfer() = default;

void* HttpTransfer::easy() const { return state_->easy; }
SteadyTime HttpTransfer::deadline() const { return state_->deadline; }

Result<> HttpTransfer::PrepareHop(SteadyTime now) {
  State& state = *state_;
  if (state.easy == nullptr) state.easy = curl_easy_init();
  TOCSIN_CHECK(state.easy != nullptr);
  curl_easy_reset(state.easy);
  state.ResetHop(now);
  TOCSIN_RETURN_IF_ERROR(state.url_verdict);
  state.SetCallbacks();
  state.SetConnection(now);
  state.SetTls();
  state.SetUrlAndCredentials();
  state.SetMethodAndBody();
  TOCSIN_RETURN_IF_ERROR(state.SetHeaders());
  TOCSIN_RETURN_IF_ERROR(state.SetProxyHeaders());
  Set(state.easy, CURLOPT_CURLU, state.sent_url.get());
  return Ok{};
}

bool HttpTransfer::FinishHop(int curl_code, SteadyTime now) {
  State& state = *state_;
  HttpResponse& response = state.response;
  long number = 0;
  curl_easy_getinfo(state.easy, CURLINFO_RESPONSE_CODE, &number);
  response.status = static_cast<int>(number);
  curl_easy_getinfo(state.easy, CURLINFO_HTTP_VERSION, &number);
  switch (number) {
    case CURL_HTTP_VERSION_1_0: response.version = 1; break;
    case CURL_HTTP_VERSION_1_1: response.version = 1.1; break;
    case CURL_HTTP_VERSION_2_0: response.version = 2; break;
    case CURL_HTTP_VERSION_3: response.version = 3; break;
    default: break;
  }
  const char* address = nullptr;
  curl_easy_getinfo(state.easy, CURLINFO_PRIMARY_IP, &address);
  if (address != nullptr && *address != '\0') {
    response.ip_address = address;
    response.ip_protocol = std::strchr(address, ':') != nullptr ? 6 : 4;
  }
  response.effective_url = UrlPart(state.sent_url.get(), CURLUPART_URL);
  state.TakeTimings(now);
  if (state.headers_too_large || state.body_too_large) {
    state.error = state.TooLarge();
    return false;
  }
  // A numeric address of the other family is not refused by the resolver, but has
  // nothing to connect to.
  const bool has_no_address = curl_code == CURLE_COULDNT_RESOLVE_HOST ||
                              (curl_code == CURLE_COULDNT_CONNECT && state.socket < 0);
  if (has_no_address && state.request.ip_fallback && !state.other_family) {
    state.other_family = true;
    return true;
  }
  if (curl_code != CURLE_OK) {
    state.error = state.Failure(curl_code);
    return false;
  }
  return state.Redirect();
}

void HttpTransfer::Abort(ErrorCode code, SteadyTime now) {
  State& state = *state_;
  state.NoticeTls();
  const Error error = code == ErrorCode::kDeadlineExceeded
                          ? state.Overdue()
                          : Error{code, state.Where() + ": cancelled"};
  if (state.response.stage != HttpStage::kWaiting) FinishHop(CURLE_OPERATION_TIMEDOUT, now);
  state.error = error;
}

void HttpTransfer::Fail(Error error) { state_->error = std::move(error); }

HttpExchange HttpTransfer::TakeExchange(SteadyTime now) {
  state_->response.duration_seconds = ToSeconds(now - state_->started_at);
  return HttpExchange{std::move(state_->response), std::move(state_->error)};
}

}  // namespace tocsin
