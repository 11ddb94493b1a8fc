#include "tests/support/smtp_server.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <string_view>

#include "daemon/base/base64.h"
#include "daemon/base/check.h"
#include "daemon/base/mutex.h"
#include "tests/support/loopback_server.h"
#include "tests/support/process.h"
#include "tests/support/self_signed_certificate.h"

namespace tocsin::testing {
namespace {

constexpr const char* kChallenge = "<1896.697170952@mail.test>";

// Empty if it is no base64.
std::string Decoded(const std::string& text) {
  auto bytes = DecodeBase64(text);
  return bytes.ok() ? *std::move(bytes) : std::string();
}

std::string CramAnswer(const std::string& user, const std::string& secret) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_md5(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(kChallenge), std::string_view(kChallenge).size(),
       digest, &size);
  std::string out = user + " ";
  for (unsigned int i = 0; i < size; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    out += kDigits[digest[i] >> 4];
    out += kDigits[digest[i] & 15];
  }
  return out;
}

}  // namespace

struct SmtpServer::State {
  explicit State(Options options_in) : options(std::move(options_in)), connections(options.place) {}

  Options options;
  TemporaryFolder folder;
  SSL_CTX* context = nullptr;

  mutable Mutex mutex;
  mutable ConditionVariable changed;
  std::vector<ServedMail> mails GUARDED_BY(mutex);
  std::vector<std::string> commands GUARDED_BY(mutex);
  LoopbackServer connections;

  void PrepareTls();
  void Serve(int socket);
};

namespace {

// One connection's dialogue.
class Dialogue {
 public:
  Dialogue(SmtpServer::Options& options, SSL_CTX* context, int socket,
           std::function<void(const std::string&)> note, std::function<void(ServedMail)> take,
           std::function<void()> wait_to_stop)
      : options_(options),
        context_(context),
        socket_(socket),
        note_(std::move(note)),
        take_(std::move(take)),
        wait_to_stop_(std::move(wait_to_stop)) {}
  ~Dialogue() {
    if (ssl_ != nullptr) SSL_free(ssl_);
  }
  Dialogue(const Dialogue&) = delete;
  Dialogue& operator=(const Dialogue&) = delete;

  void Run() {
    if (options_.tls == SmtpServer::Tls::kAtOnce && !BeginTls()) return;
    if (!Reply("CONNECT", "220 mail.test ESMTP")) return;
    std::string line;
    while (ReadLine(line)) {
      const std::string verb = line.substr(0, line.find_first_of(" :"));
      note_(verb == "AUTH" ? line.substr(0, line.find(' ', 5)) : line);
      if (verb == "QUIT") {
        Reply(line, "221 bye");
        return;
      }
      if (!Answer(verb, line)) return;
    }
  }

 private:
  bool Answer(const std::string& verb, const std::string& line) {
    if (verb == "EHLO") {
      mail_.hello = line.substr(std::min<std::size_t>(5, line.size()));
      return Reply(line, Capabilities());
    }
    if (verb == "STARTTLS") return Reply(line, "220 go ahead") && BeginTls();
    if (verb == "AUTH") return LogIn(line);
    if (verb == "MAIL") {
      mail_.sender = Bracketed(line);
      mail_.recipients.clear();
      return Reply(line, "250 sender ok");
    }
    if (verb == "RCPT") {
      const auto other = options_.reply ? options_.reply(line) : std::nullopt;
      if (!other || other->starts_with("2")) mail_.recipients.push_back(Bracketed(line));
      return Say(other.value_or("250 recipient ok"));
    }
    if (verb == "DATA") return TakeMessage(line);
    return Reply(line, "250 ok");
  }

  std::string Capabilities() const {
    std::string text = "250-mail.test";
    if (options_.tls == SmtpServer::Tls::kStartTls && ssl_ == nullptr) text += "\r\n250-STARTTLS";
    if (!options_.mechanisms.empty()) text += "\r\n250-AUTH " + options_.mechanisms;
    return text + "\r\n250 8BITMIME";
  }

  bool LogIn(const std::string& line) {
    mail_.mechanism = line.substr(5, line.find(' ', 5) - 5);
    std::string user, password;
    bool good = false;
    std::string answer;
    if (mail_.mechanism == "PLAIN") {
      const std::size_t initial = line.find(' ', 5);  // Go sends the answer at once.
      if (initial != line.npos) {
        answer = Decoded(line.substr(initial + 1));
      } else if (!Ask("", answer)) {
        return false;
      }
      const std::size_t first = answer.find('\0');
      const std::size_t second = answer.find('\0', first + 1);
      mail_.identity = answer.substr(0, first);
      user = answer.substr(first + 1, second - first - 1);
      password = answer.substr(second + 1);
      good = user == options_.user && password == options_.password;
    } else if (mail_.mechanism == "LOGIN") {
      if (!Ask("Username:", user) || !Ask("Password:", password)) return false;
      good = user == options_.user && password == options_.password;
    } else {
      if (!Ask(kChallenge, answer)) return false;
      good = answer == CramAnswer(options_.user, options_.password);
    }
    return Reply("AUTH", good ? "235 welcome" : "535 5.7.8 wrong user or password");
  }

