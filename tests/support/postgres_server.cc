#include "tests/support/postgres_server.h"

#include <libpq-fe.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace tocsin::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kStartLimit{60};
constexpr std::chrono::seconds kStopLimit{20};

Result<std::vector<PostgresSession::Row>> Take(PGresult* raw) {
  const std::unique_ptr<PGresult, void (*)(PGresult*)> result(raw, PQclear);
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
    return Error{ErrorCode::kUnavailable, PQresultErrorMessage(result.get())};
  }
  std::vector<PostgresSession::Row> rows;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    auto& columns = rows.emplace_back();
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      columns.emplace_back(PQgetvalue(result.get(), row, column));
    }
  }
  return rows;
}

Result<std::string> FindBinaries(const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  if (const char* set = std::getenv("TOCSIN_POSTGRES_BIN")) return std::string(set);
  for (const int version : {15, 18, 17, 16, 14, 13}) {
    const std::string folder = "/usr/lib/postgresql/" + std::to_string(version) + "/bin";
    if (fs::exists(folder + "/initdb")) return folder;
  }
  return Error{ErrorCode::kNotFound, "PostgreSQL is not installed (apt-get install postgresql)"};
}

// A copy of the binaries' whole folder, where the user that runs them may not pass to
// the original (a build within somebody's home).
Result<std::string> PassableBinaries(const std::string& binaries, const TemporaryFolder& folder) {
  bool passable = true;
  std::error_code error;
  for (fs::path path = fs::absolute(binaries); path != path.root_path();
       path = path.parent_path()) {
    const auto permissions = fs::status(path, error).permissions();
    passable = passable && (permissions & fs::perms::others_exec) != fs::perms::none;
  }
  if (passable || geteuid() != 0) return binaries;
  const std::string copy = folder.File("postgres");
  fs::copy(fs::path(binaries).parent_path(), copy,
           fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
  if (error) return Error{ErrorCode::kIoError, copy + ": " + error.message()};
  return copy + "/bin";
}

// Binaries that are not Debian's bring their libraries along.
std::vector<std::pair<std::string, std::string>> LibraryPath(const std::string& binaries) {
  if (binaries.starts_with("/usr/")) return {};
  return {{"LD_LIBRARY_PATH", binaries + "/../lib"}};
}

// initdb costs a second or more: it runs once per build folder, and each server
// starts from a copy.
Result<std::string> ClusterTemplate(const std::string& binaries, const std::string& runnable,
                                    const std::string& user) {
  std::string name = binaries;
  for (char& c : name) {
    if (c == '/') c = '-';
  }
  const std::string kept = std::string(TOCSIN_BINARY_DIR) + "/tests/cluster" + name;
  if (fs::exists(kept + "/PG_VERSION")) return kept;

  TemporaryFolder folder;
  TOCSIN_RETURN_IF_ERROR(ChangeOwner(folder.path(), user));
  ProcessOptions options;
  options.argv = {runnable + "/initdb", "--pgdata=" + folder.File("data"),
                  "--auth=trust",       "--username=postgres",
                  "--encoding=UTF8",    "--locale=C.UTF-8",
                  "--no-sync"};
  options.user = user;
  options.environment = LibraryPath(runnable);
  options.directory = folder.path();
  TOCSIN_ASSIGN_OR_RETURN(const auto finished, RunProcess(std::move(options)));
  if (finished.status != 0) return Error{ErrorCode::kUnavailable, "initdb: " + finished.output};

  std::error_code error;
  const std::string staged = kept + "." + std::to_string(getpid());
  fs::create_directories(fs::path(kept).parent_path(), error);
  fs::copy(folder.File("data"), staged, fs::copy_options::recursive, error);
  if (!error) fs::rename(staged, kept, error);
  if (error) fs::remove_all(staged, error);  // Another test was faster.
  if (fs::exists(kept + "/PG_VERSION")) return kept;
  return Error{ErrorCode::kIoError, "cannot keep a cluster in " + kept};
}

}  // namespace

std::string PostgresBinaries(int version) {
  const std::string folder = fs::path(TOCSIN_BINARY_DIR).parent_path().string() + "/postgres/" +
                             std::to_string(version) + "/native/bin";
  return fs::exists(folder + "/initdb") ? folder : std::string();
}

Result<std::unique_ptr<PostgresSession>> PostgresSession::Connect(const std::string& dsn) {
  PGconn* connection = PQconnectdb(dsn.c_str());
  std::unique_ptr<PostgresSession> session(new PostgresSession(connection));
  if (PQstatus(connection) != CONNECTION_OK) {
    return Error{ErrorCode::kUnavailable, PQerrorMessage(connection)};
  }
  PQsetNoticeProcessor(
      connection, [](void*, const char*) {}, nullptr);
  return session;
}

PostgresSession::~PostgresSession() { PQfinish(connection_); }

Result<std::vector<PostgresSession::Row>> PostgresSession::Execute(const std::string& sql) {
  return Take(PQexec(connection_, sql.c_str()));
}

Result<std::vector<PostgresSession::Row>> PostgresSession::ExecuteParameters(
    const std::string& sql, const std::vector<std::string>& parameters) {
  std::vector<const char*> values;
  for (const auto& parameter : parameters) values.push_back(parameter.c_str());
  return Take(PQexecParams(connection_, sql.c_str(), static_cast<int>(values.size()), nullptr,
                           values.data(), nullptr, nullptr, 0));
}

