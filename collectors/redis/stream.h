#pragma once

// Bytes to and from a Redis, with or without TLS, bounded by a deadline.

#include <cstddef>
#include <memory>
#include <string_view>

#include "collectors/redis/address.h"
#include "daemon/base/deadline.h"
#include "daemon/base/result.h"
#include "daemon/base/socket.h"

namespace tocsin::collectors::redis {

// Not thread-safe. Errors of all calls as Socket's.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual Result<std::size_t> Read(char* buffer, std::size_t size, const Deadline& deadline) = 0;
  virtual Result<> Write(std::string_view bytes, const Deadline& deadline) = 0;
  virtual bool HasInput() const = 0;
};

// Resolves, connects and, if the address says so, shakes hands.
// Errors: as Resolve and Socket::Connect…; kUnavailable also for a failed
// handshake or a certificate that is not accepted, with the reason.
Result<std::unique_ptr<Stream>> OpenStream(const RedisAddress& address, const Deadline& deadline);

// Puts TLS on a connected socket.
Result<std::unique_ptr<Stream>> StartTls(Socket socket, const RedisAddress& address,
                                         const Deadline& deadline);

}  // namespace tocsin::collectors::redis
