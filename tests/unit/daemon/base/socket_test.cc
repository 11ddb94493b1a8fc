#include "daemon/base/socket.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <latch>
#include <string>
#include <thread>

namespace {

// What the resolver of this program does for the name "silent.test".
std::atomic<int> lookups_of_silent{0};
std::latch silent_may_answer{1};

}  // namespace

// Stands before the C library's, so that a resolver that never answers can be
// had without touching the machine's.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** result) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static auto next = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
  bool numeric = hints != nullptr && (hints->ai_flags & AI_NUMERICHOST) != 0;
  if (node != nullptr && !numeric && std::string(node) == "silent.test") {
    ++lookups_of_silent;
    silent_may_answer.wait();
    return EAI_NONAME;
  }
  if (node != nullptr && !numeric && std::string(node) == "missing.test") return EAI_NONAME;
  return next(node, service, hints, result);
}

namespace tocsin {
namespace {

using namespace std::chrono_literals;

class SocketTest : public ::testing::Test {
 protected:
  Deadline In(Millis span, std::stop_token stop = {}) {
    return Deadline(clock_, clock_.SteadyNow() + span, std::move(stop));
  }

  // A listening TCP socket on a free loopback port.
  struct Listener {
    explicit Listener(int backlog = 8) {
      fd = socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      socklen_t size = sizeof address;
      EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
      EXPECT_EQ(listen(fd, backlog), 0);
      EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
      port = ntohs(address.sin_port);
    }
    ~Listener() { Close(); }
    void Close() {
      if (fd >= 0) close(fd);
      fd = -1;
    }
    int fd = -1;
    std::uint16_t port = 0;
  };

  SystemClock clock_;
};

TEST_F(SocketTest, NumericAddressesAndLocalhostNeedNoResolver) {
  auto v4 = Resolve("127.0.0.1", 6379, In(20s));
  ASSERT_TRUE(v4.ok()) << v4.error().message;
  EXPECT_EQ(v4->front().text, "127.0.0.1");
  auto v6 = Resolve("::1", 6379, In(20s));
  ASSERT_TRUE(v6.ok()) << v6.error().message;
  EXPECT_EQ(v6->front().text, "::1");
  auto local = Resolve("LocalHost", 6379, In(20s));
  ASSERT_TRUE(local.ok()) << local.error().message;
  EXPECT_EQ(local->back().text, "127.0.0.1");
}

TEST_F(SocketTest, UnknownNameIsNotFound) {
  auto addresses = Resolve("missing.test", 1, In(5s));
  ASSERT_FALSE(addresses.ok());
  EXPECT_EQ(addresses.error().code, ErrorCode::kNotFound) << addresses.error().message;
}

TEST_F(SocketTest, ResolverThatNeverAnswersEndsAtTheDeadlineAndIsAskedOnce) {
  auto started = clock_.SteadyNow();
  for (int attempt = 0; attempt < 3; ++attempt) {
    auto addresses = Resolve("silent.test", 1, In(100ms));
    ASSERT_FALSE(addresses.ok());
    EXPECT_EQ(addresses.error().code, ErrorCode::kDeadlineExceeded);
    EXPECT_EQ(addresses.error().message, "deadline passed while resolving \"silent.test\"");
  }
  EXPECT_LT(clock_.SteadyNow() - started, 20s);
  EXPECT_EQ(lookups_of_silent, 1);

  std::stop_source stop;
  std::thread stopper([&stop] { stop.request_stop(); });
  auto stopped = Resolve("silent.test", 1, In(1min, stop.get_token()));
  stopper.join();
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);

  silent_may_answer.count_down();
  auto answered = Resolve("silent.test", 1, In(10s));
  ASSERT_FALSE(answered.ok());
  EXPECT_EQ(answered.error().code, ErrorCode::kNotFound);
}

TEST_F(SocketTest, RefusedConnectionSaysSo) {
  Listener listener;
  std::uint16_t port = listener.port;
  listener.Close();
  auto addresses = Resolve("127.0.0.1", port, In(20s));
  ASSERT_TRUE(addresses.ok());
  auto socket = Socket::ConnectTcp(*addresses, In(20s));
  ASSERT_FALSE(socket.ok());
  EXPECT_EQ(socket.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(socket.error().message, "cannot connect: Connection refused");
}

TEST_F(SocketTest, SecondAddressIsTriedWhenTheFirstRefuses) {
  Listener listener;
  auto addresses = Resolve("localhost", listener.port, In(20s));
  ASSERT_TRUE(addresses.ok());
  auto socket = Socket::ConnectTcp(*addresses, In(20s));
  EXPECT_TRUE(socket.ok()) << socket.error().message;
}

TEST_F(SocketTest, SilentPeerEndsTheReadAtTheDeadline) {
  Listener listener;
  auto addresses = Resolve("127.0.0.1", listener.port, In(20s));
  auto socket = Socket::ConnectTcp(*addresses, In(20s));
  ASSERT_TRUE(socket.ok()) << socket.error().message;
  char buffer[16];
  auto read = socket->Read(buffer, sizeof buffer, In(50ms));
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(read.error().message, "deadline passed while reading the answer");
  EXPECT_FALSE(socket->HasInput());
}

TEST_F(SocketTest, PeerThatNeverReadsEndsTheWriteAtTheDeadline) {
  Listener listener;
  auto addresses = Resolve("127.0.0.1", listener.port, In(20s));
  auto socket = Socket::ConnectTcp(*addresses, In(20s));
  ASSERT_TRUE(socket.ok()) << socket.error().message;
  auto written = socket->Write(std::string(64 << 20, 'x'), In(100ms));
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, ErrorCode::kDeadlineExceeded);
}

TEST_F(SocketTest, RequestToStopEndsAWait) {
  Listener listener;
  auto addresses = Resolve("127.0.0.1", listener.port, In(20s));
  auto socket = Socket::ConnectTcp(*addresses, In(20s));
  ASSERT_TRUE(socket.ok()) << socket.error().message;
  std::stop_source stop;
  std::thread stopper([&stop] { stop.request_stop(); });
  char buffer[16];
  auto started = clock_.SteadyNow();
  auto read = socket->Read(buffer, sizeof buffer, In(1min, stop.get_token()));
  stopper.join();
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, ErrorCode::kCancelled);
  EXPECT_LT(clock_.SteadyNow() - started, 30s);
}

TEST_F(SocketTest, ClosedPeerShowsAsInput) {
  Listener listener;
  auto addresses = Resolve("127.0.0.1", listener.port, In(20s));
  auto socket = Socket::ConnectTcp(*addresses, In(20s));
  ASSERT_TRUE(socket.ok()) << socket.error().message;
  int peer = accept(listener.fd, nullptr, nullptr);
  ASSERT_GE(peer, 0);
  close(peer);
  char buffer[16];
  auto read = socket->Read(buffer, sizeof buffer, In(5s));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, 0U);
  EXPECT_TRUE(socket->HasInput());
}

TEST_F(SocketTest, UnixSocketsAreReachedByPath) {
  std::string path = ::testing::TempDir() + "tocsin_socket_test_" + std::to_string(getpid());
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  EXPECT_TRUE(Socket::ConnectUnix(path, In(20s)).ok());
  close(listener);
  unlink(path.c_str());
  EXPECT_EQ(Socket::ConnectUnix(path, In(20s)).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(Socket::ConnectUnix(std::string(200, 'x'), In(20s)).error().code,
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace tocsin
