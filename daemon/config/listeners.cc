#include "daemon/config/listeners.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "daemon/base/host_port.h"
#include "daemon/base/text.h"

namespace tocsin::config {
namespace {

constexpr std::size_t kMaxProcesses = 50'000;           // Looked at.
constexpr std::size_t kMaxServerProcesses = 64;         // Looked into.
constexpr std::size_t kMaxDescriptors = 1024;           // Of one; sockets that listen come first.
constexpr std::uint64_t kAcceptsConnections = 0x10000;  // __SO_ACCEPTCON in /proc/net/unix.

struct Program {
  std::string_view name;
  std::string_view kind;
};
constexpr Program kPrograms[] = {{"postgres", "postgres"},
                                 {"postmaster", "postgres"},
                                 {"pgbouncer", "pgbouncer"},
                                 {"redis-server", "redis"},
                                 {"valkey-server", "redis"}};

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t begin = line.find_first_not_of(" \t", at);
    if (begin == line.npos) break;
    const std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    at = end;
  }
  return words;
}

template <class Take>
void ForEachLine(std::string_view text, Take take) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    take(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::optional<std::uint64_t> Hex(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The kernel prints each 32-bit word as the machine keeps it in memory.
std::string AddressText(std::string_view hex) {
  std::array<unsigned char, 16> bytes{};
  if (hex.size() != 8 && hex.size() != 32) return {};
  for (std::size_t word = 0; word < hex.size() / 8; ++word) {
    const auto value = Hex(hex.substr(word * 8, 8));
    if (!value) return {};
    const auto number = static_cast<std::uint32_t>(*value);
    std::memcpy(bytes.data() + word * 4, &number, sizeof number);
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(hex.size() == 8 ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
  return text.data();
}

bool IsPid(std::string_view name) {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string ReadSmall(FileSystem& files, const std::string& path) {
  constexpr std::int64_t kMostBytes = 64 << 10;
  auto text = files.Read(path, kMostBytes);
  return text.ok() ? *std::move(text) : std::string();
}

// PostgreSQL's processes have one parent, which holds the sockets.
std::string ParentOf(FileSystem& files, const std::string& folder) {
  std::string parent;
  ForEachLine(ReadSmall(files, folder + "/status"), [&](std::string_view line) {
    if (line.starts_with("PPid:")) parent = TrimSpace(line.substr(5));
  });
  return parent;
}

std::set<std::uint64_t> OpenInodes(FileSystem& files, const std::string& folder, bool& seen) {
  std::set<std::uint64_t> inodes;
  auto names = files.List(folder + "/fd");
  seen = names.ok();
  if (!seen) return inodes;
  std::sort(names->begin(), names->end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;  // As numbers.
  });
  if (names->size() > kMaxDescriptors) names->resize(kMaxDescriptors);
  for (const std::string& name : *names) {
    // Following the link leads to the socket, whose inode is the number in /proc/net.
    const auto status = files.Status(folder + "/fd/" + name);
    if (status.ok() && status->size_bytes == 0) inodes.insert(status->inode);
  }
  return inodes;
}

}  // namespace

std::string_view KindOfProgram(std::string_view name) {
  for (const Program& program : kPrograms) {
    if (program.name == name) return program.kind;
  }
  return {};
}

int PortInTitle(std::string_view title) {
  const auto words = Words(title);
  for (std::size_t i = 1; i < words.size(); ++i) {
    const auto colon = words[i].rfind(':');
    if (colon == std::string_view::npos) continue;
    if (const auto port = ParsePort(words[i].substr(colon + 1))) return *port;
  }
  return 0;
}

std::string SocketInTitle(std::string_view title) {
  constexpr std::string_view kPrefix = "unixsocket:";
  for (const std::string_view word : Words(title)) {
    if (word.starts_with(kPrefix)) return std::string(word.substr(kPrefix.size()));
  }
  return {};
}

std::vector<TcpListener> ParseTcpListeners(std::string_view text) {
  std::vector<TcpListener> listeners;
  ForEachLine(text, [&](std::string_view line) {
    const auto words = Words(line);  // sl local remote state … uid timeout inode
    if (words.size() < 10 || words[3] != "0A") return;
    const auto colon = words[1].find(':');
    if (colon == std::string_view::npos) return;
    const auto port = Hex(words[1].substr(colon + 1));
    const auto owner = ParseInt(words[7]);
    const auto inode = ParseInt(words[9]);
    std::string address = AddressText(words[1].substr(0, colon));
    if (!port || !owner || !inode || address.empty()) return;
    listeners.push_back({std::move(address), static_cast<int>(*port),
                         static_cast<std::uint64_t>(*inode), static_cast<std::uint32_t>(*owner)});
  });
  return listeners;
}

std::vector<UnixListener> ParseUnixListeners(std::string_view text) {
  std::vector<UnixListener> listeners;
  ForEachLine(text, [&](std::string_view line) {
    const auto words = Words(line);  // num refs protocol flags type state inode path
    if (words.size() < 8) return;
    const auto flags = Hex(words[3]);
    const auto inode = ParseInt(words[6]);
    if (!flags || (*flags & kAcceptsConnections) == 0 || !inode) return;
    const std::string_view path =
        line.substr(static_cast<std::size_t>(words[7].data() - line.data()));
    if (!path.starts_with('/')) return;
    listeners.push_back({std::string(path), static_cast<std::uint64_t>(*inode)});
  });
  return listeners;
}

std::vector<ServerProcess> FindServerProcesses(const std::string& proc, FileSystem& files,
                                               const Deadline& deadline,
                                               std::vector<std::string>& left_out) {
  std::vector<ServerProcess> found;
  const auto names = files.List(proc);
  if (!names.ok()) {
    left_out.push_back("processes: " + names.error().message);
    return found;
  }
  std::size_t looked_at = 0;
  for (const std::string& pid : *names) {
    if (!IsPid(pid)) continue;
    if (++looked_at > kMaxProcesses || deadline.Left() == Millis(0)) {
      left_out.push_back("processes beyond the first " + std::to_string(looked_at - 1));
      break;
    }
    const std::string folder = proc + "/" + pid;
    const std::string_view kind = KindOfProgram(TrimSpace(ReadSmall(files, folder + "/comm")));
    if (kind.empty()) continue;
    const std::string parent = ParentOf(files, folder);
    const auto parent_kind =
        KindOfProgram(TrimSpace(ReadSmall(files, proc + "/" + parent + "/comm")));
    if (!parent.empty() && parent_kind == kind) continue;
    if (found.size() == kMaxServerProcesses) {
      left_out.push_back("servers' processes beyond the first " +
                         std::to_string(kMaxServerProcesses));
      break;
    }
    ServerProcess process;
    process.kind = kind;
    process.title = ReadSmall(files, folder + "/cmdline");
    std::replace(process.title.begin(), process.title.end(), '\0', ' ');
    if (process.title.find("[sentinel]") != process.title.npos) continue;  // Holds no data.
    process.inodes = OpenInodes(files, folder, process.sockets_seen);
    found.push_back(std::move(process));
  }
  return found;
}

}  // namespace tocsin::config
