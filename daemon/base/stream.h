#pragma once

// Bytes to and from a peer, with or without TLS, bounded by a deadline.

#include <cstddef>
#include <memory>
#include <string_view>

#include "daemon/base/deadline.h"
#include "daemon/base/result.h"
#include "daemon/base/socket.h"
#include "daemon/base/tls.h"

namespace tocsin {

// Not thread-safe. Errors of all calls as Socket's.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual Result<std::size_t> Read(char* buffer, std::size_t size, const Deadline& deadline) = 0;
  virtual Result<> Write(std::string_view bytes, const Deadline& deadline) = 0;
  virtual bool HasInput() const = 0;  // As Socket::HasInput().
  virtual TlsSession Tls() const { return {}; }
};

std::unique_ptr<Stream> PlainStream(Socket socket);

}  // namespace tocsin
