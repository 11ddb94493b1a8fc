#include "tests/support/tls_client.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/check.h"

namespace tocsin::testing {
namespace {

constexpr timeval kSilenceLimit{10, 0};

int Connect(int port) {
  const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &kSilenceLimit, sizeof kSilenceLimit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  TOCSIN_CHECK(connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return connection;
}

}  // namespace

std::string TalkTls(int port, const std::string& text) {
  const int connection = Connect(port);
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  SSL* const tls = SSL_new(context);
  SSL_set_fd(tls, connection);
  std::string answer;
  if (SSL_connect(tls) == 1 && SSL_write(tls, text.data(), static_cast<int>(text.size())) > 0) {
    char bytes[4096];
    for (int size = 0; (size = SSL_read(tls, bytes, sizeof bytes)) > 0;) {
      answer.append(bytes, static_cast<std::size_t>(size));
    }
  }
  SSL_free(tls);
  SSL_CTX_free(context);
  close(connection);
  return answer;
}

std::string TalkPlainly(int port, const std::string& text) {
  const int connection = Connect(port);
  std::string answer;
  if (send(connection, text.data(), text.size(), MSG_NOSIGNAL) > 0) {
    char bytes[4096];
    for (ssize_t size = 0; (size = recv(connection, bytes, sizeof bytes, 0)) > 0;) {
      answer.append(bytes, static_cast<std::size_t>(size));
    }
  }
  close(connection);
  return answer;
}

}  // namespace tocsin::testing
