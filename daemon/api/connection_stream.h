#pragma once

// One connection of the HTTP server, as the HTTP library reads and writes it. An
// answer leaves in one piece: the library writes head and body apart, which would wake
// the asking side twice. Used by one thread.

#include <httplib.h>

#include <array>
#include <string>

#include "daemon/base/clock.h"

struct ssl_st;  // OpenSSL's SSL.

namespace tocsin::api {

class ConnectionStream final : public httplib::Stream {
 public:
  struct Limits {
    Millis read{};   // Without a byte.
    Millis write{};  // Without a byte taken.
  };

  // Owns neither the socket nor the TLS session; null: none.
  ConnectionStream(int fd, Limits limits, ssl_st* tls = nullptr)
      : fd_(fd), limits_(limits), tls_(tls) {}

  // The server's side of the handshake. Requires: a TLS session.
  bool AcceptTls();

  // Whether a request, or the end of the connection, is there within `limit`. Requires:
  // limit > 0.
  bool WaitForRequest(Millis limit);
  // Sends what has been gathered. False if the other side does not take it.
  bool Flush();
  // Nothing more will be sent.
  void SayGoodbye();
  // Forgets what still comes, up to 512 KiB of it, until nothing has for 200 ms.
  void Discard();

  bool is_readable() const override;
  bool is_writable() const override;
  // What has been gathered is sent before anything is waited for. 0: the end;
  // negative: an error or the limit.
  ssize_t read(char* bytes, size_t size) override;
  // Small pieces are gathered, large ones sent at once with what is before them.
  ssize_t write(const char* bytes, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return fd_; }

 private:
  bool WaitFor(short event, Millis limit) const;
  bool IsThere() const;  // Received, though not yet read.
  ssize_t Receive(char* bytes, std::size_t size);
  bool Send(const char* bytes, std::size_t size);
  ssize_t ReceiveTls(char* bytes, std::size_t size);
  bool SendTls(const char* bytes, std::size_t size);
  // Whether what the last call on the session was short of is there now.
  bool AwaitTls(int result);

  const int fd_;
  const Limits limits_;
  ssl_st* const tls_;
  bool broken_ = false;  // The session: nothing can be said in it any more.
  Millis wait_limit_{};  // The socket's, for receiving; 0: not set yet.
  std::string out_;
  std::array<char, 16 << 10> in_;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
};

}  // namespace tocsin::api
