#pragma once

// The requests of one connection, one after the other, as RFC 9112 writes them. An HTTP
// library parses them; it stays in the source. Used by one thread.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/api/connection_stream.h"
#include "daemon/api/http_message.h"
#include "daemon/base/clock.h"

namespace tocsin::api {

// A request without its body.
struct RequestHead {
  std::string method;
  std::string target;  // As it was sent: escaped, path and query.
  std::vector<std::pair<std::string, std::string>> headers;
  bool keeps_connection = false;  // The client would go on behind the answer.

  // The first header of that name, in any case; empty if there is none.
  std::string_view Header(std::string_view name) const;
};

class RequestReader {
 public:
  static constexpr std::size_t kMaxHeadBytes = 1 << 20;  // As Go's servers.
  // Of a body that is too large, or that nobody may send, as much is read and thrown
  // away, so that the client hears why.
  static constexpr std::size_t kMaxDiscardedBytes = 16 << 20;
  // However slowly their bytes come: a request that is read holds a worker.
  static constexpr Millis kHeadLimit{10'000};
  static constexpr Millis kBodyLimit{300'000};  // As Prometheus' --web.read-timeout.

  RequestReader(ConnectionStream& stream, const Clock& clock);
  ~RequestReader();

  // Reads the next head. False at the end of the connection, or if refusal() says what to
  // answer before hanging up. Requires: done().
  bool ReadHead(RequestHead& head);
  const std::optional<Response>& refusal() const;

  enum class Body {
    kWhole,
    kTooLarge,
    kBroken,    // It is not what RFC 9112 says.
    kCutShort,  // The end, or the limit, came first.
  };
  // Reads the body, if there is one. One that is larger than `limit` is not kept; it is not
  // even read if the client waits to be asked for it, or says that it is far too large.
  Body ReadBody(std::size_t limit, std::string& body);
  // Whether nothing of a request is left: what comes next is another one.
  bool done() const;

 private:
  class Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace tocsin::api
