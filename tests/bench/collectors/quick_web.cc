#include "tests/bench/collectors/quick_web.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "daemon/base/check.h"

namespace tocsin::bench {
namespace {

constexpr int kBacklog = 4096;
constexpr int kStopCheckMillis = 100;
constexpr std::string_view kPage =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n"
    "Connection: close\r\n\r\n{\"status\":\"healthy\"}";

}  // namespace

QuickWeb::QuickWeb(int cpu)
    : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  TOCSIN_CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  TOCSIN_CHECK(listen(listener_, kBacklog) == 0);
  TOCSIN_CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener_;
  TOCSIN_CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event) == 0);
  thread_ = std::thread([this, cpu] { Run(cpu); });
}

QuickWeb::~QuickWeb() {
  stop_ = true;
  thread_.join();
  for (const auto& [peer, request] : requests_) close(peer);
  close(listener_);
  close(epoll_);
}

void QuickWeb::Run(int cpu) {
  if (cpu >= 0) {
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(cpu, &only);
    pthread_setaffinity_np(pthread_self(), sizeof only, &only);
  }
  std::array<epoll_event, 256> events;
  while (!stop_) {
    const int count = epoll_wait(epoll_, events.data(), events.size(), kStopCheckMillis);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == listener_) {
        Accept();
      } else {
        Answer(events[i].data.fd);
      }
    }
  }
}

void QuickWeb::Accept() {
  int peer;
  while ((peer = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = peer;
    TOCSIN_CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, peer, &event) == 0);
    requests_[peer].clear();
  }
}

void QuickWeb::Answer(int peer) {
  std::array<char, 4096> bytes;
  std::string& request = requests_[peer];
  const ssize_t got = recv(peer, bytes.data(), bytes.size(), 0);
  if (got > 0) {
    request.append(bytes.data(), static_cast<std::size_t>(got));
    if (request.find("\r\n\r\n") == std::string::npos || request.starts_with("GET /hung")) return;
    send(peer, kPage.data(), kPage.size(), MSG_NOSIGNAL);
  }
  requests_.erase(peer);
  close(peer);
}

}  // namespace tocsin::bench
