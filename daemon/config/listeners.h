#pragma once

// Sockets that listen, and the processes of servers we know, as /proc shows them.
// For survey.cc.

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/deadline.h"
#include "daemon/base/file_system.h"

namespace tocsin::config {

struct TcpListener {
  std::string address;  // As bound: "0.0.0.0", "::", "127.0.0.1".
  int port = 0;
  std::uint64_t inode = 0;
  std::uint32_t owner = 0;  // The user's number.
};

struct UnixListener {
  std::string path;  // Abstract ones are left out.
  std::uint64_t inode = 0;
};

// Lines of /proc/net/tcp and tcp6 in state LISTEN; others are passed over.
std::vector<TcpListener> ParseTcpListeners(std::string_view text);
// Lines of /proc/net/unix that accept connections.
std::vector<UnixListener> ParseUnixListeners(std::string_view text);

struct ServerProcess {
  std::string kind;   // "postgres", "pgbouncer" or "redis".
  std::string title;  // Its command line, words separated by blanks.
  bool sockets_seen = false;
  std::set<std::uint64_t> inodes;  // Of what it has open.
};

// The servers' main processes. What could not be looked at is said in `left_out`.
std::vector<ServerProcess> FindServerProcesses(const std::string& proc, FileSystem& files,
                                               const Deadline& deadline,
                                               std::vector<std::string>& left_out);

// Empty if the program is none of them: "postgres" for postgres and postmaster, …
std::string_view KindOfProgram(std::string_view name);

// The port in "/usr/bin/redis-server 127.0.0.1:6379"; 0 if there is none.
int PortInTitle(std::string_view title);

// The path in "redis-server unixsocket:/run/redis/redis.sock"; empty if there is none.
std::string SocketInTitle(std::string_view title);

}  // namespace tocsin::config
