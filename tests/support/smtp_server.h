#pragma once

// A small real SMTP server for tests, on 127.0.0.1 and a free port: plain, STARTTLS
// or TLS at once with a certificate made for it, PLAIN, LOGIN and CRAM-MD5, and any
// reply to any command, also none and a broken connection. A thread per connection;
// the destructor ends them all. Mails that were taken are kept for the test.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "tests/support/loopback_server.h"

namespace tocsin::testing {

struct ServedMail {
  std::string hello;
  bool tls = false;
  std::string mechanism;  // Of the login; empty: nobody logged in.
  std::string identity;   // As PLAIN has it.
  std::string sender;     // "<ops@x>", without what follows.
  std::vector<std::string> recipients;
  std::string data;  // As sent, dots unstuffed.
};

class SmtpServer {
 public:
  enum class Tls { kNone, kStartTls, kAtOnce };

  // The reply to a command ("EHLO x", "RCPT TO:<a@b>", "DATA"), to "CONNECT" (the
  // greeting), to "." (the whole message) or "AUTH" (the end of a login); nothing:
  // what a good server says. kHang: never replies; kClose: closes.
  using Override = std::function<std::optional<std::string>(const std::string& command)>;
  static constexpr const char* kHang = "(hang)";
  static constexpr const char* kClose = "(close)";

  struct Options {
    Tls tls = Tls::kNone;
    std::string mechanisms;  // "PLAIN LOGIN CRAM-MD5"; empty: no login is offered.
    std::string user;
    std::string password;
    Override reply;
    LoopbackServer::Place place;
  };

  explicit SmtpServer(Options options);
  ~SmtpServer();
  SmtpServer(const SmtpServer&) = delete;
  SmtpServer& operator=(const SmtpServer&) = delete;

  int port() const;
  std::string Address() const;  // "127.0.0.1:PORT"
  // A PEM file with the certificate, to be trusted; exists as long as the server.
  std::string ca_file() const;

  std::vector<ServedMail> mails() const;
  // Waits until `count` mails were taken; false after `limit`.
  bool WaitForMails(std::size_t count, Millis limit) const;
  // Every command so far, without credentials.
  std::vector<std::string> commands() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tocsin::testing
