#include "daemon/base/mail_transfer.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string_view>
#include <system_error>

#include "daemon/base/check.h"
#include "daemon/base/http_transfer_state.h"
#include "daemon/base/mail_dialogue.h"
#include "daemon/base/mutex.h"

namespace tocsin {
namespace {

constexpr Millis kFarewellPatience = std::chrono::seconds(1);  // For the reply to QUIT.

// Sets an option; only a fault of ours can make it fail for good.
template <class T>
void Set(CURL* easy, CURLoption option, T value) {
  TOCSIN_CHECK(curl_easy_setopt(easy, option, value) != CURLE_BAD_FUNCTION_ARGUMENT);
}

constexpr std::string_view kCramMd5 = "CRAM-MD5";

bool IsWay(const std::string& mechanism) {
  return mechanism == kCramMd5 || mechanism == "PLAIN" || mechanism == "LOGIN";
}

std::string WaysFor(const MailEnvelope& mail) {
  if (mail.password.empty()) return "CRAM-MD5";
  return mail.secret.empty() ? "PLAIN, LOGIN" : "PLAIN, LOGIN, CRAM-MD5";
}

// "<a@b>", as libcurl puts it on the wire; nothing may end the line early.
bool IsAddress(std::string_view address) {
  return !address.empty() && std::none_of(address.begin(), address.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '<' || c == '>';
  });
}

}  // namespace

struct MailTransfer::State {
  State(HttpRequest request_in, const Clock& clock_in, SteadyTime deadline_in,
        Millis reply_patience_in)
      : request(std::move(request_in)),
        clock(clock_in),
        reply_patience(reply_patience_in),
        deadline(deadline_in),
        url(curl_url()),
        dialogue(request.mail->recipients, clock) {}
  ~State() {
    if (easy != nullptr) curl_easy_cleanup(easy);
    curl_slist_free_all(recipients);
    curl_slist_free_all(connect_to);
  }

  HttpRequest request;
  const Clock& clock;
  const Millis reply_patience;
  SteadyTime deadline;    // Later once the whole message is on its way.
  SteadyTime begun_at{};  // The present connection.
  CURL* easy = nullptr;
  curl_slist* recipients = nullptr;
  curl_slist* connect_to = nullptr;
  CurlUrl url;
  std::string where;
  std::size_t sent = 0;  // Bytes of the message that libcurl has taken.
  char error_text[CURL_ERROR_SIZE] = {};

  MailDialogue dialogue;

  std::atomic<bool> cancelled = false;
  Mutex mutex;
  int socket GUARDED_BY(mutex) = -1;

  Result<> Prepare();
  CURLcode Converse();
  CURLcode Look();
  void SetServer();
  void SetTls();
  void SetLogin();
  void SetCallbacks();
  void NoteSent();
  bool MustEnd() const;
  std::optional<Error> Failure(CURLcode curl_code) const;

  static int OnDebug(CURL*, curl_infotype type, char* bytes, std::size_t size, void* self);
  static std::size_t OnRead(char* buffer, std::size_t size, std::size_t count, void* self);
  static curl_socket_t OnSocket(void* self, curlsocktype, curl_sockaddr* address);
  static int OnClose(void* self, curl_socket_t item);
  static int OnProgress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
};

