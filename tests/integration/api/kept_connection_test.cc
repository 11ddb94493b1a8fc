// A client that keeps its connection, as Grafana and promtool do.

#include <gtest/gtest.h>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "daemon/api/http_server.h"
#include "tests/support/daemon_process.h"

namespace tocsin {
namespace {

constexpr int kWorkers = api::HttpServer::kWorkers;

class Connection {
 public:
  explicit Connection(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The whole answer, which is small; empty if the server has closed or is silent.
  std::string Ask() {
    constexpr std::string_view kRequest = "GET /-/healthy HTTP/1.1\r\nHost: tocsin\r\n\r\n";
    if (::send(fd_, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) < 0) return "";
    pollfd waits{fd_, POLLIN, 0};
    if (::poll(&waits, 1, 10'000) <= 0) return "";
    std::string answer(4096, ' ');
    answer.resize(static_cast<std::size_t>(
        std::max<ssize_t>(0, ::recv(fd_, answer.data(), answer.size(), 0))));
    return answer;
  }

 private:
  const int fd_;
};

TEST(KeptConnectionTest, ManyRequestsGoOverOneConnection) {
  const auto daemon = testing::DaemonProcess::Start("host: [ { name: self } ]");
  ASSERT_TRUE(daemon.ok()) << daemon.error().message;
  Connection connection((*daemon)->port());
  for (int request = 0; request < 300; ++request) {
    const std::string answer = connection.Ask();
    ASSERT_NE(answer.find(" 200 OK"), answer.npos) << "request " << request;
    ASSERT_EQ(answer.find("Connection: close"), answer.npos) << "request " << request;
  }
}

// Every worker has a connection that never rests: who comes then gets the next worker
// that has answered.
TEST(KeptConnectionTest, BusyConnectionsMakeRoomForOneThatWaits) {
  const auto daemon = testing::DaemonProcess::Start("host: [ { name: self } ]");
  ASSERT_TRUE(daemon.ok()) << daemon.error().message;
  std::atomic<bool> stop = false;
  std::atomic<int> asking = 0;
  std::vector<std::thread> busy;
  for (int i = 0; i < kWorkers; ++i) {
    busy.emplace_back([&, i] {
      Connection connection((*daemon)->port());
      for (bool first = true; !stop && !connection.Ask().empty(); first = false) {
        if (first) ++asking;
        std::this_thread::sleep_for(std::chrono::milliseconds(20 + i));
      }
    });
  }
  EXPECT_TRUE(testing::WaitUntil([&] { return asking == kWorkers; }));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_NE(Connection((*daemon)->port()).Ask(), "");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  stop = true;
  for (std::thread& thread : busy) thread.join();
}

// The head and the body of an answer leave apart; with Nagle's algorithm the body waits
// for the client's delayed acknowledgement of the head, 40 ms.
TEST(KeptConnectionTest, ASmallAnswerDoesNotWaitForAnAcknowledgement) {
  const auto daemon = testing::DaemonProcess::Start("host: [ { name: self } ]");
  ASSERT_TRUE(daemon.ok()) << daemon.error().message;
  constexpr int kRequests = 60;
  std::vector<double> seconds;
  for (int i = 0; i < kRequests; ++i) {
    const HttpResponse response = (*daemon)->Get("/api/v1/query?query=1");
    ASSERT_EQ(response.status, 200);
    seconds.push_back(response.duration_seconds);
  }
  std::sort(seconds.begin(), seconds.end());
  EXPECT_LT(seconds[kRequests / 2], 0.02);
}

}  // namespace
}  // namespace tocsin