  bool Ask(std::string_view challenge, std::string& answer) {
    std::string line;
    if (!Say("334 " + EncodeBase64(challenge)) || !ReadLine(line)) return false;
    answer = Decoded(line);
    return true;
  }

  bool TakeMessage(const std::string& line) {
    if (mail_.recipients.empty()) return Reply(line, "554 no valid recipients");
    const auto other = options_.reply ? options_.reply(line) : std::nullopt;
    if (!Say(other.value_or("354 go on"))) return false;
    if (other && !other->starts_with("3")) return true;
    mail_.data.clear();
    std::string text;
    while (ReadLine(text)) {
      if (text == ".") {
        mail_.tls = ssl_ != nullptr;
        const auto verdict = options_.reply ? options_.reply(".") : std::nullopt;
        if (!verdict || verdict->starts_with("2")) take_(mail_);
        return Say(verdict.value_or("250 taken"));
      }
      mail_.data += (text.starts_with(".") ? text.substr(1) : text) + "\r\n";
    }
    return false;
  }

  static std::string Bracketed(const std::string& line) {
    const std::size_t open = line.find('<');
    return line.substr(open, line.find('>', open) + 1 - open);
  }

  bool Reply(const std::string& command, const std::string& usual) {
    const auto other = options_.reply ? options_.reply(command) : std::nullopt;
    return Say(other.value_or(usual));
  }

  bool Say(const std::string& text) {
    if (text == SmtpServer::kHang) wait_to_stop_();
    if (text == SmtpServer::kHang || text == SmtpServer::kClose) return false;
    const std::string line = text + "\r\n";
    const auto size = static_cast<long>(line.size());
    return ssl_ == nullptr ? send(socket_, line.data(), line.size(), MSG_NOSIGNAL) == size
                           : SSL_write(ssl_, line.data(), static_cast<int>(size)) == size;
  }

  bool BeginTls() {
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, socket_);
    buffer_.clear();  // What came before TLS is nobody's word (CVE-2011-0411).
    return SSL_accept(ssl_) == 1;
  }

  bool ReadLine(std::string& line) {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n")) == std::string::npos) {
      char bytes[4096];
      const long size = ssl_ == nullptr ? recv(socket_, bytes, sizeof bytes, 0)
                                        : SSL_read(ssl_, bytes, sizeof bytes);
      if (size <= 0) return false;
      buffer_.append(bytes, static_cast<std::size_t>(size));
    }
    line = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return true;
  }

  SmtpServer::Options& options_;
  SSL_CTX* context_;
  int socket_;
  std::function<void(const std::string&)> note_;
  std::function<void(ServedMail)> take_;
  std::function<void()> wait_to_stop_;
  SSL* ssl_ = nullptr;
  std::string buffer_;
  ServedMail mail_;
};

}  // namespace

void SmtpServer::State::PrepareTls() {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to peers that may have gone.
  const auto made = MakeSelfSignedCertificate(std::chrono::hours(24));
  std::ofstream(folder.File("ca.pem")) << made.certificate_pem;
  std::ofstream(folder.File("server.pem")) << made.certificate_pem << made.key_pem;
  const std::string path = folder.File("server.pem");
  context = SSL_CTX_new(TLS_server_method());
  TOCSIN_CHECK(SSL_CTX_use_certificate_file(context, path.c_str(), SSL_FILETYPE_PEM) == 1);
  TOCSIN_CHECK(SSL_CTX_use_PrivateKey_file(context, path.c_str(), SSL_FILETYPE_PEM) == 1);
}

void SmtpServer::State::Serve(int socket) {
  const auto note = [this](const std::string& command) {
    MutexLock lock(mutex);
    commands.push_back(command);
  };
  const auto take = [this](ServedMail mail) {
    MutexLock lock(mutex);
    mails.push_back(std::move(mail));
    changed.notify_all();
  };
  const auto wait_to_stop = [this] { connections.WaitToStop(); };
  Dialogue(options, context, socket, note, take, wait_to_stop).Run();
}

SmtpServer::SmtpServer(Options options) : state_(std::make_unique<State>(std::move(options))) {
  state_->PrepareTls();
  state_->connections.Start([state = state_.get()](int socket) { state->Serve(socket); });
}

SmtpServer::~SmtpServer() {
  state_->connections.Stop();
  SSL_CTX_free(state_->context);
}

int SmtpServer::port() const { return state_->connections.port(); }
std::string SmtpServer::Address() const {
  return state_->options.place.address + ":" + std::to_string(port());
}
std::string SmtpServer::ca_file() const { return state_->folder.File("ca.pem"); }

std::vector<ServedMail> SmtpServer::mails() const {
  MutexLock lock(state_->mutex);
  return state_->mails;
}

bool SmtpServer::WaitForMails(std::size_t count, Millis limit) const {
  const auto until = std::chrono::steady_clock::now() + limit;
  MutexLock lock(state_->mutex);
  while (state_->mails.size() < count) {
    if (state_->changed.wait_until(state_->mutex, until) == std::cv_status::timeout) {
      return state_->mails.size() >= count;
    }
  }
  return true;
}

std::vector<std::string> SmtpServer::commands() const {
  MutexLock lock(state_->mutex);
  return state_->commands;
}

}  // namespace tocsin::testing
