#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <string_view>
#include <system_error>

#include "daemon/base/http_transfer_state.h"

namespace tocsin {
namespace {

std::string SystemErrorText(long number) {
  std::string text = std::generic_category().message(static_cast<int>(number));
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] + 32);
  return text;
}

}  // namespace

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

// libcurl does not tell when the connection stands and TLS begins: the socket does,
// as long as it is open.
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
Error HttpTransfer::State::Failure(int curl_code) {
  const auto code = static_cast<CURLcode>(curl_code);
  std::string text = Where() + ": ";
  long os_error = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
  const std::string detail = error_text[0] != '\0' ? error_text : curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: NoticeTls(); return Overdue();
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
    case CURLE_SSL_ISSUER_ERROR:
      response.stage = HttpStage::kTls;
      return Error{ErrorCode::kUnavailable, text + "TLS: " + detail};
    default: return Error{ErrorCode::kUnavailable, text + curl_easy_strerror(code)};
  }
}

Error HttpTransfer::State::TooLarge() const {
  const auto limit =
      headers_too_large ? static_cast<std::int64_t>(kMaxHeaderBytes) : request.max_body_bytes;
  return Error{ErrorCode::kResourceExhausted,
               Where() + ": the answer's " + (headers_too_large ? "headers are" : "body is") +
                   " larger than " + std::to_string(limit) + " bytes"};
}

}  // namespace tocsin
