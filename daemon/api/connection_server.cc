#include "daemon/api/connection_server.h"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <utility>

#include "daemon/api/connection_stream.h"
#include "daemon/api/http_server.h"

namespace tocsin::api {
namespace {

constexpr time_t kKeepAliveSeconds = 1;  // An idle connection holds a worker.
constexpr ConnectionStream::Limits kLimits{std::chrono::seconds(10), std::chrono::seconds(30)};

// Whether the answer that this thread gave last left some of its request unread. The
// library's handlers know no connection to say it to.
thread_local bool leaves_unread = false;

// The workers, and how many connections they have or are to have.
class Workers final : public httplib::ThreadPool {
 public:
  explicit Workers(std::atomic<int>& connections)
      : ThreadPool(HttpServer::kWorkers), connections_(connections) {}

  void enqueue(std::function<void()> serve) override {
    ++connections_;
    ThreadPool::enqueue([this, serve = std::move(serve)] {
      serve();
      --connections_;
    });
  }

 private:
  std::atomic<int>& connections_;
};

template <class Base>
class OnSocket : public Base {
 public:
  template <class... Args>
  explicit OnSocket(int fd, Args&&... args) : Base(std::forward<Args>(args)...) {
    this->svr_sock_ = fd;
    this->new_task_queue = [this] { return new Workers(connections_); };
  }

 protected:
  bool Serve(ConnectionStream& stream) {
    bool fine = true;
    bool closed = false;
    leaves_unread = false;
    for (std::size_t left = this->keep_alive_max_count_; fine && !closed && left > 0; --left) {
      if (!AwaitRequest(stream)) break;
      const bool last = left == 1 || connections_ > HttpServer::kWorkers;  // Others wait.
      fine = this->process_request(stream, last, closed, nullptr);
      fine = stream.Flush() && fine;
      closed = closed || last || leaves_unread;
    }
    stream.SayGoodbye();
    // To close with bytes unread would reset the connection, and the answer with it.
    if (leaves_unread) stream.Discard();
    return fine;
  }

 private:
  // In slices, so that Stop() need not wait for idle connections.
  bool AwaitRequest(ConnectionStream& stream) const {
    constexpr Millis kSlice{100};
    constexpr auto kSlices = std::chrono::seconds(kKeepAliveSeconds) / kSlice;
    for (int slice = 0; slice < kSlices; ++slice) {
      if (this->svr_sock_ == INVALID_SOCKET) return false;
      if (slice > 0 && connections_ > HttpServer::kWorkers) return false;  // Others wait.
      if (stream.WaitForRequest(kSlice)) return true;
    }
    return false;
  }

  std::atomic<int> connections_ = 0;
};

class PlainServer final : public OnSocket<httplib::Server> {
 public:
  using OnSocket::OnSocket;

 private:
  bool process_and_close_socket(socket_t fd) override {
    ConnectionStream stream(fd, kLimits);
    const bool fine = Serve(stream);
    close(fd);
    return fine;
  }
};

class TlsServer final : public OnSocket<httplib::SSLServer> {
 public:
  using OnSocket::OnSocket;

 private:
  bool process_and_close_socket(socket_t fd) override {
    SSL* const tls = SSL_new(ssl_context());
    bool fine = false;
    if (tls != nullptr) {
      ConnectionStream stream(fd, kLimits, tls);
      fine = stream.AcceptTls() && Serve(stream);
      SSL_free(tls);
    }
    close(fd);
    return fine;
  }
};

}  // namespace

std::unique_ptr<httplib::Server> MakeServer(int fd) {
  auto server = std::make_unique<PlainServer>(fd);
  server->set_keep_alive_timeout(kKeepAliveSeconds);
  return server;
}

std::unique_ptr<httplib::Server> MakeTlsServer(int fd, const std::string& cert_file,
                                               const std::string& key_file) {
  auto server = std::make_unique<TlsServer>(fd, cert_file.c_str(), key_file.c_str());
  if (!server->is_valid()) {
    close(fd);
    return nullptr;
  }
  server->set_keep_alive_timeout(kKeepAliveSeconds);
  return server;
}

void LeaveUnread() { leaves_unread = true; }

}  // namespace tocsin::api
