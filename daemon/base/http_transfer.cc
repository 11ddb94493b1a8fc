#include "daemon/base/http_transfer.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <initializer_list>
#include <string_view>
#include <system_error>
#include <utility>

#include "daemon/base/check.h"
#include "daemon/base/http_certificates.h"

namespace tocsin {
namespace {

constexpr int kMaxRedirects = 10;
constexpr std::size_t kMaxHeaderBytes = 256 << 10;  // Of one answer, all lines together.

constexpr long kCaCacheSeconds = 60;  // A CA file that was replaced is taken up by then.

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; };
           return lower(x) == lower(y);
         });
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && std::strchr(" \t\r\n", text.back()) != nullptr) text.remove_suffix(1);
  return text;
}

bool IsHeaderName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c > 32 && c < 127 && std::strchr("()<>@,;:\\\"/[]?={}", c) == nullptr;
  });
}

bool IsHeaderValue(std::string_view value) {
  return value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

std::string SystemErrorText(long number) {
  std::string text = std::generic_category().message(static_cast<int>(number));
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] + 32);
  return text;
}

using UrlHandle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string UrlPart(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string result(text);
  curl_free(text);
  return result;
}

// Where a hop goes.
struct Place {
  std::string scheme;
  std::string host;  // IPv6 in brackets.
  std::string port;

  friend bool operator==(const Place&, const Place&) = default;
};

Place PlaceOf(CURLU* url) {
  return {UrlPart(url, CURLUPART_SCHEME), UrlPart(url, CURLUPART_HOST),
          UrlPart(url, CURLUPART_PORT, CURLU_DEFAULT_PORT)};
}

}  // namespace

struct HttpTransfer::State {
  State(HttpRequest request_in, SteadyTime started_at_in, SteadyTime deadline_in,
        std::string user_agent_in)
      : request(std::move(request_in)),
        started_at(started_at_in),
        deadline(deadline_in),
        user_agent(std::move(user_agent_in)) {
    const bool readable = curl_url_set(url.get(), CURLUPART_URL, request.url.c_str(),
                                       CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
    url_verdict = TakePlace(readable);
    first_place = place;
  }
  ~State() {
    if (easy != nullptr) curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    curl_slist_free_all(connect_to);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  HttpRequest request;
  SteadyTime started_at;
  SteadyTime deadline;
  std::string user_agent;

  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  curl_slist* connect_to = nullptr;
  UrlHandle url{curl_url(), &curl_url_cleanup};
  UrlHandle sent_url{nullptr, &curl_url_cleanup};
  Place first_place;
  Place place;
  Result<> url_verdict;
  bool redirected = false;

  // Of the hop under way.
  SteadyTime hop_started_at{};
  int socket = -1;  // The last one opened; libcurl owns it.
  std::size_t header_bytes = 0;
  bool headers_complete = false;
  bool headers_too_large = false;
  bool body_too_large = false;
  char error_text[CURL_ERROR_SIZE] = {};

  HttpResponse response;
  std::optional<Error> error;

  template <class T>
  void Set(CURLoption option, T value) {
    TOCSIN_CHECK(curl_easy_setopt(easy, option, value) != CURLE_BAD_FUNCTION_ARGUMENT);
  }
  Result<> TakePlace(bool readable);
  Result<> SetHeaders();
  bool AddHeader(std::string_view name, std::string_view value);
  void SetMethodAndBody();
  void SetTls();
  void SetConnection(SteadyTime now);
  void SetCallbacks();
  void ResetHop(SteadyTime now);
  bool CredentialsBelongHere() const { return place == first_place; }
  std::string Where() const { return place.host + ":" + place.port; }
  Error Failure(CURLcode code);
  void NoticeTls();
  Error Overdue() const;
  void TakeTimings(SteadyTime now);
  bool Redirect();

  static std::size_t OnHeader(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t OnBody(char* bytes, std::size_t size, std::size_t count, void* self);
  static int OnRequest(void* self, char*, char*, int, int);
  static curl_socket_t OnSocket(void* self, curlsocktype, curl_sockaddr* address);
  void HeaderLine(std::string_view line);
};

// --- What arrives -----------------------------------------------------------

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
  if (static_cast<std::int64_t>(body.size() + total) > state.request.max_body_bytes) {
    state.body_too_large = true;
    return 0;
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
    DescribeTls(session->internals, state.response);
  }
  return CURL_PREREQFUNC_OK;
}

curl_socket_t HttpTransfer::State::OnSocket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& state = *static_cast<State*>(self);
  state.response.stage = HttpStage::kConnect;
  state.response.ip_protocol = address->family == AF_INET6 ? 6 : 4;
  state.socket = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  return state.socket;
}

// --- What is sent -----------------------------------------------------------

Result<> HttpTransfer::State::TakePlace(bool readable) {
  if (!readable) return Error{ErrorCode::kInvalidArgument, "the URL cannot be read"};
  place = PlaceOf(url.get());
  if (place.scheme != "http" && place.scheme != "https") {
    return Error{ErrorCode::kInvalidArgument, "the URL must begin with http:// or https://"};
  }
  if (place.host.empty()) return Error{ErrorCode::kInvalidArgument, "the URL names no host"};
  return Ok{};
}

bool HttpTransfer::State::AddHeader(std::string_view name, std::string_view value) {
  if (!IsHeaderName(name) || !IsHeaderValue(value)) return false;
  std::string line(name);
  // libcurl takes "Name;" for a header without a value; "Name:" would remove it.
  line += value.empty() ? ";" : ": ";
  line += value;
  headers = curl_slist_append(headers, line.c_str());
  return true;
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
    if (!AddHeader(name, value)) {
      return Error{ErrorCode::kInvalidArgument,
                   Where() + ": a header's name or value cannot be sent (line break?)"};
    }
  }
  if (!request.bearer_token.empty() && CredentialsBelongHere() &&
      !AddHeader("Authorization", "Bearer " + request.bearer_token.Reveal())) {
    return Error{ErrorCode::kInvalidArgument, Where() + ": the bearer token holds a line break"};
  }
  if (!has_content_type) headers = curl_slist_append(headers, "Content-Type:");
  headers = curl_slist_append(headers, "Expect:");
  if (!request.tls.server_name.empty() && !redirected && !has_host) {
    const std::string port = UrlPart(url.get(), CURLUPART_PORT);
    AddHeader("Host", place.host + (port.empty() ? "" : ":" + port));
  }
  Set(CURLOPT_HTTPHEADER, headers);
  return Ok{};
}

