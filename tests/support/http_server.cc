#include "tests/support/http_server.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string_view>

#include "daemon/base/check.h"
#include "daemon/base/mutex.h"
#include "daemon/base/text.h"
#include "tests/support/loopback_server.h"
#include "tests/support/self_signed_certificate.h"

namespace tocsin::testing {
namespace {

constexpr std::size_t kMaxRequestBytes = 64 << 20;

bool SameName(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

// A socket with or without TLS.
class Stream {
 public:
  Stream(int socket, SSL_CTX* context) : socket_(socket) {
    if (context != nullptr) {
      ssl_ = SSL_new(context);
      SSL_set_fd(ssl_, socket);
    }
  }
  ~Stream() {
    if (ssl_ != nullptr) SSL_free(ssl_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  bool Accept() { return ssl_ == nullptr || SSL_accept(ssl_) == 1; }

  long Read(char* bytes, std::size_t size) {
    return ssl_ == nullptr ? recv(socket_, bytes, size, 0)
                           : SSL_read(ssl_, bytes, static_cast<int>(size));
  }

  bool Write(std::string_view text) {
    while (!text.empty()) {
      const long sent = ssl_ == nullptr
                            ? send(socket_, text.data(), text.size(), MSG_NOSIGNAL)
                            : SSL_write(ssl_, text.data(), static_cast<int>(text.size()));
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

 private:
  int socket_;
  SSL* ssl_ = nullptr;
};

// Reads requests off a connection; keeps what came beyond one for the next.
class RequestReader {
 public:
  explicit RequestReader(Stream& stream) : stream_(stream) {}

  std::optional<ServedRequest> Next() {
    const std::size_t end = FillUntil("\r\n\r\n");
    if (end == std::string::npos) return std::nullopt;
    ServedRequest request = ParseHead(std::string_view(buffer_).substr(0, end + 2));
    buffer_.erase(0, end + 4);
    const bool chunked = SameName(request.Header("Transfer-Encoding"), "chunked");
    if (chunked ? !TakeChunks(request.body) : !TakeBody(request)) return std::nullopt;
    return request;
  }

 private:
  bool Fill() {
    char bytes[16384];
    const long size = stream_.Read(bytes, sizeof bytes);
    if (size <= 0 || buffer_.size() > kMaxRequestBytes) return false;
    buffer_.append(bytes, static_cast<std::size_t>(size));
    return true;
  }

  std::size_t FillUntil(std::string_view mark) {
    while (true) {
      if (const auto at = buffer_.find(mark); at != std::string::npos) return at;
      if (!Fill()) return std::string::npos;
    }
  }

  static ServedRequest ParseHead(std::string_view head) {
    ServedRequest request;
    std::size_t line_end = head.find("\r\n");
    const std::string_view first = head.substr(0, line_end);
    const std::size_t space = first.find(' ');
    const std::size_t last_space = first.rfind(' ');
    if (space != std::string_view::npos && last_space > space) {
      request.method = first.substr(0, space);
      request.target = first.substr(space + 1, last_space - space - 1);
    }
    for (std::size_t begin = line_end + 2; begin < head.size(); begin = line_end + 2) {
      line_end = head.find("\r\n", begin);
      const std::string_view line = head.substr(begin, line_end - begin);
      if (const auto colon = line.find(':'); colon != std::string_view::npos) {
        request.headers.emplace_back(line.substr(0, colon), TrimSpace(line.substr(colon + 1)));
      }
    }
    return request;
  }

  bool TakeBody(ServedRequest& request) {
    const auto length =
        static_cast<std::size_t>(ParseInt(request.Header("Content-Length")).value_or(0));
    while (buffer_.size() < length) {
      if (!Fill()) return false;
    }
    request.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return true;
  }

  bool TakeChunks(std::string& body) {
    while (true) {
      const std::size_t end = FillUntil("\r\n");
      if (end == std::string::npos) return false;
      const std::size_t size = std::strtoul(buffer_.c_str(), nullptr, 16);
      while (buffer_.size() < end + 2 + size + 2) {
        if (!Fill()) return false;
      }
      body.append(buffer_, end + 2, size);
      buffer_.erase(0, end + 2 + size + 2);
      if (size == 0) return true;
    }
  }

  Stream& stream_;
  std::string buffer_;
};

}  // namespace

std::string ServedRequest::Header(const std::string& name) const {
  for (const auto& [candidate, value] : headers) {
    if (SameName(candidate, name)) return value;
  }
  return {};
}

struct HttpServer::State {
  Respond respond;
  Options options;
  SSL_CTX* context = nullptr;
  std::string certificate_path;
  WallTime certificate_end{};

  mutable Mutex mutex;
  mutable ConditionVariable changed;
  std::vector<ServedRequest> requests GUARDED_BY(mutex);
  LoopbackServer connections{LoopbackServer::Place{}};

  void PrepareTls();
  void Serve(int socket);
  bool Send(Stream& stream, const ServedRequest& request, const ServedAnswer& answer);
};

void HttpServer::State::PrepareTls() {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to peers that may have gone.
  const auto made = MakeSelfSignedCertificate(options.certificate_lifetime);
  certificate_end = made.not_after;
  const char* folder = std::getenv("TMPDIR");
  std::string path = std::string(folder != nullptr ? folder : "/tmp") + "/tocsin-ca-XXXXXX";
  const int file = mkstemp(path.data());
  TOCSIN_CHECK(file >= 0);
  close(file);
  std::ofstream(path) << made.certificate_pem << made.key_pem;
  certificate_path = path;
  context = SSL_CTX_new(TLS_server_method());
  TOCSIN_CHECK(SSL_CTX_use_certificate_file(context, path.c_str(), SSL_FILETYPE_PEM) == 1);
  TOCSIN_CHECK(SSL_CTX_use_PrivateKey_file(context, path.c_str(), SSL_FILETYPE_PEM) == 1);
}

void HttpServer::State::Serve(int socket) {
  if (options.silent) return connections.WaitToStop();
  Stream stream(socket, context);
  if (!stream.Accept()) return;
  RequestReader reader(stream);
  while (const auto request = reader.Next()) {
    {
      MutexLock lock(mutex);
      requests.push_back(*request);
    }
    changed.notify_all();
    if (!Send(stream, *request, respond(*request))) return;
  }
}

bool HttpServer::State::Send(Stream& stream, const ServedRequest& request,
                             const ServedAnswer& answer) {
  using Manner = ServedAnswer::Manner;
  const bool drips = answer.manner == Manner::kDrip;
  if (answer.manner == Manner::kHang) {
    connections.WaitToStop();
    return false;
  }
  if (!drips && answer.delay.count() > 0 && !connections.Pause(answer.delay)) return false;
  if (answer.manner == Manner::kCloseAtOnce) return false;
  if (answer.manner == Manner::kNonsense) {
    stream.Write(answer.body);
    return false;
  }
  const bool chunked = answer.manner == Manner::kChunked;
  std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " Status\r\n";
  for (const auto& [name, value] : answer.headers) head += name + ": " + value + "\r\n";
  head += chunked ? "Transfer-Encoding: chunked\r\n"
                  : "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
  head += "\r\n";
  if (!stream.Write(head)) return false;
  if (request.method == "HEAD" || answer.status == 204 || answer.status == 304) return true;
  const std::string_view body = answer.body;
  if (answer.manner == Manner::kHangInBody || answer.manner == Manner::kCloseHalfWay) {
    stream.Write(body.substr(0, body.size() / 2));
    if (answer.manner == Manner::kHangInBody) connections.WaitToStop();
    return false;
  }
  if (drips) {
    for (const char byte : body) {
      if (!connections.Pause(answer.delay) || !stream.Write(std::string_view(&byte, 1)))
        return false;
    }
    return true;
  }
  if (!chunked) return stream.Write(body);
  char size[32];
  std::snprintf(size, sizeof size, "%zx\r\n", body.size());
  if (!body.empty() && !stream.Write(size + std::string(body) + "\r\n")) return false;
  return stream.Write("0\r\n\r\n");
}

HttpServer::HttpServer(Respond respond) : HttpServer(std::move(respond), Options{}) {}

HttpServer::HttpServer(Respond respond, Options options) : state_(std::make_unique<State>()) {
  state_->respond = std::move(respond);
  state_->options = options;
  if (options.tls) state_->PrepareTls();
  state_->connections.Start([state = state_.get()](int socket) { state->Serve(socket); });
}

HttpServer::~HttpServer() {
  state_->connections.Stop();
  if (state_->context != nullptr) SSL_CTX_free(state_->context);
  if (!state_->certificate_path.empty()) unlink(state_->certificate_path.c_str());
}

int HttpServer::port() const { return state_->connections.port(); }

std::string HttpServer::Url(const std::string& path) const {
  return (state_->options.tls ? "https://127.0.0.1:" : "http://127.0.0.1:") +
         std::to_string(port()) + path;
}

std::string HttpServer::ca_file() const { return state_->certificate_path; }
WallTime HttpServer::certificate_end() const { return state_->certificate_end; }
int HttpServer::connections_accepted() const { return state_->connections.accepted(); }

std::vector<ServedRequest> HttpServer::requests() const {
  MutexLock lock(state_->mutex);
  return state_->requests;
}

bool HttpServer::WaitForRequests(std::size_t count, Millis limit) const {
  const auto until = std::chrono::steady_clock::now() + limit;
  MutexLock lock(state_->mutex);
  while (state_->requests.size() < count) {
    if (state_->changed.wait_until(state_->mutex, until) == std::cv_status::timeout) {
      return state_->requests.size() >= count;
    }
  }
  return true;
}

HttpServer::Respond Always(ServedAnswer answer) {
  return [answer = std::move(answer)](const ServedRequest&) { return answer; };
}

}  // namespace tocsin::testing
