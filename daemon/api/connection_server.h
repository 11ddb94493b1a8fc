#pragma once

// The HTTP library's servers on sockets that we bound (the library knows no Unix sockets
// and would share a TCP port with another process silently), with and without TLS. Each
// connection is a ConnectionStream.

#include <httplib.h>

#include <memory>
#include <string>

namespace tocsin::api {

// Takes over the listening socket.
std::unique_ptr<httplib::Server> MakeServer(int fd);

// Null if the certificate cannot be used with its key; the socket is then closed.
std::unique_ptr<httplib::Server> MakeTlsServer(int fd, const std::string& cert_file,
                                               const std::string& key_file);

// While a request is answered: some of it is left unread, and the connection closes behind
// the answer. The library would take the rest for the next request.
void LeaveUnread();

}  // namespace tocsin::api
