#include "tests/support/faulty_relay.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/check.h"

namespace tocsin::testing {
namespace {

using Fault = FaultyRelay::Fault;

constexpr int kStopCheckMillis = 10;
constexpr std::size_t kPieceBytes = 64 << 10;

// Neither a startup message, nor a Redis reply, nor HTTP; long lengths in front, so
// that a reader who believes them waits for gigabytes.
constexpr std::string_view kNonsense = "\x7f\x7f\xff\xfe ~nonsense~ \x01\x7f\xff\xff\xff\r\n\r\n";

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// -1 if the server does not listen.
int Connect(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// What can be read now; empty at the end of the connection.
std::string_view Receive(int fd, std::vector<char>& buffer) {
  const auto got = recv(fd, buffer.data(), buffer.size(), 0);
  return got <= 0 ? std::string_view() : std::string_view(buffer.data(), std::size_t(got));
}

}  // namespace

FaultyRelay::FaultyRelay(int server_port) : server_port_(server_port) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  TOCSIN_CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  TOCSIN_CHECK(listen(listener_, 64) == 0);
  TOCSIN_CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread([this](const std::stop_token& stop) { Accept(stop); });
}

FaultyRelay::~FaultyRelay() {
  thread_.request_stop();
  thread_.join();
  close(listener_);
}

void FaultyRelay::Accept(const std::stop_token& stop) {
  std::vector<std::jthread> connections;
  while (!stop.stop_requested()) {
    pollfd waited{listener_, POLLIN, 0};
    if (poll(&waited, 1, kStopCheckMillis) <= 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    connections.emplace_back([this, client, stop] { Serve(client, stop); });
  }
}

void FaultyRelay::Serve(int client, const std::stop_token& stop) {
  const int server = Connect(server_port_);
  if (server >= 0) {
    const Fault fault = Pass(client, server, stop);
    if (fault != Fault::kNone) {
      ++victims_;
      Suffer(fault, client, server, stop);
    }
    close(server);
  }
  close(client);
}

// Passes bytes until one side closes (kNone) or the relay is sick.
Fault FaultyRelay::Pass(int client, int server, const std::stop_token& stop) {
  std::vector<char> buffer(kPieceBytes);
  while (!stop.stop_requested()) {
    if (const Fault fault = fault_; fault != Fault::kNone) return fault;
    pollfd waited[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    if (poll(waited, 2, kStopCheckMillis) <= 0) continue;
    if (const Fault fault = fault_; fault != Fault::kNone) return fault;
    for (const auto& [from, to] : {std::pair(0, server), std::pair(1, client)}) {
      if (waited[from].revents == 0) continue;
      const auto piece = Receive(waited[from].fd, buffer);
      if (piece.empty() || !SendAll(to, piece)) return Fault::kNone;
    }
  }
  return Fault::kNone;
}

void FaultyRelay::Suffer(Fault fault, int client, int server, const std::stop_token& stop) {
  std::vector<char> buffer(kPieceBytes);
  while (!stop.stop_requested()) {
    pollfd waited[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    if (poll(waited, 2, kStopCheckMillis) <= 0) continue;
    if (waited[0].revents != 0) {
      const auto asked = Receive(client, buffer);
      if (asked.empty()) return;
      if (fault == Fault::kNonsense && !SendAll(client, kNonsense)) return;
      if (fault != Fault::kNonsense && !SendAll(server, asked)) return;
    }
    if (waited[1].revents == 0) continue;
    const auto answer = Receive(server, buffer);
    if (answer.empty()) return;
    if (fault == Fault::kCut) {
      SendAll(client, answer.substr(0, 1));
      return;
    }
    for (std::size_t i = 0; fault == Fault::kDrip && i < answer.size(); ++i) {
      if (stop.stop_requested() || !SendAll(client, answer.substr(i, 1))) return;
      std::this_thread::sleep_for(kBetweenBytes);
    }
  }
}

}  // namespace tocsin::testing
