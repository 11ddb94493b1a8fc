#include "tests/support/flooding_postgres.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace tocsin::testing {
namespace {

constexpr std::size_t kTextBytes = 64;
constexpr int kStopCheckMillis = 10;
constexpr std::size_t kPieceBytes = 1 << 20;
constexpr std::uint32_t kRowBytes = 512 << 20;

bool Wait(int fd, short what, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd waited{fd, what, 0};
    if (poll(&waited, 1, kStopCheckMillis) > 0) return true;
  }
  return false;
}

std::string Number(std::uint32_t value, int bytes) {
  std::string out;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
  return out;
}

// A message of the protocol: its type, its length, its body.
std::string Message(char type, const std::string& body) {
  return std::string(1, type) + Number(static_cast<std::uint32_t>(body.size() + 4), 4) + body;
}

std::string Setting(const std::string& name, const std::string& value) {
  return Message('S', name + '\0' + value + '\0');
}

// One column "a" of type text.
std::string RowDescription() {
  return Message('T', Number(1, 2) + std::string("a\0", 2) + Number(0, 4) + Number(0, 2) +
                          Number(25, 4) + Number(0xffff, 2) + Number(0xffffffff, 4) + Number(0, 2));
}

std::string Row(const std::string& value) {
  return Message('D', Number(1, 2) + Number(static_cast<std::uint32_t>(value.size()), 4) + value);
}

}  // namespace

FloodingPostgres::FloodingPostgres(Flood flood) : flood_(flood) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  EXPECT_EQ(listen(listener_, 8), 0);
  thread_ = std::jthread([this](std::stop_token stop) { Serve(stop); });
}

FloodingPostgres::~FloodingPostgres() {
  thread_.request_stop();
  thread_.join();
  close(listener_);
}

std::string FloodingPostgres::Dsn() const {
  return "host=127.0.0.1 port=" + std::to_string(port_) + " sslmode=disable user=x";
}

void FloodingPostgres::Serve(const std::stop_token& stop) {
  while (Wait(listener_, POLLIN, stop)) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) continue;
    Talk(client, stop);
    close(client);
  }
}

bool FloodingPostgres::Send(int client, const std::string& bytes, const std::stop_token& stop) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    if (!Wait(client, POLLOUT, stop)) return false;
    const auto count = send(client, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EAGAIN) continue;
    if (count <= 0) return false;
    sent += static_cast<std::size_t>(count);
    bytes_sent_ += count;
  }
  return true;
}

std::string FloodingPostgres::EndlessPart() const {
  std::string piece;
  if (flood_ == Flood::kOneRow) {
    piece.assign(kPieceBytes, 'x');
    return piece;
  }
  const std::string one = flood_ == Flood::kRows
                              ? Row(std::string(kTextBytes, 'x'))
                              : Message('N', std::string("SNOTICE\0C00000\0Mhello\0\0", 23));
  while (piece.size() < kPieceBytes) piece += one;
  return piece;
}

void FloodingPostgres::Talk(int client, const std::stop_token& stop) {
  char bytes[4096];
  if (!Wait(client, POLLIN, stop) || read(client, bytes, sizeof bytes) <= 0) return;
  const std::string login = Message('R', Number(0, 4)) + Setting("server_version", "15.0") +
                            Setting("client_encoding", "UTF8") +
                            Setting("standard_conforming_strings", "on") +
                            Message('K', Number(1, 4) + Number(2, 4)) + Message('Z', "I");
  if (!Send(client, login, stop)) return;
  if (!Wait(client, POLLIN, stop) || read(client, bytes, sizeof bytes) <= 0) return;
  std::string begin = RowDescription();
  // A row longer than anybody should wait for.
  if (flood_ == Flood::kOneRow) {
    begin += 'D' + Number(kRowBytes, 4) + Number(1, 2) + Number(kRowBytes - 10, 4);
  }
  if (!Send(client, begin, stop)) return;
  const std::string piece = EndlessPart();
  while (Send(client, piece, stop)) {
  }
}

}  // namespace tocsin::testing
