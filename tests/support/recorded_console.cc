#include "tests/support/recorded_console.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <optional>

namespace tocsin::testing {
namespace {

constexpr int kStopCheckMillis = 10;
constexpr std::uint32_t kSslRequest = 80877103;
constexpr std::uint32_t kMaxMessageBytes = 1 << 16;

std::string Int32(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string Int16(std::uint16_t value) { return Int32(value).substr(2); }

std::uint32_t ReadInt32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

std::string Message(char type, const std::string& body) {
  return type + Int32(static_cast<std::uint32_t>(body.size() + 4)) + body;
}

std::string Terminated(std::string text) { return text += '\0'; }

bool WaitReadable(int fd, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd waited{fd, POLLIN, 0};
    if (poll(&waited, 1, kStopCheckMillis) > 0) return true;
  }
  return false;
}

// Exactly `size` bytes, or nothing if the client went away.
std::optional<std::string> Read(int fd, std::size_t size, const std::stop_token& stop) {
  std::string bytes;
  while (bytes.size() < size) {
    char buffer[4096];
    if (!WaitReadable(fd, stop)) return std::nullopt;
    ssize_t count = recv(fd, buffer, std::min(sizeof buffer, size - bytes.size()), 0);
    if (count <= 0) return std::nullopt;
    bytes.append(buffer, static_cast<std::size_t>(count));
  }
  return bytes;
}

// A length and what follows it.
std::optional<std::string> ReadBody(int fd, const std::stop_token& stop) {
  auto length = Read(fd, 4, stop);
  if (!length.has_value()) return std::nullopt;
  std::uint32_t size = ReadInt32(*length);
  if (size < 4 || size > kMaxMessageBytes) return std::nullopt;
  return Read(fd, size - 4, stop);
}

void Send(int fd, const std::string& bytes) {
  EXPECT_EQ(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

std::string_view Trim(std::string_view text) {
  std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

}  // namespace

RecordedTable ParseRecordedTable(std::string_view text) {
  RecordedTable table;
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    std::size_t bar = line.find('|');
    if (line.starts_with("-[ RECORD")) {
      table.emplace_back();
    } else if (bar != std::string_view::npos && !table.empty()) {
      table.back().emplace_back(Trim(line.substr(0, bar)), Trim(line.substr(bar + 1)));
    }
  }
  return table;
}

RecordedConsole::RecordedConsole(std::map<std::string, RecordedTable> answers)
    : answers_(std::move(answers)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listener_, 8), 0);
  EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread([this](const std::stop_token& stop) { Serve(stop); });
}

RecordedConsole::~RecordedConsole() {
  thread_.request_stop();
  thread_.join();
  close(listener_);
}

void RecordedConsole::Serve(const std::stop_token& stop) {
  while (WaitReadable(listener_, stop)) {
    int client = accept(listener_, nullptr, nullptr);
    if (client < 0) continue;
    Talk(client, stop);
    close(client);
  }
}

void RecordedConsole::Talk(int client, const std::stop_token& stop) {
  const std::string ready = Message('Z', "I");
  auto startup = ReadBody(client, stop);
  if (startup.has_value() && ReadInt32(*startup) == kSslRequest) {
    Send(client, "N");
    startup = ReadBody(client, stop);
  }
  if (!startup.has_value()) return;
  Send(client, Message('R', Int32(0)) + ready);
  while (auto type = Read(client, 1, stop)) {
    auto body = ReadBody(client, stop);
    if (!body.has_value() || *type != "Q") return;
    Send(client, Answer(body->substr(0, body->find('\0'))) + ready);
  }
}

std::string RecordedConsole::Answer(const std::string& query) const {
  auto found = answers_.find(query);
  if (found == answers_.end()) {
    return Message('E', Terminated("SERROR") + Terminated("C42501") +
                            Terminated("Madmin access needed") + '\0');
  }
  const RecordedTable& table = found->second;
  std::string out;
  if (!table.empty()) {
    std::string columns = Int16(static_cast<std::uint16_t>(table[0].size()));
    for (const auto& [column, value] : table[0]) {
      // Table, attribute, type text, size, modifier, format text.
      columns += Terminated(column) + Int32(0) + Int16(0) + Int32(25) + Int16(0xFFFF) +
                 Int32(0xFFFFFFFF) + Int16(0);
    }
    out += Message('T', columns);
  }
  for (const RecordedRow& row : table) {
    std::string values = Int16(static_cast<std::uint16_t>(row.size()));
    for (const auto& [column, value] : row) {
      values += Int32(static_cast<std::uint32_t>(value.size())) + value;
    }
    out += Message('D', values);
  }
  return out + Message('C', Terminated("SHOW"));
}

}  // namespace tocsin::testing
