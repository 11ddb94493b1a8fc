#pragma once

// A real PgBouncer for one test, in front of whatever server its options name:
// a temporary folder, an unprivileged user, a free loopback port and a unix
// socket. The console user is "stats", password "stats-password". Not thread-safe.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/result.h"
#include "tests/support/process.h"

namespace tocsin::testing {

struct PgbouncerServerOptions {
  // Lines of [databases]: {"app", "host=127.0.0.1 port=5432 dbname=app"}.
  std::vector<std::pair<std::string, std::string>> databases;
  // Lines of [pgbouncer], which win over the defaults here.
  std::vector<std::pair<std::string, std::string>> settings;
  // Users and passwords besides "stats".
  std::vector<std::pair<std::string, std::string>> users;
};

class PgbouncerServer {
 public:
  // Returns when it listens. Errors: kNotFound if PgBouncer is not installed,
  // kUnavailable with its own words.
  static Result<std::unique_ptr<PgbouncerServer>> Start(PgbouncerServerOptions options);

  int port() const { return port_; }
  const std::string& socket_folder() const { return folder_.path(); }

  // The console's connection string, without a password, and `more`, which wins.
  std::string ConsoleDsn(const std::string& more = {}) const;

  void Suspend() { process_->Signal(SIGSTOP); }
  void Resume() { process_->Signal(SIGCONT); }
  void Stop();
  Result<> StartAgain();  // On the same port.

  int pid() const { return process_ ? process_->pid() : 0; }

 private:
  PgbouncerServer() = default;

  TemporaryFolder folder_;
  std::string user_;
  int port_ = 0;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace tocsin::testing
