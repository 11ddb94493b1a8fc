#pragma once

// One connection of the HTTP server: its bytes, with or without TLS. What is received
// waits in one piece until it is consumed, so that a request's head is parsed where it
// lies. What is sent is gathered: an answer whose head and body left apart would wake the
// asking side twice. Used by one thread.

#include <poll.h>
#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/base/deadline.h"

struct ssl_st;  // OpenSSL's SSL.

namespace tocsin::api {

class ConnectionStream {
 public:
  struct Limits {
    Millis read{};   // Without a byte.
    Millis write{};  // Without room for more.
  };

  // Owns neither the socket nor the TLS session; null: none. The clock must outlive it.
  ConnectionStream(int fd, Limits limits, const Clock& clock, ssl_st* tls = nullptr);

  // The server's side of the handshake, within the limit of reading. Requires: a TLS session.
  bool AcceptTls();

  // Whether a request, or the end of the connection, is there within `limit`. Requires:
  // limit > 0.
  bool WaitForRequest(Millis limit);
  // Nothing more will be sent.
  void SayGoodbye();
  // Forgets what still comes, up to 4 MiB and for up to 2 s, until nothing has for 200 ms.
  void Discard();

  // What has come and was not consumed. Valid until the next call that receives.
  std::string_view received() const { return {in_.get() + in_begin_, in_end_ - in_begin_}; }
  // Requires: size <= received().size().
  void Consume(std::size_t size) { in_begin_ += size; }
  // Waits for more to stand behind what was received. What has been gathered is sent first.
  // False at the end, on an error, at the deadline or at the connection's limit.
  bool Receive(const Deadline& deadline);
  // Whether more has come than was consumed, or the end.
  bool HasMore() const { return IsThere() || WaitFor(POLLIN, Millis()); }

  // Small pieces are gathered, large ones sent at once with what is before them. False if
  // the other side does not take them.
  bool Write(std::string_view bytes);
  // Sends what has been gathered.
  bool Flush();

 private:
  bool WaitFor(short event, Millis limit) const;
  bool IsThere() const;  // Received, though not yet consumed.
  void MakeRoom();
  ssize_t ReceivePlain(char* bytes, std::size_t size, const Deadline& deadline);
  ssize_t ReceiveTls(char* bytes, std::size_t size, const Deadline& deadline);
  bool Send(std::string_view bytes);
  bool SendTls(std::string_view bytes);
  // Whether what the last call on the session was short of is there now.
  bool AwaitTls(int result, const Deadline& deadline);
  Millis ReadLimit(const Deadline& deadline) const;

  const int fd_;
  const Limits limits_;
  const Clock& clock_;
  ssl_st* const tls_;
  bool broken_ = false;  // The session: nothing can be said in it any more.
  Millis wait_limit_{};  // The socket's, for receiving; 0: not set yet.
  std::string out_;
  std::unique_ptr<char[]> in_;
  std::size_t in_room_ = 0;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
};

}  // namespace tocsin::api
