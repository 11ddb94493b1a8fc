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
#include "daemon/base/mutex.h"

namespace tocsin {
namespace {

constexpr Millis kFarewellPatience = std::chrono::seconds(1);  // For the reply to QUIT.
constexpr std::size_t kMaxReplyBytes = 1024;                   // Kept of one reply.

// Sets an option; only a fault of ours can make it fail for good.
template <class T>
void Set(CURL* easy, CURLoption option, T value) {
  TOCSIN_CHECK(curl_easy_setopt(easy, option, value) != CURLE_BAD_FUNCTION_ARGUMENT);
}

struct Command {
  std::string_view begins;
  MailStep step;
};
constexpr Command kCommands[] = {
    {"EHLO ", MailStep::kHello},         {"HELO ", MailStep::kHello},
    {"STARTTLS\r", MailStep::kStartTls}, {"AUTH ", MailStep::kLogin},
    {"MAIL FROM:", MailStep::kSender},   {"RCPT TO:", MailStep::kRecipients},
    {"DATA\r", MailStep::kContent},      {"QUIT\r", MailStep::kFarewell},
};

std::string_view Doing(MailStep step) {
  switch (step) {
    case MailStep::kNone: return "connecting";
    case MailStep::kGreeting: return "waiting for the greeting";
    case MailStep::kHello: return "waiting for the reply to EHLO";
    case MailStep::kStartTls: return "turning to TLS";
    case MailStep::kLogin: return "logging in";
    case MailStep::kSender: return "waiting for the reply to MAIL FROM";
    case MailStep::kRecipients: return "waiting for the reply to RCPT TO";
    case MailStep::kContent: return "handing over the message";
    case MailStep::kFarewell: return "waiting for the reply to QUIT";
  }
  return "sending";
}

// "<a@b>", as libcurl puts it on the wire; nothing may end the line early.
bool IsAddress(std::string_view address) {
  return !address.empty() && std::none_of(address.begin(), address.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '<' || c == '>';
  });
}

}  // namespace

struct MailTransfer::State {
  State(HttpRequest request_in, const Clock& clock_in, SteadyTime deadline_in)
      : request(std::move(request_in)), clock(clock_in), deadline(deadline_in), url(curl_url()) {}
  ~State() {
    if (easy != nullptr) curl_easy_cleanup(easy);
    curl_slist_free_all(recipients);
    curl_slist_free_all(connect_to);
  }

  HttpRequest request;
  const Clock& clock;
  const SteadyTime deadline;
  CURL* easy = nullptr;
  curl_slist* recipients = nullptr;
  curl_slist* connect_to = nullptr;
  CurlUrl url;
  std::string where;
  std::size_t sent = 0;  // Bytes of the message that libcurl has taken.
  char error_text[CURL_ERROR_SIZE] = {};

  // The dialogue.
  MailStep step = MailStep::kNone;
  bool awaits_reply = true;
  int code = 0;                        // Of the last whole reply before the farewell,
  std::string text;                    // its words,
  MailStep replied = MailStep::kNone;  // and what it was about.
  std::string reply;                   // The lines so far of the one under way.
  std::vector<MailReply> answers;      // To the recipients, in their order.
  SteadyTime farewell_at{};
  bool left_unanswered = false;  // It came while a reply was still due.

  std::atomic<bool> cancelled = false;
  Mutex mutex;
  int socket GUARDED_BY(mutex) = -1;

