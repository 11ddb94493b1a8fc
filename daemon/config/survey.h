#pragma once

// Which PostgreSQL, PgBouncer and Redis servers listen on this host: read from /proc
// (listening sockets, the processes they belong to) and the usual folders of sockets,
// without sending anybody a byte. Bounded in time and in number.
//
// With the rights to see other users' descriptors (root, or the servers' own user) a
// server is found by its process, on whatever port it listens. Without them it is
// known by its socket's name (.s.PGSQL.5432), by the title of its process
// ("redis-server *:6379") or by its default port.

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/deadline.h"
#include "daemon/base/file_system.h"

namespace tocsin::config {

struct FoundServer {
  std::string kind;     // "postgres", "pgbouncer" or "redis".
  std::string socket;   // Folder of its unix socket; of Redis the socket itself; empty: none.
  std::string host;     // Address it listens on, reachable from here; empty: no TCP.
  int port = 0;         // Also in the name of a PostgreSQL socket; 0: only a Redis socket.
  bool listens = true;  // Otherwise a socket was found whose server is not in sight.
  // Every socket of it belongs to a user of the system or to this process' own. Anybody
  // may listen and call himself a server: others are never shown a password.
  bool is_trusted = true;

  std::string Name() const;     // "postgres-5432", "redis-6379", "redis-run-redis.sock".
  std::string Address() const;  // "/var/run/postgresql:5432", "127.0.0.1:6379".
};

struct Survey {
  std::vector<FoundServer> servers;   // By kind, then port.
  std::vector<std::string> left_out;  // What a limit or a missing right kept from being seen.
};

struct SurveyPlaces {
  std::string proc = "/proc";
  std::vector<std::string> socket_folders = {"/var/run/postgresql", "/tmp"};
  std::vector<std::string> redis_sockets = {"/var/run/redis/*.sock", "/var/run/redis.sock"};
};

inline constexpr std::size_t kMaxFoundServers = 32;

Survey SurveyHost(const SurveyPlaces& places, FileSystem& files, const Deadline& deadline);

}  // namespace tocsin::config
