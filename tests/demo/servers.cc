#include "tests/demo/servers.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/demo/web.h"

namespace tocsin::demo {
namespace {

namespace fs = std::filesystem;
using testing::ChildProcess;
using testing::FreePort;
using testing::PostgresServer;

constexpr std::chrono::seconds kStartLimit{30};
constexpr int kPlannedConnections = 100;
constexpr const char* kSchema = "/tests/demo/schema.sql";  // Below the repository.

bool Pings(int port) {
  constexpr timeval kLimit{.tv_sec = 1, .tv_usec = 0};
  const std::unique_ptr<redisContext, void (*)(redisContext*)> redis(
      redisConnectWithTimeout("127.0.0.1", port, kLimit), redisFree);
  if (!redis || redis->err != 0) return false;
  redisSetTimeout(redis.get(), kLimit);
  auto* reply = static_cast<redisReply*>(redisCommand(redis.get(), "PING"));
  if (reply == nullptr) return false;
  freeReplyObject(reply);
  return true;
}

bool Answers(int port, const std::string& path) {
  const auto answer = WebGet(port, path, std::chrono::seconds(1));
  return answer.ok() && answer->status == 200;
}

// Debian keeps some servers where an ordinary user's PATH does not look.
std::string Program(const std::string& name) {
  for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/usr/local/bin/", "/usr/local/sbin/"}) {
    if (fs::exists(folder + name)) return folder + name;
  }
  return name;
}

std::string Loopback(int port) { return "127.0.0.1:" + std::to_string(port); }

}  // namespace

Result<> WriteText(const std::string& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return Error{ErrorCode::kIoError, path + ": cannot write"};
  return {};
}

Result<std::string> ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorCode::kIoError, path + ": cannot read"};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Servers::Servers(Options options)
    : options_(std::move(options)),
      max_connections_(kPlannedConnections + static_cast<int>(std::thread::hardware_concurrency())),
      pgbouncer_port_(FreePort()),
      redis_port_(FreePort()),
      prometheus_port_(FreePort()),
      pushgateway_port_(FreePort()),
      application_port_(FreePort()) {}

Result<std::unique_ptr<Servers>> Servers::Start(const Options& options) {
  std::unique_ptr<Servers> servers(new Servers(options));
  TOCSIN_RETURN_IF_ERROR(servers->StartPostgres());
  TOCSIN_RETURN_IF_ERROR(servers->CreateSchema());
  options.on_ready("PostgreSQL", Loopback(servers->postgres_->port()));
  TOCSIN_RETURN_IF_ERROR(servers->StartPgBouncer());
  options.on_ready("PgBouncer", Loopback(servers->pgbouncer_port_));
  TOCSIN_RETURN_IF_ERROR(servers->StartRedis());
  options.on_ready("Redis", Loopback(servers->redis_port_));
  TOCSIN_RETURN_IF_ERROR(servers->StartPrometheus());
  options.on_ready("Prometheus", "http://" + Loopback(servers->prometheus_port_));
  TOCSIN_RETURN_IF_ERROR(servers->StartPushgateway());
  options.on_ready("Pushgateway", "http://" + Loopback(servers->pushgateway_port_));
  TOCSIN_RETURN_IF_ERROR(servers->StartApplication());
  options.on_ready("Booking app", "http://" + Loopback(servers->application_port_));
  return servers;
}

Result<std::string> Servers::MakeFolder(const std::string& name, const std::string& user) {
  const std::string folder = options_.folder + "/" + name;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return Error{ErrorCode::kIoError, folder + ": " + error.message()};
  TOCSIN_RETURN_IF_ERROR(testing::ChangeOwner(folder, user));
  return folder;
}

Result<> Servers::StartPostgres() {
  TOCSIN_ASSIGN_OR_RETURN(log_folder_, MakeFolder("postgres-log", "postgres"));
  testing::PostgresServerOptions options;
  options.settings = {
      {"max_connections", std::to_string(max_connections_)},
      {"shared_preload_libraries", "'pg_stat_statements'"},
      {"shared_buffers", "'64MB'"},
      {"logging_collector", "on"},
      {"log_directory", "'" + log_folder_ + "'"},
      {"log_filename", "'postgresql-%Y-%m-%d_%H%M%S.log'"},
      {"log_file_mode", "0644"},
      {"log_min_duration_statement", "0"},
      {"log_line_prefix", "'%m [%p] %q%u@%d '"},
      {"log_timezone", "'UTC'"},
      {"lc_messages", "'C'"},
  };
  auto started = PostgresServer::Start(std::move(options));
  if (!started.ok()) return started.error();
  postgres_ = std::move(started).value();
  return {};
}

