#pragma once

// Accepts connections on a listening socket and answers their requests, one after the
// other on each connection, with a fixed number of workers. A connection that rests holds
// its worker for a second, or a tenth of one while another connection waits.

#include <functional>
#include <memory>

#include "daemon/api/http_message.h"
#include "daemon/api/request_reader.h"
#include "daemon/base/clock.h"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX.

namespace tocsin::api {

// Start() and Stop() from one thread.
class ConnectionServer {
 public:
  // Called by any worker. A body that it does not read is thrown away with the connection.
  using Answer = std::function<Response(RequestHead& head, RequestReader& reader)>;

  // Takes over the listening socket. `tls`: null for none.
  ConnectionServer(int fd, std::shared_ptr<ssl_ctx_st> tls, int workers, const Clock& clock,
                   Answer answer);
  ~ConnectionServer();  // Stops.

  void Start();
  // Accepts no more, reads no more, and waits two seconds for answers to be taken.
  void Stop();

 private:
  class Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace tocsin::api
