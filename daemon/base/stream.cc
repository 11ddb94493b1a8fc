#include "daemon/base/stream.h"

#include <utility>

namespace tocsin {
namespace {

class SocketStream : public Stream {
 public:
  explicit SocketStream(Socket socket) : socket_(std::move(socket)) {}

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

}  // namespace

std::unique_ptr<Stream> PlainStream(Socket socket) {
  return std::make_unique<SocketStream>(std::move(socket));
}

}  // namespace tocsin
