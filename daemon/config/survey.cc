#include "daemon/config/survey.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>

#include "daemon/base/host_port.h"
#include "daemon/config/listeners.h"

namespace tocsin::config {
namespace {

constexpr int kPostgresPort = 5432;
constexpr int kPgbouncerPort = 6432;
constexpr int kRedisPort = 6379;
constexpr std::uint32_t kFirstPersonalUser = 1000;
// Sockets that listen come first in these files: more than this is connections.
constexpr std::int64_t kMaxTableBytes = 4 << 20;
constexpr std::string_view kSocketPrefix = ".s.PGSQL.";

std::string ReadTable(FileSystem& files, const std::string& path,
                      std::vector<std::string>& left_out) {
  auto file = files.Open(path);
  if (!file.ok()) {
    if (file.error().code != ErrorCode::kNotFound) left_out.push_back(file.error().message);
    return {};
  }
  auto text = (*file)->ReadAt(0, kMaxTableBytes);
  if (text.ok()) return *std::move(text);
  left_out.push_back(text.error().message);
  return {};
}

// Folder and port of "/var/run/postgresql/.s.PGSQL.5432".
std::optional<std::pair<std::string, int>> PostgresSocket(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == path.npos || path.compare(slash + 1, kSocketPrefix.size(), kSocketPrefix) != 0) {
    return std::nullopt;
  }
  const auto port = ParsePort(std::string_view(path).substr(slash + 1 + kSocketPrefix.size()));
  if (!port) return std::nullopt;
  return std::pair(path.substr(0, slash), static_cast<int>(*port));
}

std::string Reachable(const std::string& bound) {
  if (bound == "0.0.0.0") return "127.0.0.1";
  if (bound == "::" || bound == "::ffff:0.0.0.0") return "::1";
  if (bound.starts_with("::ffff:")) return bound.substr(7);
  return bound;
}

bool IsBetterHost(const std::string& candidate, const std::string& present) {
  return present.empty() || (candidate == "127.0.0.1" && present != candidate);
}

class Surveyor {
 public:
  Surveyor(const SurveyPlaces& places, FileSystem& files, const Deadline& deadline)
      : places_(places), files_(files), deadline_(deadline) {}

  Survey Run() {
    for (const char* table : {"/net/tcp", "/net/tcp6"}) {
      for (TcpListener& listener :
           ParseTcpListeners(ReadTable(files_, places_.proc + table, survey_.left_out))) {
        tcp_.push_back(std::move(listener));
      }
    }
    unix_ = ParseUnixListeners(ReadTable(files_, places_.proc + "/net/unix", survey_.left_out));
    processes_ = FindServerProcesses(places_.proc, files_, deadline_, survey_.left_out);
    // Seen in the kernel's table, but not from here: another /tmp, or a container's.
    std::erase_if(unix_, [&](const UnixListener& listener) {
      const auto status = files_.Status(listener.path);
      return !status.ok() && status.error().code == ErrorCode::kNotFound;
    });
    TakeOwned();
    TakeByName();
    TakeByTitle();
    TakeByPort();
    TakeFromFolders();
    Finish();
    return std::move(survey_);
  }

 private:
  using Key = std::pair<std::string, std::string>;  // Kind, and port or path.

  FoundServer& Server(const std::string& kind, int port, const std::string& path = {}) {
    FoundServer& server = found_[Key(kind, port != 0 ? std::to_string(port) : path)];
    server.kind = kind;
    server.port = port;
    return server;
  }

  // A port has one server, whatever is known of it first.
  bool IsTaken(int port) const {
    return std::any_of(found_.begin(), found_.end(),
                       [&](const auto& entry) { return entry.second.port == port; });
  }

  void AddTcp(const std::string& kind, const TcpListener& listener) {
    FoundServer& server = Server(kind, listener.port);
    const std::string host = Reachable(listener.address);
    if (IsBetterHost(host, server.host)) server.host = host;
    NoteOwner(server, listener.owner);
  }

  void AddUnix(const std::string& kind, const std::string& path, bool listens) {
    if (kind == "redis") {
      FoundServer& server = Server(kind, 0, path);
      server.socket = path;
      server.listens = listens;
      NoteOwnerOf(server, path);
      return;
    }
    const auto socket = PostgresSocket(path);
    if (!socket) return;
    FoundServer& server = Server(kind, socket->second);
    const bool usual = std::find(places_.socket_folders.begin(), places_.socket_folders.end(),
                                 socket->first) != places_.socket_folders.end();
    if (server.socket.empty() || usual) server.socket = socket->first;
    server.listens = listens;
    NoteOwnerOf(server, path);
  }

  static void NoteOwner(FoundServer& server, std::uint32_t owner) {
    const bool is_trusted = owner < kFirstPersonalUser || owner == geteuid();
    server.is_trusted = server.is_trusted && is_trusted;
  }
  void NoteOwnerOf(FoundServer& server, const std::string& path) {
    const auto status = files_.Status(path);
    if (status.ok()) NoteOwner(server, status->owner);
  }

  // By the process that has the socket open.
  void TakeOwned() {
    for (const ServerProcess& process : processes_) {
      if (process.kind == "redis") {
        TakeRedis(process);
        continue;
      }
      for (const TcpListener& listener : tcp_) {
        if (process.inodes.contains(listener.inode)) AddTcp(process.kind, listener);
      }
      for (const UnixListener& listener : unix_) {
        if (process.inodes.contains(listener.inode)) AddUnix(process.kind, listener.path, true);
      }
    }
  }