Result<> PostgresSession::Send(const std::string& sql) {
  if (PQsendQuery(connection_, sql.c_str()) != 1) {
    return Error{ErrorCode::kUnavailable, PQerrorMessage(connection_)};
  }
  return {};
}

Result<std::vector<PostgresSession::Row>> PostgresSession::Receive() {
  Result<std::vector<Row>> last = std::vector<Row>{};
  while (PGresult* result = PQgetResult(connection_)) last = Take(result);
  return last;
}

int PostgresSession::backend_pid() const { return PQbackendPID(connection_); }

Result<std::unique_ptr<PostgresServer>> PostgresServer::Start(PostgresServerOptions options) {
  std::unique_ptr<PostgresServer> server(new PostgresServer);
  TOCSIN_RETURN_IF_ERROR(server->Prepare(options));
  TOCSIN_RETURN_IF_ERROR(server->Launch());
  return server;
}

Result<> PostgresServer::Prepare(const PostgresServerOptions& options) {
  TOCSIN_ASSIGN_OR_RETURN(const auto found, FindBinaries(options.binaries));
  TOCSIN_ASSIGN_OR_RETURN(binaries_, PassableBinaries(found, folder_));
  user_ = getpwnam("postgres") != nullptr ? "postgres" : "nobody";
  std::string cluster = options.cluster;
  if (cluster.empty()) {
    TOCSIN_ASSIGN_OR_RETURN(cluster, ClusterTemplate(found, binaries_, user_));
  }
  data_folder_ = folder_.File("data");
  socket_folder_ = folder_.path();
  std::error_code error;
  fs::copy(cluster, data_folder_, fs::copy_options::recursive, error);
  if (error) return Error{ErrorCode::kIoError, data_folder_ + ": " + error.message()};
  fs::permissions(data_folder_, fs::perms::owner_all, error);
  port_ = FreePort();

  std::ofstream conf(data_folder_ + "/postgresql.conf", std::ios::app);
  conf << "listen_addresses = '127.0.0.1'\nport = " << port_ << "\nunix_socket_directories = '"
       << socket_folder_ << "'\n"
       << "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n"
       << "shared_buffers = 16MB\nmax_connections = 50\nlog_line_prefix = '%m [%p] %q%u@%d '\n";
  for (const auto& [name, value] : options.settings) conf << name << " = " << value << "\n";
  if (!options.standby_of.empty()) {
    conf << "primary_conninfo = '" << options.standby_of << "'\n";
    std::ofstream(data_folder_ + "/standby.signal").flush();
  }
  conf.close();
  for (const auto& [name, content] : options.files) {
    const std::string path = data_folder_ + "/" + name;
    std::ofstream(path) << content;
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write, error);
  }
  if (!options.hba.empty()) {
    std::ofstream hba(data_folder_ + "/pg_hba.conf");
    hba << options.hba << "\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n"
        << "local replication all trust\nhost replication all 127.0.0.1/32 trust\n";
  }
  return ChangeOwner(folder_.path(), user_);
}

Result<> PostgresServer::Launch() {
  ProcessOptions options;
  options.argv = {binaries_ + "/postgres", "-D", data_folder_};
  options.user = user_;
  options.environment = LibraryPath(binaries_);
  options.directory = folder_.path();
  options.output = folder_.File("postgres.stderr");
  options.parent_death_signal = SIGQUIT;  // Immediate shutdown: ends the children too.
  TOCSIN_ASSIGN_OR_RETURN(process_, ChildProcess::Start(options));
  const std::string dsn = Dsn("connect_timeout=2");
  const bool ready = WaitUntil(
      [&] { return PQping(dsn.c_str()) == PQPING_OK || !process_->Running(); }, kStartLimit);
  if (ready && process_->Running()) return {};
  return Error{ErrorCode::kUnavailable, "postgres did not start: " + Output()};
}

PostgresServer::~PostgresServer() {
  if (process_) Stop(How::kImmediate);
}

std::string PostgresServer::Dsn(const std::string& more) const {
  return "host=127.0.0.1 port=" + std::to_string(port_) + " user=postgres dbname=postgres " + more;
}

Result<std::unique_ptr<PostgresSession>> PostgresServer::Connect(const std::string& more) {
  return PostgresSession::Connect(Dsn(more));
}

Result<std::vector<PostgresSession::Row>> PostgresServer::Execute(const std::string& sql,
                                                                  const std::string& database) {
  TOCSIN_ASSIGN_OR_RETURN(const auto session, Connect("dbname=" + database));
  return session->Execute(sql);
}

void PostgresServer::Suspend() {
  if (!process_) return;
  process_->Signal(SIGSTOP);  // First, so that it starts no further child.
  suspended_ = process_->Children();
  for (const pid_t child : suspended_) kill(child, SIGSTOP);
}

void PostgresServer::Resume() {
  // The parent is stopped and has reaped none of them: the pids are still theirs.
  for (const pid_t child : suspended_) kill(child, SIGCONT);
  suspended_.clear();
  if (process_) process_->Signal(SIGCONT);
}

void PostgresServer::Stop(How how) {
  Resume();
  if (process_) process_->Stop(how == How::kFast ? SIGINT : SIGQUIT, kStopLimit);
  process_.reset();
}

Result<> PostgresServer::StartAgain() { return Launch(); }

std::string PostgresServer::Output() const {
  std::ifstream file(folder_.File("postgres.stderr"), std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

}  // namespace tocsin::testing
