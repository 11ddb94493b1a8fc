#pragma once

// A PostgreSQL that counts what each of its watchers costs it, and postgres_exporter as
// Debian has it, for a role of its own.

#include <memory>
#include <string>

#include "daemon/base/result.h"
#include "tests/support/exporter_comparison.h"
#include "tests/support/postgres_server.h"

namespace tocsin::bench {

// With pg_stat_statements, a database "shop" with `tables` tables of two indexes and a
// few rows each, and the roles "tocsin", "tocsin_tables", "exporter" and
// "exporter_tables" with pg_monitor. Errors: as PostgresServer::Start.
Result<std::unique_ptr<testing::PostgresServer>> StartWatchedPostgres(int tables);

// All that the server spent on a role's statements since it started.
Result<double> ServerMillis(testing::PostgresServer& server, const std::string& role);

// The anonymous memory of the largest backend that serves `role` now; 0 if none does.
double LargestBackendMegabytes(testing::PostgresServer& server, const std::string& role);

// `with_tables`: with Debian's own queries.yaml too. Errors: as PackagedExporter::Start.
Result<std::unique_ptr<testing::PackagedExporter>> StartPostgresExporter(
    const testing::PostgresServer& server, const std::string& role, bool with_tables);

// One GET of a page of any size. Errors: kUnavailable if it is not one of metrics.
Result<> ReadMetrics(int port, const std::string& path);

}  // namespace tocsin::bench