Result<> MailTransfer::State::Prepare() {
  const MailEnvelope& mail = *request.mail;
  if (curl_url_set(url.get(), CURLUPART_URL, request.url.c_str(), 0) != CURLUE_OK) {
    return Error{ErrorCode::kInvalidArgument, "the mail server's address cannot be read"};
  }
  where = UrlPart(url.get(), CURLUPART_HOST) + ":" +
          UrlPart(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  if (!IsAddress(mail.sender)) {
    return Error{ErrorCode::kInvalidArgument, where + ": the sender is not a mail address"};
  }
  for (const std::string& recipient : mail.recipients) {
    if (!IsAddress(recipient)) {
      return Error{ErrorCode::kInvalidArgument, where + ": a recipient is not a mail address"};
    }
    recipients = curl_slist_append(recipients, ("<" + recipient + ">").c_str());
  }
  curl_url_set(url.get(), CURLUPART_PATH, ("/" + PercentEncode(mail.hello)).c_str(), 0);
  easy = curl_easy_init();
  TOCSIN_CHECK(easy != nullptr);
  return {};
}

// The whole dialogue.
CURLcode MailTransfer::State::Converse() {
  const MailEnvelope& mail = *request.mail;
  // libcurl logs in with one word: which one it is to be, the server says first.
  if (!mail.user.empty() && !mail.password.empty() && !mail.secret.empty()) {
    const CURLcode looked = Look();
    if (looked != CURLE_OK) return looked;
  }
  curl_easy_reset(easy);
  SetCallbacks();
  SetServer();
  SetTls();
  SetLogin();
  Set(easy, CURLOPT_MAIL_FROM, ("<" + mail.sender + ">").c_str());
  Set(easy, CURLOPT_MAIL_RCPT, recipients);
  Set(easy, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
  Set(easy, CURLOPT_UPLOAD, 1L);
  Set(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  return curl_easy_perform(easy);
}

// A connection without a login or a mail, that ends with what the server offers.
CURLcode MailTransfer::State::Look() {
  SetCallbacks();
  SetServer();
  SetTls();
  Set(easy, CURLOPT_CUSTOMREQUEST, "NOOP");
  Set(easy, CURLOPT_NOBODY, 1L);
  const CURLcode ended = curl_easy_perform(easy);
  // What became of the NOOP does not matter.
  if (ended != CURLE_OK && (dialogue.offered().empty() || MustEnd())) return ended;
  dialogue.BeginAnew();
  error_text[0] = '\0';
  return CURLE_OK;
}

void MailTransfer::State::SetServer() {
  begun_at = clock.SteadyNow();
  const auto left = std::chrono::ceil<Millis>(deadline - begun_at).count();
  const long left_ms = static_cast<long>(std::max<std::int64_t>(left, 1));
  Set(easy, CURLOPT_QUICK_EXIT, 1L);  // A hung resolver must not outlive the deadline.
  Set(easy, CURLOPT_NOSIGNAL, 1L);
  Set(easy, CURLOPT_TIMEOUT_MS, left_ms);
  Set(easy, CURLOPT_CONNECTTIMEOUT_MS, left_ms);
  // Of one reply: never the limit that counts.
  const auto longest = std::chrono::ceil<std::chrono::seconds>(Millis(left_ms) + reply_patience);
  Set(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, static_cast<long>(longest.count()));
  Set(easy, CURLOPT_FORBID_REUSE, 1L);  // Says QUIT at the end.
  Set(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  Set(easy, CURLOPT_PROXY, "");  // None, not the environment's.
  Set(easy, CURLOPT_TCP_NODELAY, 1L);
}

void MailTransfer::State::SetTls() {
  const TlsOptions& tls = request.tls;
  Set(easy, CURLOPT_USE_SSL,
      static_cast<long>(request.mail->starttls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
  Set(easy, CURLOPT_SSLVERSION, CurlTlsVersions(tls));
  if (!tls.ca_file.empty()) {
    Set(easy, CURLOPT_CAINFO, tls.ca_file.c_str());
    Set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  if (!tls.cert_file.empty()) {
    Set(easy, CURLOPT_SSLCERT, tls.cert_file.c_str());
    Set(easy, CURLOPT_SSLKEY, tls.key_file.empty() ? tls.cert_file.c_str() : tls.key_file.c_str());
  }
  if (tls.insecure_skip_verify) {
    Set(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    Set(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (!tls.server_name.empty()) {
    // libcurl sends and checks the URL's name: put the wished one there and connect to the real.
    curl_url_set(url.get(), CURLUPART_HOST, tls.server_name.c_str(), 0);
    if (connect_to == nullptr) connect_to = curl_slist_append(nullptr, ("::" + where).c_str());
    Set(easy, CURLOPT_CONNECT_TO, connect_to);
  }
  Set(easy, CURLOPT_CURLU, url.get());
}

void MailTransfer::State::SetLogin() {
  const MailEnvelope& mail = *request.mail;
  if (mail.user.empty()) return;
  // The first of the server's ways that there is a word for; empty: it was not asked.
  const auto first = std::find_if(dialogue.offered().begin(), dialogue.offered().end(), IsWay);
  const bool asked = first != dialogue.offered().end();
  const bool cram = asked ? *first == kCramMd5 : mail.password.empty();
  Set(easy, CURLOPT_USERNAME, mail.user.c_str());
  Set(easy, CURLOPT_PASSWORD, (cram ? mail.secret : mail.password).Reveal().c_str());
  if (!mail.identity.empty()) Set(easy, CURLOPT_SASL_AUTHZID, mail.identity.c_str());
  const std::string options = cram    ? "AUTH=CRAM-MD5"
                              : asked ? "AUTH=" + *first
                                      : "AUTH=PLAIN;AUTH=LOGIN";
  Set(easy, CURLOPT_LOGIN_OPTIONS, options.c_str());
}

void MailTransfer::State::SetCallbacks() {
  Set(easy, CURLOPT_ERRORBUFFER, error_text);
  // The dialogue is followed, never logged: it holds the credentials.
  Set(easy, CURLOPT_VERBOSE, 1L);
  Set(easy, CURLOPT_DEBUGFUNCTION, &OnDebug);
  Set(easy, CURLOPT_DEBUGDATA, static_cast<void*>(this));
  Set(easy, CURLOPT_READFUNCTION, &OnRead);
  Set(easy, CURLOPT_READDATA, static_cast<void*>(this));
  Set(
      easy, CURLOPT_WRITEFUNCTION,
      +[](char*, std::size_t size, std::size_t count, void*) { return size * count; });
  Set(easy, CURLOPT_OPENSOCKETFUNCTION, &OnSocket);
  Set(easy, CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
  Set(easy, CURLOPT_CLOSESOCKETFUNCTION, &OnClose);
  Set(easy, CURLOPT_CLOSESOCKETDATA, static_cast<void*>(this));
  Set(easy, CURLOPT_NOPROGRESS, 0L);
  Set(easy, CURLOPT_XFERINFOFUNCTION, &OnProgress);
  Set(easy, CURLOPT_XFERINFODATA, static_cast<void*>(this));
}

// -- What libcurl calls --

int MailTransfer::State::OnDebug(CURL*, curl_infotype type, char* bytes, std::size_t size,
                                 void* self) {
  auto& state = *static_cast<State*>(self);
  const std::string_view line(bytes, size);
  if (type == CURLINFO_HEADER_OUT) state.dialogue.NoteCommand(line);
  if (type == CURLINFO_HEADER_IN) state.dialogue.NoteReply(line);
  return 0;
}

// From here on the server decides whether the mail is sent.
void MailTransfer::State::NoteSent() {
  const SteadyTime now = clock.SteadyNow();
  deadline = std::max(deadline, now + reply_patience);
  const auto whole = std::chrono::ceil<Millis>(deadline - begun_at).count();
  Set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(whole));
}

std::size_t MailTransfer::State::OnRead(char* buffer, std::size_t size, std::size_t count,
                                        void* self) {
  auto& state = *static_cast<State*>(self);
  const std::size_t bytes = std::min(size * count, state.request.body.size() - state.sent);
  if (bytes == 0) return 0;
  std::memcpy(buffer, state.request.body.data() + state.sent, bytes);
  state.sent += bytes;
  if (state.sent == state.request.body.size()) state.NoteSent();
  return bytes;
}

curl_socket_t MailTransfer::State::OnSocket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& state = *static_cast<State*>(self);
  MutexLock lock(state.mutex);
  state.socket = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  return state.socket;
}

int MailTransfer::State::OnClose(void* self, curl_socket_t item) {
  auto& state = *static_cast<State*>(self);
  MutexLock lock(state.mutex);
  if (state.socket == item) state.socket = -1;
  return ::close(item);
}

// Called at least once a second, also where libcurl waits without returning.
int MailTransfer::State::OnProgress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<State*>(self)->MustEnd() ? 1 : 0;
}

bool MailTransfer::State::MustEnd() const {
  const SteadyTime now = clock.SteadyNow();
  if (cancelled || now >= deadline) return true;
  return dialogue.step() == MailStep::kFarewell &&
         now - dialogue.farewell_at() >= kFarewellPatience;
}

// -- The end --

// What went wrong other than by a reply; nothing if the server refused in words.
// libcurl's own sentence is used only where it names no more than hosts and certificates.
std::optional<Error> MailTransfer::State::Failure(CURLcode curl_code) const {
  const auto unavailable = [&](std::string_view what) {
    return Error{ErrorCode::kUnavailable, fmt::format("{}: {}", where, what)};
  };
  const bool taken = dialogue.replied() == MailStep::kContent && dialogue.code() / 100 == 2;
  // What counts has been said: how the farewell went does not matter.
  const bool said = taken || (dialogue.code() >= 400 && !dialogue.left_unanswered());
  if (dialogue.step() == MailStep::kFarewell && said) return std::nullopt;
  if (cancelled) return Error{ErrorCode::kCancelled, where + ": cancelled"};
  const bool overdue = curl_code == CURLE_OPERATION_TIMEDOUT || clock.SteadyNow() >= deadline;
  if (overdue) {
    return Error{ErrorCode::kDeadlineExceeded,
                 fmt::format("{}: deadline exceeded while {}", where, Doing(dialogue.step()))};
  }
  const bool refused = !dialogue.awaits_reply() && dialogue.code() >= 400;
  const std::string detail = error_text[0] != '\0' ? error_text : curl_easy_strerror(curl_code);
  long os_error = 0;
  switch (curl_code) {
    case CURLE_COULDNT_RESOLVE_HOST: return unavailable("the host's name does not resolve");
    case CURLE_COULDNT_CONNECT:
      curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
      return unavailable(os_error == 0 ? "cannot connect"
                                       : "cannot connect: " + std::generic_category().message(
                                                                  static_cast<int>(os_error)));
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return unavailable("TLS: " + detail);
    case CURLE_USE_SSL_FAILED:
      if (refused) return std::nullopt;
      return unavailable("the server offers no STARTTLS, and require_tls asks for it");
    case CURLE_LOGIN_DENIED:
      if (refused) return std::nullopt;
      return Error{ErrorCode::kPermissionDenied,
                   where + ": the server offers no way to log in that may be used here (" +
                       WaysFor(*request.mail) + ")"};
    default: break;
  }
  if (refused) return std::nullopt;
  return unavailable(fmt::format("the connection broke off while {}", Doing(dialogue.step())));
}

MailTransfer::MailTransfer(HttpRequest request, const Clock& clock, SteadyTime deadline,
                           Millis reply_patience)
    : state_(std::make_unique<State>(std::move(request), clock, deadline, reply_patience)) {
  TOCSIN_CHECK(state_->request.mail.has_value());
}

MailTransfer::~MailTransfer() = default;

HttpExchange MailTransfer::Run() {
  State& state = *state_;
  const SteadyTime started_at = state.clock.SteadyNow();
  HttpExchange exchange;
  HttpResponse& response = exchange.response;
  const auto prepared = state.Prepare();
  if (prepared.ok()) {
    const CURLcode code = state.Converse();
    if (code != CURLE_OK) exchange.error = state.Failure(code);
    response.status = state.dialogue.code();
    response.body = state.dialogue.text();
    response.mail_step = state.dialogue.replied();
    response.recipients = state.dialogue.answers();
  } else {
    exchange.error = prepared.error();
  }
  response.duration_seconds = ToSeconds(state.clock.SteadyNow() - started_at);
  return exchange;
}

void MailTransfer::Cancel() {
  state_->cancelled = true;
  MutexLock lock(state_->mutex);
  if (state_->socket >= 0) ::shutdown(state_->socket, SHUT_RDWR);
}

}  // namespace tocsin
