#include "tests/support/redis_server.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "tests/support/self_signed_certificate.h"

namespace tocsin::testing {

Result<std::unique_ptr<RedisServer>> RedisServer::Start(RedisServerOptions options) {
  std::unique_ptr<RedisServer> server(new RedisServer);
  server->options_ = std::move(options);
  server->port_ = FreePort();
  if (server->options_.tls) {
    server->tls_port_ = FreePort();
    SelfSignedCertificate certificate = MakeSelfSignedCertificate(std::chrono::hours(24));
    std::ofstream(server->certificate_file()) << certificate.certificate_pem;
    std::ofstream(server->key_file()) << certificate.key_pem;
  }
  TOCSIN_RETURN_IF_ERROR(server->StartAgain());
  return server;
}

Result<> RedisServer::StartAgain() {
  ProcessOptions process;
  process.argv = {"redis-server",
                  "--port",
                  std::to_string(port_),
                  "--bind",
                  "127.0.0.1",
                  "--unixsocket",
                  socket_path(),
                  "--dir",
                  folder_.path(),
                  "--save",
                  "",
                  "--daemonize",
                  "no"};
  const bool is_sentinel = !options_.sentinel.empty();
  if (is_sentinel) {
    const std::string file = folder_.File("sentinel.conf");
    // It writes there what it knows, and finds it again.
    if (!std::filesystem::exists(file)) std::ofstream(file) << options_.sentinel;
    process.argv.insert(process.argv.begin() + 1, {file, "--sentinel"});
  }
  if (options_.tls) {
    for (const std::string& argument :
         {std::string("--tls-port"), std::to_string(tls_port_), std::string("--tls-cert-file"),
          certificate_file(), std::string("--tls-key-file"), key_file(),
          std::string("--tls-ca-cert-file"), certificate_file(), std::string("--tls-auth-clients"),
          std::string(options_.client_certificates ? "yes" : "no")}) {
      process.argv.push_back(argument);
    }
  }
  for (const std::string& argument : options_.arguments) process.argv.push_back(argument);
  process.output = folder_.File("redis.log");
  std::filesystem::remove(process.output);  // It may say that the last one was ready.
  TOCSIN_ASSIGN_OR_RETURN(process_, ChildProcess::Start(process));
  if (!process_->WaitForOutput(is_sentinel ? "Sentinel ID is" : "Ready to accept connections")) {
    return Error{ErrorCode::kUnavailable, "redis-server: " + process_->Output()};
  }
  return {};
}

void RedisServer::Stop() {
  process_->Signal(SIGCONT);
  process_->Stop();
}

Result<std::string> RedisServer::Command(std::string_view command) {
  std::istringstream text{std::string(command)};
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  return Command(words);
}

Result<std::string> RedisServer::Command(const std::vector<std::string>& words) {
  ProcessOptions cli;
  cli.argv = {"redis-cli", "-s", socket_path()};
  cli.argv.insert(cli.argv.end(), words.begin(), words.end());
  TOCSIN_ASSIGN_OR_RETURN(auto finished, RunProcess(cli));
  if (finished.status != 0) return Error{ErrorCode::kUnavailable, finished.output};
  return finished.output;
}

}  // namespace tocsin::testing
