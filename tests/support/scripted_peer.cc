#include "tests/support/scripted_peer.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

namespace tocsin::testing {
namespace {

constexpr int kStopCheckMillis = 10;

bool WaitReadable(int fd, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd waited{fd, POLLIN, 0};
    if (poll(&waited, 1, kStopCheckMillis) > 0) return true;
  }
  return false;
}

}  // namespace

ScriptedPeer::ScriptedPeer(PeerScript script) : script_(std::move(script)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listener_, 8), 0);
  EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread([this](std::stop_token stop) { Serve(std::move(stop)); });
}

ScriptedPeer::~ScriptedPeer() {
  thread_.request_stop();
  thread_.join();
  close(listener_);
}

void ScriptedPeer::Serve(std::stop_token stop) {
  std::vector<std::jthread> clients;
  while (WaitReadable(listener_, stop)) {
    int client = accept(listener_, nullptr, nullptr);
    if (client < 0) continue;
    ++connections_;
    clients.emplace_back([this, client, stop] {
      Answer(client, stop);
      close(client);
    });
  }
}

void ScriptedPeer::Answer(int client, const std::stop_token& stop) {
  if (!script_.answer_at_once && !WaitReadable(client, stop)) return;
  std::size_t step = script_.between_bytes.count() > 0 ? 1 : script_.answer.size();
  do {
    for (std::size_t at = 0; at < script_.answer.size() && !stop.stop_requested(); at += step) {
      if (send(client, script_.answer.data() + at, step, MSG_NOSIGNAL) < 0) return;
      if (script_.between_bytes.count() > 0) std::this_thread::sleep_for(script_.between_bytes);
    }
  } while (script_.repeat && !stop.stop_requested());
  if (script_.close_after) return;
  char buffer[1024];
  while (WaitReadable(client, stop)) {
    if (recv(client, buffer, sizeof buffer, 0) <= 0) return;
  }
}

}  // namespace tocsin::testing
