#pragma once

// A real Redis for one test: a temporary folder, a free loopback port, a unix
// socket and, if asked, TLS. Nothing is saved. Not thread-safe.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "tests/support/process.h"

namespace tocsin::testing {

struct RedisServerOptions {
  // More of redis-server's arguments: {"--requirepass", "secret"}.
  std::vector<std::string> arguments;
  bool tls = false;  // Listens with TLS as well, with a certificate for localhost and 127.0.0.1.
  // Lines of a sentinel.conf ("sentinel monitor main 127.0.0.1 6379 1"): it is a Sentinel.
  std::string sentinel;
  bool client_certificates = false;  // Over TLS, clients need one; the server's own will do.
};

class RedisServer {
 public:
  // Returns when the server listens. Errors: kNotFound if Redis is not
  // installed, kUnavailable with the server's own words.
  static Result<std::unique_ptr<RedisServer>> Start(RedisServerOptions options = {});

  int port() const { return port_; }
  int tls_port() const { return tls_port_; }
  std::string socket_path() const { return folder_.File("redis.sock"); }
  std::string certificate_file() const { return folder_.File("redis.crt"); }
  std::string key_file() const { return folder_.File("redis.key"); }
  std::string Url() const { return "redis://127.0.0.1:" + std::to_string(port_); }

  // Runs one command with redis-cli, words separated by spaces or given; what it printed.
  Result<std::string> Command(std::string_view command);
  Result<std::string> Command(const std::vector<std::string>& words);

  void Suspend() { process_->Signal(SIGSTOP); }
  void Resume() { process_->Signal(SIGCONT); }
  void Stop();
  // Starts it again on the same port, empty; a Sentinel with what it has written.
  Result<> StartAgain();

  int pid() const { return process_ ? process_->pid() : 0; }

 private:
  RedisServer() = default;

  TemporaryFolder folder_;
  RedisServerOptions options_;
  int port_ = 0;
  int tls_port_ = 0;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace tocsin::testing
