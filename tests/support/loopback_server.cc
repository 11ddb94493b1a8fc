#include "tests/support/loopback_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "daemon/base/check.h"

namespace tocsin::testing {
namespace {

// A socket that is bound there; -1 if that is not to be had.
int BindTo(const LoopbackServer::Place& place) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(place.port));
  TOCSIN_CHECK(inet_pton(AF_INET, place.address.c_str(), &address.sin_addr) == 1);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  // A named port may still have connections of an earlier server that wait to be forgotten.
  if (place.port != 0) setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return socket;
  close(socket);
  return -1;
}

}  // namespace

LoopbackServer::LoopbackServer(Place place) : listener_(BindTo(place)) {
  TOCSIN_CHECK(listener_ >= 0);
  TOCSIN_CHECK(listen(listener_, 4096) == 0);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  TOCSIN_CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
}

bool LoopbackServer::MayListen(const Place& place) {
  const int socket = BindTo(place);
  if (socket >= 0) close(socket);
  return socket >= 0;
}

void LoopbackServer::Start(Serve serve) {
  serve_ = std::move(serve);
  acceptor_ = std::thread([this] { AcceptAll(); });
}

void LoopbackServer::AcceptAll() {
  while (!stopping_) {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;  // Stop() shut the listener down.
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ++accepted_;
    MutexLock lock(mutex_);
    for (auto it = connections_.begin(); it != connections_.end();) {
      if (!it->ended) {
        ++it;
        continue;
      }
      it->thread.join();
      close(it->socket);
      it = connections_.erase(it);
    }
    auto& connection = connections_.emplace_back();
    connection.socket = socket;
    connection.thread = std::thread([this, &connection] {
      serve_(connection.socket);
      shutdown(connection.socket, SHUT_RDWR);
      connection.ended = true;
    });
  }
}

void LoopbackServer::Stop() {
  if (listener_ < 0) return;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  shutdown(listener_, SHUT_RDWR);
  if (acceptor_.joinable()) acceptor_.join();
  close(std::exchange(listener_, -1));
  std::list<Connection> connections;
  {
    MutexLock lock(mutex_);
    connections.swap(connections_);
  }
  for (Connection& connection : connections) {
    shutdown(connection.socket, SHUT_RDWR);
    connection.thread.join();
    close(connection.socket);
  }
}

void LoopbackServer::WaitToStop() const {
  MutexLock lock(mutex_);
  while (!stopping_) stopped_.wait(mutex_);
}

bool LoopbackServer::Pause(Millis span) const {
  const auto until = std::chrono::steady_clock::now() + span;
  MutexLock lock(mutex_);
  while (!stopping_ && stopped_.wait_until(mutex_, until) != std::cv_status::timeout) {
  }
  return !stopping_;
}

}  // namespace tocsin::testing