  Result<> Prepare();
  void SetServer();
  void SetTls();
  void SetLogin();
  void SetCallbacks();
  void NoteCommand(std::string_view line);
  void NoteReply(std::string_view line);
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
  SetCallbacks();
  SetServer();
  SetTls();
  SetLogin();
  Set(easy, CURLOPT_MAIL_FROM, ("<" + mail.sender + ">").c_str());
  Set(easy, CURLOPT_MAIL_RCPT, recipients);
  Set(easy, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
  Set(easy, CURLOPT_UPLOAD, 1L);
  Set(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  return {};
}

void MailTransfer::State::SetServer() {
  const auto left = std::chrono::ceil<Millis>(deadline - clock.SteadyNow()).count();
  const long left_ms = static_cast<long>(std::max<std::int64_t>(left, 1));
  Set(easy, CURLOPT_QUICK_EXIT, 1L);  // A hung resolver must not outlive the deadline.
  Set(easy, CURLOPT_NOSIGNAL, 1L);
  Set(easy, CURLOPT_TIMEOUT_MS, left_ms);
  Set(easy, CURLOPT_CONNECTTIMEOUT_MS, left_ms);
  Set(easy, CURLOPT_FORBID_REUSE, 1L);  // Says QUIT at the end.
  Set(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  Set(easy, CURLOPT_PROXY, "");  // None, not the environment's.
  Set(easy, CURLOPT_TCP_NODELAY, 1L);
}

void MailTransfer::State::SetTls() {
  const TlsOptions& tls = request.tls;
  Set(easy, CURLOPT_USE_SSL,
      static_cast<long>(request.mail->starttls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
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
    connect_to = curl_slist_append(nullptr, ("::" + where).c_str());
    Set(easy, CURLOPT_CONNECT_TO, connect_to);
  }
  Set(easy, CURLOPT_CURLU, url.get());
}

void MailTransfer::State::SetLogin() {
  const MailEnvelope& mail = *request.mail;
  if (mail.user.empty()) return;
  std::string options;
  for (const std::string& mechanism : mail.mechanisms) {
    options += (options.empty() ? "AUTH=" : ";AUTH=") + mechanism;
  }
  Set(easy, CURLOPT_USERNAME, mail.user.c_str());
  Set(easy, CURLOPT_PASSWORD, mail.password.Reveal().c_str());
  if (!mail.identity.empty()) Set(easy, CURLOPT_SASL_AUTHZID, mail.identity.c_str());
  if (!options.empty()) Set(easy, CURLOPT_LOGIN_OPTIONS, options.c_str());
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
  if (type == CURLINFO_HEADER_OUT) state.NoteCommand(line);
  if (type == CURLINFO_HEADER_IN) state.NoteReply(line);
  return 0;
}

void MailTransfer::State::NoteCommand(std::string_view line) {
  const bool unanswered = std::exchange(awaits_reply, true);
  for (const Command& command : kCommands) {
    // Within a login the lines are credentials, whatever they look like.
    if (step == MailStep::kLogin && command.step != MailStep::kSender) continue;
    if (!line.starts_with(command.begins)) continue;
    step = command.step;
    if (step == MailStep::kFarewell) {
      farewell_at = clock.SteadyNow();
      left_unanswered = unanswered;
    }
    return;
  }
}

void MailTransfer::State::NoteReply(std::string_view line) {
  if (step == MailStep::kNone) step = MailStep::kGreeting;
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  const bool numbered = line.size() >= 3 && std::all_of(line.begin(), line.begin() + 3, [](char c) {
                          return c >= '0' && c <= '9';
                        });
  if (!numbered) return;
  if (reply.size() < kMaxReplyBytes && line.size() > 4) {
    if (!reply.empty()) reply += ' ';
    reply += line.substr(4, kMaxReplyBytes);
  }
  if (line.size() > 3 && line[3] == '-') return;  // More lines follow.
  awaits_reply = false;
  if (step == MailStep::kFarewell) return;
  code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  text = std::exchange(reply, {});
  replied = step;
  const auto& all = request.mail->recipients;
  if (step == MailStep::kRecipients && answers.size() < all.size()) {
    answers.push_back({all[answers.size()], code, text});
  }
}

std::size_t MailTransfer::State::OnRead(char* buffer, std::size_t size, std::size_t count,
                                        void* self) {
  auto& state = *static_cast<State*>(self);
  const std::size_t bytes = std::min(size * count, state.request.body.size() - state.sent);
  std::memcpy(buffer, state.request.body.data() + state.sent, bytes);
  state.sent += bytes;
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
  return step == MailStep::kFarewell && now - farewell_at >= kFarewellPatience;
}

// -- The end --

// What went wrong other than by a reply; nothing if the server refused in words.
// libcurl's own sentence is used only where it names no more than hosts and certificates.
std::optional<Error> MailTransfer::State::Failure(CURLcode curl_code) const {
  const auto unavailable = [&](std::string_view what) {
    return Error{ErrorCode::kUnavailable, fmt::format("{}: {}", where, what)};
  };
  const bool taken = replied == MailStep::kContent && code / 100 == 2;
  // What counts has been said: how the farewell went does not matter.
  const bool said = taken || (code >= 400 && !left_unanswered);
  if (step == MailStep::kFarewell && said) return std::nullopt;
  if (cancelled) return Error{ErrorCode::kCancelled, where + ": cancelled"};
  const bool overdue = curl_code == CURLE_OPERATION_TIMEDOUT || clock.SteadyNow() >= deadline;
  if (overdue) {
    return Error{ErrorCode::kDeadlineExceeded,
                 fmt::format("{}: deadline exceeded while {}", where, Doing(step))};
  }
  const bool refused = !awaits_reply && code >= 400;
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
                       fmt::format("{}", fmt::join(request.mail->mechanisms, ", ")) + ")"};
    default: break;
  }
  if (refused) return std::nullopt;
  return unavailable(fmt::format("the connection broke off while {}", Doing(step)));
}

MailTransfer::MailTransfer(HttpRequest request, const Clock& clock, SteadyTime deadline)
    : state_(std::make_unique<State>(std::move(request), clock, deadline)) {
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
    const CURLcode code = curl_easy_perform(state.easy);
    if (code != CURLE_OK) exchange.error = state.Failure(code);
    response.status = state.code;
    response.body = state.text;
    response.mail_step = state.replied;
    response.recipients = state.answers;
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
