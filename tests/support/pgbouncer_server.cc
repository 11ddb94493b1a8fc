#include "tests/support/pgbouncer_server.h"

#include <pwd.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace tocsin::testing {

Result<std::unique_ptr<PgbouncerServer>> PgbouncerServer::Start(PgbouncerServerOptions options) {
  std::unique_ptr<PgbouncerServer> server(new PgbouncerServer);
  server->port_ = FreePort();
  server->user_ = getpwnam("postgres") != nullptr ? "postgres" : "nobody";

  std::map<std::string, std::string> settings = {
      {"listen_addr", "127.0.0.1"},
      {"listen_port", std::to_string(server->port_)},
      {"unix_socket_dir", server->folder_.path()},
      {"auth_type", "md5"},
      {"auth_file", server->folder_.File("users")},
      {"stats_users", "stats"},
      {"pool_mode", "transaction"},
      {"default_pool_size", "4"},
  };
  for (const auto& [name, value] : options.settings) settings[name] = value;
  std::ofstream file(server->folder_.File("pgbouncer.ini"));
  file << "[databases]\n";
  for (const auto& [name, target] : options.databases) file << name << " = " << target << "\n";
  file << "[pgbouncer]\n";
  for (const auto& [name, value] : settings) file << name << " = " << value << "\n";
  file.close();
  std::ofstream users(server->folder_.File("users"));
  users << "\"stats\" \"stats-password\"\n";
  for (const auto& [name, password] : options.users) {
    users << '"' << name << "\" \"" << password << "\"\n";
  }
  users.close();
  TOCSIN_RETURN_IF_ERROR(ChangeOwner(server->folder_.path(), server->user_));
  TOCSIN_RETURN_IF_ERROR(server->StartAgain());
  return server;
}

Result<> PgbouncerServer::StartAgain() {
  ProcessOptions process;
  process.argv = {"/usr/sbin/pgbouncer", folder_.File("pgbouncer.ini")};
  process.user = user_;
  process.output = folder_.File("pgbouncer.log");
  std::filesystem::remove(process.output);  // It may say that the last one was up.
  TOCSIN_ASSIGN_OR_RETURN(process_, ChildProcess::Start(process));
  if (!process_->WaitForOutput("process up")) {
    return Error{ErrorCode::kUnavailable, "pgbouncer: " + process_->Output()};
  }
  return {};
}

void PgbouncerServer::Stop() {
  process_->Signal(SIGCONT);
  process_->Stop(SIGTERM);
}

std::string PgbouncerServer::ConsoleDsn(const std::string& more) const {
  return "host=127.0.0.1 port=" + std::to_string(port_) + " user=stats dbname=pgbouncer " + more;
}

}  // namespace tocsin::testing
