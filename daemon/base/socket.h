#pragma once

// Blocking on a peer, bounded from outside: resolving a name, connecting,
// reading and writing end at a Deadline whatever the resolver or the peer does,
// and within kStopCheckInterval of a request to stop. Collectors that speak a
// protocol of their own stand on Socket; those whose library owns the socket
// (libpq) use Resolve and WaitUntilReady.
//
// Nothing here knows TLS: who needs it puts it on top of a Socket.

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/deadline.h"
#include "daemon/base/result.h"

namespace tocsin {

// How late a request to stop may be noticed.
inline constexpr Millis kStopCheckInterval{50};

// Names that may be in resolution at once in the whole process. A resolver that
// never answers holds one of them per name, not per attempt.
inline constexpr int kMaxLookupsInFlight = 64;

struct ResolvedAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  std::string text;  // Numeric, without the port: "127.0.0.1", "::1".
};

// The addresses of `host` for TCP, in the order to try them; never empty. A
// numeric address or localhost (RFC 6761: always loopback) needs no resolver. Otherwise
// getaddrinfo runs on a thread of its own, which is left behind if it outlasts
// the deadline; a later call for the same name and port joins it instead of
// starting another. Thread-safe.
// Errors: kNotFound (the resolver says there is no such name), kUnavailable (the
// resolver failed), kDeadlineExceeded, kCancelled, kResourceExhausted
// (kMaxLookupsInFlight).
Result<std::vector<ResolvedAddress>> Resolve(const std::string& host, std::uint16_t port,
                                             const Deadline& deadline);

enum class Readiness { kReadable, kWritable };

// Waits until `fd` can be read or written without blocking, or has failed (the
// next call on it says how). `doing` goes into the error ("reading the reply").
// Errors: kDeadlineExceeded, kCancelled, kIoError.
Result<> WaitUntilReady(int fd, Readiness what, const Deadline& deadline, std::string_view doing);

// A connected, non-blocking stream socket, closed by its destructor. Not thread-safe.
class Socket {
 public:
  // Tries the addresses in order; each gets its share of the time left.
  // Errors: kUnavailable (with the last reason), kDeadlineExceeded, kCancelled.
  static Result<Socket> ConnectTcp(const std::vector<ResolvedAddress>& addresses,
                                   const Deadline& deadline);

  // Errors as ConnectTcp, and kPermissionDenied; kInvalidArgument for a path too long.
  static Result<Socket> ConnectUnix(const std::string& path, const Deadline& deadline);

  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();

  int fd() const { return fd_; }

  // Reads what is there, waiting for the first byte; 0 means the peer has closed.
  // Errors: kUnavailable (broken off), kDeadlineExceeded, kCancelled.
  Result<std::size_t> Read(char* buffer, std::size_t size, const Deadline& deadline);

  // Writes all of `bytes`. Errors as Read.
  Result<> Write(std::string_view bytes, const Deadline& deadline);

  // True if the peer has closed, or sent something, while nothing was asked of it:
  // a kept connection in that state is not worth using.
  bool HasInput() const;

 private:
  explicit Socket(int fd) : fd_(fd) {}
  static Result<Socket> Connect(const sockaddr* address, socklen_t size, const Deadline& deadline);

  int fd_ = -1;
};

}  // namespace tocsin
