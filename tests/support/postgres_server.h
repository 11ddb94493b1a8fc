#pragma once

// A real PostgreSQL for one test: its cluster in a temporary folder, an
// unprivileged user, a free loopback port and a unix socket. The superuser
// "postgres" needs no password. Syncs are off: the data is worth nothing.
//
// Not thread-safe; a session belongs to one thread.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/result.h"
#include "tests/support/process.h"

struct pg_conn;

namespace tocsin::testing {

// A client's connection, for tests that need somebody else on the server.
class PostgresSession {
 public:
  using Row = std::vector<std::string>;  // NULL is an empty string.

  // `dsn` as libpq takes it.
  static Result<std::unique_ptr<PostgresSession>> Connect(const std::string& dsn);
  ~PostgresSession();
  PostgresSession(const PostgresSession&) = delete;
  PostgresSession& operator=(const PostgresSession&) = delete;

  // Runs one or more statements; the rows of the last.
  Result<std::vector<Row>> Execute(const std::string& sql);

  // Runs one statement through the extended protocol: it is parsed, bound and executed.
  Result<std::vector<Row>> ExecuteParameters(const std::string& sql,
                                             const std::vector<std::string>& parameters);

  // Starts a statement and does not wait (a lock that must wait, a long query).
  Result<> Send(const std::string& sql);
  // The result of what was sent.
  Result<std::vector<Row>> Receive();

  int backend_pid() const;

 private:
  explicit PostgresSession(pg_conn* connection) : connection_(connection) {}
  pg_conn* connection_;
};

struct PostgresServerOptions {
  // Lines of postgresql.conf: name and value, quoted as needed by the caller.
  std::vector<std::pair<std::string, std::string>> settings;
  // Put in the data folder, name and content; only the server's user may read them.
  std::vector<std::pair<std::string, std::string>> files;
  // Lines of pg_hba.conf put before those that trust everybody on this host.
  std::string hba;
  // Folder of initdb and postgres; empty: $TOCSIN_POSTGRES_BIN, or Debian's.
  std::string binaries;
  // The data folder of a stopped server to start from a copy of; empty: a new cluster.
  std::string cluster;
  // Makes it a standby: the primary's connection string.
  std::string standby_of;
};

// The folder of a major version's initdb and postgres, as `./dev test` keeps them for
// the versions that Debian does not have; empty if it is not there.
std::string PostgresBinaries(int version);

class PostgresServer {
 public:
  // Returns when the server answers. Errors: kNotFound if PostgreSQL is not
  // installed, kUnavailable with the server's own words if it does not start.
  static Result<std::unique_ptr<PostgresServer>> Start(PostgresServerOptions options = {});
  ~PostgresServer();

  int port() const { return port_; }
  const std::string& socket_folder() const { return socket_folder_; }
  const std::string& data_folder() const { return data_folder_; }

  // "host=127.0.0.1 port=… user=postgres dbname=postgres" and `more`, which wins.
  std::string Dsn(const std::string& more = {}) const;

  // Runs statements as superuser on a connection of their own.
  Result<std::vector<PostgresSession::Row>> Execute(const std::string& sql,
                                                    const std::string& database = "postgres");
  Result<std::unique_ptr<PostgresSession>> Connect(const std::string& more = {});

  // SIGSTOP and SIGCONT to the server and all its processes.
  void Suspend();
  void Resume();

  enum class How { kFast, kImmediate };  // Disconnect everybody, or die at once.
  void Stop(How how = How::kFast);
  // Starts the stopped server again, on the same port and data.
  Result<> StartAgain();

  // What the server wrote to its standard error.
  std::string Output() const;
  int pid() const { return process_ ? process_->pid() : 0; }
  // Its processes now: background workers and one for each connection.
  std::vector<pid_t> Backends() const {
    return process_ ? process_->Children() : std::vector<pid_t>();
  }

 private:
  PostgresServer() = default;
  Result<> Prepare(const PostgresServerOptions& options);
  Result<> Launch();

  TemporaryFolder folder_;
  std::string binaries_;
  std::string user_;
  std::string data_folder_;
  std::string socket_folder_;
  int port_ = 0;
  std::unique_ptr<ChildProcess> process_;
  std::vector<pid_t> suspended_;
};

}  // namespace tocsin::testing
