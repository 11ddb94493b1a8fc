#pragma once

// The real servers of the demo, each on a free port of 127.0.0.1, in folders of
// their own, run by an unprivileged user: PostgreSQL with the platform's schema and
// rows, PgBouncer in front of it, Redis, Prometheus and Pushgateway, and the
// booking application. All end with their handle.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "tests/support/postgres_server.h"
#include "tests/support/process.h"

namespace tocsin::demo {

inline constexpr int kPoolSize = 20;
inline constexpr int kPoolOverflow = 40;
inline constexpr int kPgBouncerPoolSize = 30;

class Servers {
 public:
  struct Options {
    std::string folder;       // Temporary; what they write goes below it.
    std::string source;       // The repository: the schema comes from it.
    std::string application;  // Path of tocsin_demo_app.
    std::string user;         // Unprivileged; ignored unless root.
    // Told of each server when it answers: its name and address.
    std::function<void(std::string_view, std::string_view)> on_ready;
  };

  // Returns when all answer. Errors: kNotFound with the package that is missing,
  // kUnavailable with the server's own words.
  static Result<std::unique_ptr<Servers>> Start(const Options& options);

  testing::PostgresServer& postgres() { return *postgres_; }
  int max_connections() const { return max_connections_; }
  int pgbouncer_port() const { return pgbouncer_port_; }
  int redis_port() const { return redis_port_; }
  int prometheus_port() const { return prometheus_port_; }
  int pushgateway_port() const { return pushgateway_port_; }
  int application_port() const { return application_port_; }

  // Where PostgreSQL writes its log.
  const std::string& log_folder() const { return log_folder_; }
  // Connects to the platform's database through PgBouncer, as the application does.
  std::string BookingDsn() const;

 private:
  explicit Servers(Options options);
  Result<> StartPostgres();
  Result<> CreateSchema();
  Result<> StartPgBouncer();
  Result<> StartRedis();
  Result<> StartPrometheus();
  Result<> StartPushgateway();
  Result<> StartApplication();
  // A child in a folder of its own; ready when `ready` holds.
  Result<std::unique_ptr<testing::ChildProcess>> Launch(const std::string& name,
                                                        std::vector<std::string> argv,
                                                        const std::function<bool()>& ready);
  Result<std::string> MakeFolder(const std::string& name, const std::string& user);

  Options options_;
  int max_connections_;
  int pgbouncer_port_;
  int redis_port_;
  int prometheus_port_;
  int pushgateway_port_;
  int application_port_;
  std::string log_folder_;
  // In the order they start; they end the other way round.
  std::unique_ptr<testing::PostgresServer> postgres_;
  std::unique_ptr<testing::ChildProcess> pgbouncer_;
  std::unique_ptr<testing::ChildProcess> redis_;
  std::unique_ptr<testing::ChildProcess> prometheus_;
  std::unique_ptr<testing::ChildProcess> pushgateway_;
  std::unique_ptr<testing::ChildProcess> application_;
};

// Writes a file that others may read. Errors: kIoError.
Result<> WriteText(const std::string& path, std::string_view text);
Result<std::string> ReadText(const std::string& path);

}  // namespace tocsin::demo
