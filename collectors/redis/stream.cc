#include "collectors/redis/stream.h"

#include <utility>

namespace tocsin::collectors::redis {
namespace {

Result<Socket> Connect(const RedisAddress& address, const Deadline& deadline) {
  if (!address.unix_path.empty()) return Socket::ConnectUnix(address.unix_path, deadline);
  TOCSIN_ASSIGN_OR_RETURN(auto addresses, Resolve(address.host, address.port, deadline));
  return Socket::ConnectTcp(addresses, deadline);
}

}  // namespace

Result<std::unique_ptr<Stream>> OpenStream(const RedisAddress& address, const Deadline& deadline) {
  TOCSIN_ASSIGN_OR_RETURN(Socket socket, Connect(address, deadline));
  std::unique_ptr<Stream> stream = PlainStream(std::move(socket));
  if (!address.use_tls) return stream;
  return StartTls(std::move(stream), address.tls, address.host, deadline);
}

}  // namespace tocsin::collectors::redis