void HttpTransfer::State::SetMethodAndBody() {
  const std::string& method = request.method;
  if (method == "HEAD") {
    Set(CURLOPT_NOBODY, 1L);
    return;
  }
  if (!request.body.empty() || method == "POST") {
    Set(CURLOPT_POST, 1L);
    Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    Set(CURLOPT_POSTFIELDS, request.body.data());
    if (method != "POST") Set(CURLOPT_CUSTOMREQUEST, method.c_str());
    return;
  }
  Set(CURLOPT_HTTPGET, 1L);
  if (method != "GET") Set(CURLOPT_CUSTOMREQUEST, method.c_str());
}

void HttpTransfer::State::SetTls() {
  const TlsOptions& tls = request.tls;
  if (!tls.ca_file.empty()) {
    Set(CURLOPT_CA_CACHE_TIMEOUT, kCaCacheSeconds);
    Set(CURLOPT_CAINFO, tls.ca_file.c_str());
    Set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  if (!tls.cert_file.empty() && CredentialsBelongHere()) {
    Set(CURLOPT_SSLCERT, tls.cert_file.c_str());
    Set(CURLOPT_SSLKEY, tls.key_file.empty() ? tls.cert_file.c_str() : tls.key_file.c_str());
  }
  if (tls.insecure_skip_verify) {
    Set(CURLOPT_SSL_VERIFYPEER, 0L);
    Set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
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
    Set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    Set(CURLOPT_USERNAME, user.c_str());
    Set(CURLOPT_PASSWORD, password.c_str());
  }
  if (!tls.server_name.empty() && place.scheme == "https" && !redirected) {
    // libcurl sends and checks the URL's name: put the wished one there and connect to the real.
    curl_url_set(sent_url.get(), CURLUPART_HOST, tls.server_name.c_str(), 0);
    connect_to = curl_slist_append(nullptr, ("::" + place.host + ":" + place.port).c_str());
    Set(CURLOPT_CONNECT_TO, connect_to);
  }
}

void HttpTransfer::State::SetConnection(SteadyTime now) {
  const auto left = std::chrono::ceil<Millis>(std::max(deadline - now, SteadyTime::duration(0)));
  const long left_ms = std::max<long>(left.count(), 1);
  Set(CURLOPT_QUICK_EXIT, 1L);  // A hung resolver must not outlive the deadline.
  Set(CURLOPT_NOSIGNAL, 1L);
  Set(CURLOPT_CONNECTTIMEOUT_MS, left_ms);
  Set(CURLOPT_TIMEOUT_MS, left_ms + 1000);  // The loop ends it first.
  Set(CURLOPT_FOLLOWLOCATION, 0L);
  Set(CURLOPT_PROTOCOLS_STR, "http,https");
  Set(CURLOPT_PROXY, request.proxy_url.c_str());  // Empty: none, not the environment's.
  Set(CURLOPT_TCP_NODELAY, 1L);
  if (request.ip_family == 4) Set(CURLOPT_IPRESOLVE, static_cast<long>(CURL_IPRESOLVE_V4));
  if (request.ip_family == 6) Set(CURLOPT_IPRESOLVE, static_cast<long>(CURL_IPRESOLVE_V6));
  if (request.accept_compressed) Set(CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
  if (request.fresh_connection) {
    Set(CURLOPT_FRESH_CONNECT, 1L);
    Set(CURLOPT_FORBID_REUSE, 1L);
    Set(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    Set(CURLOPT_SSL_SESSIONID_CACHE, 0L);
  }
  Set(CURLOPT_USERAGENT, user_agent.c_str());
}

void HttpTransfer::State::SetCallbacks() {
  Set(CURLOPT_ERRORBUFFER, error_text);
  Set(CURLOPT_PRIVATE, static_cast<void*>(nullptr));
  Set(CURLOPT_HEADERFUNCTION, &OnHeader);
  Set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  Set(CURLOPT_WRITEFUNCTION, &OnBody);
  Set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  Set(CURLOPT_PREREQFUNCTION, &OnRequest);
  Set(CURLOPT_PREREQDATA, static_cast<void*>(this));
  Set(CURLOPT_OPENSOCKETFUNCTION, &OnSocket);
  Set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
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
  response.tls_version.clear();
  response.tls_cipher.clear();
  response.certificates.clear();
}

// --- What it came to --------------------------------------------------------

void HttpTransfer::State::TakeTimings(SteadyTime now) {
  const auto seconds = [this](CURLINFO info) {
    curl_off_t micros = 0;
    curl_easy_getinfo(easy, info, &micros);
    return static_cast<double>(micros) / 1e6;
  };
  const double resolved = seconds(CURLINFO_NAMELOOKUP_TIME_T);
  const double connected = seconds(CURLINFO_CONNECT_TIME_T);
  const double secured = seconds(CURLINFO_APPCONNECT_TIME_T);
  const double requested = seconds(CURLINFO_PRETRANSFER_TIME_T);
  const double answered = seconds(CURLINFO_STARTTRANSFER_TIME_T);
  const double ended = ToSeconds(now - hop_started_at);
  HttpPhases& phases = response.phases;
  phases.resolve += resolved;
  if (connected > 0) phases.connect += std::max(0.0, connected - resolved);
  if (secured > 0) phases.tls += std::max(0.0, secured - connected);
  if (answered > 0) {
    phases.processing += std::max(0.0, answered - requested);
    phases.transfer += std::max(0.0, ended - answered);
  }
}

// libcurl does not tell when the connection stands and TLS begins: the socket does.
void HttpTransfer::State::NoticeTls() {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (response.stage == HttpStage::kConnect && place.scheme == "https" && socket >= 0 &&
      getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) == 0) {
    response.stage = HttpStage::kTls;
  }
}

Error HttpTransfer::State::Overdue() const {
  std::string_view doing;
  switch (response.stage) {
    case HttpStage::kWaiting: doing = "waiting for a free connection"; break;
    case HttpStage::kResolve: doing = "resolving the name"; break;
    case HttpStage::kConnect: doing = "connecting"; break;
    case HttpStage::kTls: doing = "in the TLS handshake"; break;
    case HttpStage::kProcessing: doing = "waiting for the answer"; break;
    case HttpStage::kTransfer: doing = "reading the answer"; break;
  }
  return Error{ErrorCode::kDeadlineExceeded,
               Where() + ": deadline exceeded while " + std::string(doing)};
}

// libcurl's own sentence may quote what was sent: it is used only for the codes
// whose sentences are known to name no more than hosts and certificates.
Error HttpTransfer::State::Failure(CURLcode code) {
  std::string text = Where() + ": ";
  long os_error = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
  const std::string detail = error_text[0] != '\0' ? error_text : curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return Overdue();
    case CURLE_UNSUPPORTED_PROTOCOL:  // The scheme has been checked: HTTP/0.9, or nonsense.
    case CURLE_WEIRD_SERVER_REPLY:
      return Error{ErrorCode::kUnavailable, text + "the answer is not HTTP"};
    case CURLE_URL_MALFORMAT:
      return Error{ErrorCode::kInvalidArgument, text + "the URL cannot be used"};
    case CURLE_COULDNT_RESOLVE_HOST:
      return Error{ErrorCode::kUnavailable, text + "the host's name does not resolve"};
    case CURLE_COULDNT_RESOLVE_PROXY:
      return Error{ErrorCode::kUnavailable, text + "the proxy's name does not resolve"};
    case CURLE_COULDNT_CONNECT:
      text += "cannot connect";
      if (os_error != 0) text += ": " + SystemErrorText(os_error);
      return Error{ErrorCode::kUnavailable, text};
    case CURLE_GOT_NOTHING:
      return Error{ErrorCode::kUnavailable, text + "the connection closed without an answer"};
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      return Error{ErrorCode::kUnavailable,
                   text + (response.status != 0 ? "the connection broke off within the answer"
                                                : "the connection broke off")};
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return Error{ErrorCode::kUnavailable, text + "TLS: " + detail};
    default: return Error{ErrorCode::kUnavailable, text + curl_easy_strerror(code)};
  }
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
  state.SetMethodAndBody();
  TOCSIN_RETURN_IF_ERROR(state.SetHeaders());
  state.Set(CURLOPT_CURLU, state.sent_url.get());
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
    const auto limit = state.headers_too_large ? static_cast<std::int64_t>(kMaxHeaderBytes)
                                               : state.request.max_body_bytes;
    state.error = Error{ErrorCode::kResourceExhausted,
                        state.Where() + ": the answer's " +
                            (state.headers_too_large ? "headers are" : "body is") +
                            " larger than " + std::to_string(limit) + " bytes"};
    return false;
  }
  if (curl_code != CURLE_OK) {
    state.error = state.Failure(static_cast<CURLcode>(curl_code));
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
