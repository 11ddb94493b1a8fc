#pragma once

// A PostgreSQL that counts what each of its watchers costs it, and postgres_exporter as
// Debian has it, for a role of its own.

#include <memory>
#include <string>

#include "daemon/base/result.h"
#include "tests/support/postgres_server.h"
#include "tests/support/process.h"

namespace tocsin::bench {

// With pg_stat_statements, a database "shop" with `tables` tables of two indexes and a
// few rows each, and the roles "tocsin", "tocsin_tables", "exporter" and
// "exporter_tables" with pg_monitor. Errors: as PostgresServer::Start.
Result<std::unique_ptr<testing::PostgresServer>> StartWatchedPostgres(int tables);

// All that the server spent on a role's statements since it started.
Result<double> ServerMillis(testing::PostgresServer& server, const std::string& role);

// The anonymous memory of the largest backend that serves `role` now; 0 if none does.
double LargestBackendMegabytes(testing::PostgresServer& server, const std::string& role);

class PostgresExporter {
 public:
  // `with_tables`: with Debian's own queries.yaml too. Errors: kNotFound if it is not installed.
  static Result<std::unique_ptr<PostgresExporter>> Start(const testing::PostgresServer& server,
                                                         const std::string& role, bool with_tables);

  // The page. Errors: kUnavailable.
  Result<std::string> Scrape() const;
  int port() const { return port_; }
  pid_t pid() const { return process_->pid(); }

 private:
  int port_ = 0;
  std::unique_ptr<testing::ChildProcess> process_;
};

// One GET of a page of any size on this host. Errors: kUnavailable unless it answers 200.
Result<std::string> GetPage(int port, const std::string& path);

}  // namespace tocsin::bench
