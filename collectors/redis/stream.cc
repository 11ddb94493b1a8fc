#include "collectors/redis/stream.h"

#include <utility>

namespace tocsin::collectors::redis {
namespace {

class PlainStream : public Stream {
 public:
  explicit PlainStream(Socket socket) : socket_(std::move(socket)) {}

  Result<std::size_t> Read(char* buffer, std::size_t size, const Deadline& deadline) override {
    return socket_.Read(buffer, size, deadline);
  }
  Result<> Write(std::string_view bytes, const Deadline& deadline) override {
    return socket_.Write(bytes, deadline);
  }
  bool HasInput() const override { return socket_.HasInput(); }

 private:
  Socket socket_;
};

Result<Socket> Connect(const RedisAddress& address, const Deadline& deadline) {
  if (!address.unix_path.empty()) return Socket::ConnectUnix(address.unix_path, deadline);
  TOCSIN_ASSIGN_OR_RETURN(auto addresses, Resolve(address.host, address.port, deadline));
  return Socket::ConnectTcp(addresses, deadline);
}

}  // namespace

Result<std::unique_ptr<Stream>> OpenStream(const RedisAddress& address, const Deadline& deadline) {
  TOCSIN_ASSIGN_OR_RETURN(Socket socket, Connect(address, deadline));
  if (address.use_tls) return StartTls(std::move(socket), address, deadline);
  return std::unique_ptr<Stream>(std::make_unique<PlainStream>(std::move(socket)));
}

}  // namespace tocsin::collectors::redis