  // A Redis listens on more than one port (TLS, its cluster's bus): its title tells
  // the one for clients, else it is the lowest.
  void TakeRedis(const ServerProcess& process) {
    const int title_port = PortInTitle(process.title);
    const TcpListener* chosen = nullptr;
    for (const TcpListener& listener : tcp_) {
      if (!process.inodes.contains(listener.inode)) continue;
      if (chosen == nullptr || listener.port == title_port ||
          (chosen->port != title_port && listener.port < chosen->port)) {
        chosen = &listener;
      }
    }
    if (chosen != nullptr) {
      for (const TcpListener& listener : tcp_) {
        if (listener.port == chosen->port && process.inodes.contains(listener.inode)) {
          AddTcp("redis", listener);
        }
      }
      return;
    }
    for (const UnixListener& listener : unix_) {
      if (process.inodes.contains(listener.inode)) AddUnix("redis", listener.path, true);
    }
  }

  void TakeByTitle() {
    for (const ServerProcess& process : processes_) {
      if (process.sockets_seen || process.kind != "redis") continue;
      const int port = PortInTitle(process.title);
      if (IsTaken(port)) continue;  // Anybody may have such a title.
      for (const TcpListener& listener : tcp_) {
        if (listener.port == port) AddTcp("redis", listener);
      }
      const std::string path = SocketInTitle(process.title);
      for (const UnixListener& listener : unix_) {
        if (listener.path == path) AddUnix("redis", path, true);
      }
    }
  }

  // PostgreSQL keeps a lock file beside its socket, PgBouncer keeps none.
  std::string KindBySocket(const std::string& path) {
    const auto lock = files_.Status(path + ".lock");
    if (lock.ok()) return "postgres";
    if (lock.error().code == ErrorCode::kNotFound) return "pgbouncer";
    return PostgresSocket(path)->second == kPgbouncerPort ? "pgbouncer" : "postgres";
  }

  void TakeByName() {
    for (const UnixListener& listener : unix_) {
      const auto socket = PostgresSocket(listener.path);
      if (!socket || IsTaken(socket->second)) continue;
      const std::string kind = KindBySocket(listener.path);
      AddUnix(kind, listener.path, true);
      for (const TcpListener& tcp : tcp_) {
        if (tcp.port == socket->second) AddTcp(kind, tcp);
      }
    }
  }

  void TakeByPort() {
    constexpr std::pair<int, const char*> kDefaults[] = {
        {kPostgresPort, "postgres"}, {kPgbouncerPort, "pgbouncer"}, {kRedisPort, "redis"}};
    for (const auto& [port, kind] : kDefaults) {
      if (IsTaken(port)) continue;
      for (const TcpListener& listener : tcp_) {
        if (listener.port == port) AddTcp(kind, listener);
      }
    }
  }

  // Sockets whose server is elsewhere: in a container that shares the folder.
  void TakeFromFolders() {
    for (const std::string& folder : places_.socket_folders) {
      const auto paths = files_.Glob(folder + "/" + std::string(kSocketPrefix) + "*");
      if (!paths.ok()) continue;
      for (const std::string& path : *paths) {
        const auto socket = PostgresSocket(path);
        if (socket && !IsTaken(socket->second)) AddUnix(KindBySocket(path), path, false);
      }
    }
    const bool has_redis = std::any_of(found_.begin(), found_.end(), [](const auto& entry) {
      return entry.first.first == "redis";
    });
    if (has_redis) return;
    for (const std::string& pattern : places_.redis_sockets) {
      const auto paths = files_.Glob(pattern);
      if (!paths.ok()) continue;
      for (const std::string& path : *paths) {
        const bool listens = std::any_of(unix_.begin(), unix_.end(),
                                         [&](const UnixListener& one) { return one.path == path; });
        AddUnix("redis", path, listens);
      }
    }
  }

  void Finish() {
    for (auto& [key, server] : found_) survey_.servers.push_back(std::move(server));
    std::sort(survey_.servers.begin(), survey_.servers.end(), [](const auto& a, const auto& b) {
      return std::tie(a.kind, a.port, a.socket) < std::tie(b.kind, b.port, b.socket);
    });
    if (survey_.servers.size() > kMaxFoundServers) {
      survey_.left_out.push_back(std::to_string(survey_.servers.size() - kMaxFoundServers) +
                                 " servers beyond the first " + std::to_string(kMaxFoundServers) +
                                 ": name those to watch in a configuration file");
      survey_.servers.resize(kMaxFoundServers);
    }
  }

  const SurveyPlaces& places_;
  FileSystem& files_;
  const Deadline& deadline_;
  std::vector<TcpListener> tcp_;
  std::vector<UnixListener> unix_;
  std::vector<ServerProcess> processes_;
  std::map<Key, FoundServer> found_;
  Survey survey_;
};

}  // namespace

std::string FoundServer::Name() const {
  if (port != 0) return kind + "-" + std::to_string(port);
  std::string place = socket.substr(socket.find_first_not_of('/'));
  std::replace(place.begin(), place.end(), '/', '-');
  return kind + "-" + place;
}

std::string FoundServer::Address() const {
  if (port == 0) return socket;
  if (!socket.empty() && kind != "redis") return socket + ":" + std::to_string(port);
  return HostPortText(host, port);
}

Survey SurveyHost(const SurveyPlaces& places, FileSystem& files, const Deadline& deadline) {
  return Surveyor(places, files, deadline).Run();
}

}  // namespace tocsin::config