Result<> Servers::CreateSchema() {
  TOCSIN_ASSIGN_OR_RETURN(const std::string schema, ReadText(options_.source + kSchema));
  for (const char* statement :
       {"CREATE ROLE booking LOGIN", "CREATE ROLE tocsin LOGIN IN ROLE pg_monitor",
        "CREATE EXTENSION pg_stat_statements", "CREATE DATABASE booking"}) {
    const auto done = postgres_->Execute(statement);
    if (!done.ok()) return done.error();
  }
  const auto created = postgres_->Execute(schema, "booking");
  if (!created.ok()) return created.error();
  return {};
}

Result<std::unique_ptr<ChildProcess>> Servers::Launch(const std::string& name,
                                                      std::vector<std::string> argv,
                                                      const std::function<bool()>& ready) {
  testing::ProcessOptions process;
  process.argv = std::move(argv);
  process.user = options_.user;
  TOCSIN_ASSIGN_OR_RETURN(process.directory, MakeFolder(name, options_.user));
  process.output = options_.folder + "/" + name + ".out";
  auto started = ChildProcess::Start(process);
  if (!started.ok()) {
    if (started.error().code != ErrorCode::kNotFound) return started.error();
    return Error{ErrorCode::kNotFound, name + " is not installed (apt-get install " + name + ")"};
  }
  auto child = std::move(started).value();
  testing::WaitUntil([&] { return !child->Running() || ready(); }, kStartLimit);
  if (child->Running() && ready()) return child;
  return Error{ErrorCode::kUnavailable, name + " did not start: " + child->Output()};
}

Result<> Servers::StartPgBouncer() {
  TOCSIN_ASSIGN_OR_RETURN(const auto folder, MakeFolder("pgbouncer", options_.user));
  const std::string ini =
      "[databases]\nbooking = host=127.0.0.1 port=" + std::to_string(postgres_->port()) +
      " dbname=booking\n\n"
      "[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = " +
      std::to_string(pgbouncer_port_) +
      "\nunix_socket_dir =\nauth_type = trust\nauth_file = " + folder +
      "/users.txt\nstats_users = tocsin\npool_mode = transaction\n"
      "max_client_conn = 500\ndefault_pool_size = " +
      std::to_string(kPgBouncerPoolSize) + "\n";
  TOCSIN_RETURN_IF_ERROR(WriteText(folder + "/pgbouncer.ini", ini));
  TOCSIN_RETURN_IF_ERROR(WriteText(folder + "/users.txt", "\"booking\" \"\"\n\"tocsin\" \"\"\n"));
  TOCSIN_ASSIGN_OR_RETURN(
      pgbouncer_, Launch("pgbouncer", {Program("pgbouncer"), folder + "/pgbouncer.ini"}, [this] {
        return testing::PostgresSession::Connect(BookingDsn() + " connect_timeout=2").ok();
      }));
  return {};
}

Result<> Servers::StartRedis() {
  TOCSIN_ASSIGN_OR_RETURN(
      redis_, Launch("redis-server",
                     {Program("redis-server"), "--port", std::to_string(redis_port_), "--bind",
                      "127.0.0.1", "--save", "", "--appendonly", "no"},
                     [this] { return Pings(redis_port_); }));
  return {};
}

Result<> Servers::StartPrometheus() {
  TOCSIN_ASSIGN_OR_RETURN(const auto folder, MakeFolder("prometheus", options_.user));
  TOCSIN_RETURN_IF_ERROR(WriteText(folder + "/prometheus.yml", "global: {}\n"));
  TOCSIN_ASSIGN_OR_RETURN(
      prometheus_, Launch("prometheus",
                          {Program("prometheus"), "--config.file=" + folder + "/prometheus.yml",
                           "--storage.tsdb.path=" + folder + "/data",
                           "--web.listen-address=" + Loopback(prometheus_port_),
                           "--web.enable-remote-write-receiver", "--log.level=warn"},
                          [this] { return Answers(prometheus_port_, "/-/ready"); }));
  return {};
}

Result<> Servers::StartPushgateway() {
  TOCSIN_ASSIGN_OR_RETURN(pushgateway_,
                          Launch("prometheus-pushgateway",
                                 {Program("prometheus-pushgateway"),
                                  "--web.listen-address=" + Loopback(pushgateway_port_)},
                                 [this] { return Answers(pushgateway_port_, "/-/ready"); }));
  return {};
}

Result<> Servers::StartApplication() {
  TOCSIN_ASSIGN_OR_RETURN(
      application_,
      Launch("booking-app",
             {options_.application, "--port", std::to_string(application_port_), "--database",
              BookingDsn() + " application_name=booking-app", "--redis-port",
              std::to_string(redis_port_), "--pool-size", std::to_string(kPoolSize),
              "--pool-overflow", std::to_string(kPoolOverflow)},
             [this] { return Answers(application_port_, "/health"); }));
  return {};
}

std::string Servers::BookingDsn() const {
  return "host=127.0.0.1 port=" + std::to_string(pgbouncer_port_) + " user=booking dbname=booking";
}

}  // namespace tocsin::demo
