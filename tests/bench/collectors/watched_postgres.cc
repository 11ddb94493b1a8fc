#include "tests/bench/collectors/watched_postgres.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/base/text.h"
#include "tests/bench/collectors/process_numbers.h"

namespace tocsin::bench {
namespace {

using testing::PostgresServer;

constexpr const char* kQueries =
    "/usr/share/doc/prometheus-postgres-exporter/examples/queries.yaml";
constexpr const char* kRoles[] = {"tocsin", "tocsin_tables", "exporter", "exporter_tables"};

}  // namespace

Result<std::unique_ptr<PostgresServer>> StartWatchedPostgres(int tables) {
  TOCSIN_ASSIGN_OR_RETURN(
      auto server,
      PostgresServer::Start({.settings = {{"shared_preload_libraries", "'pg_stat_statements'"},
                                          {"shared_buffers", "'256MB'"}}}));
  TOCSIN_RETURN_IF_ERROR(server->Execute("CREATE EXTENSION pg_stat_statements"));
  for (const char* role : kRoles) {
    TOCSIN_RETURN_IF_ERROR(
        server->Execute(fmt::format("CREATE ROLE {0} LOGIN; GRANT pg_monitor TO {0}", role)));
  }
  TOCSIN_RETURN_IF_ERROR(server->Execute("CREATE DATABASE shop"));
  TOCSIN_RETURN_IF_ERROR(server->Execute(
      fmt::format(
          "DO $$ BEGIN FOR i IN 1..{} LOOP"
          "  EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, note text)', i);"
          "  EXECUTE format('CREATE INDEX ON t%s (note)', i);"
          "  EXECUTE format('INSERT INTO t%s SELECT n, n FROM generate_series(1, 10) n', i);"
          "  IF i % 100 = 0 THEN COMMIT; END IF;"
          " END LOOP; END $$",
          tables),
      "shop"));
  TOCSIN_RETURN_IF_ERROR(server->Execute("VACUUM ANALYZE", "shop"));
  return server;
}

Result<double> ServerMillis(PostgresServer& server, const std::string& role) {
  TOCSIN_ASSIGN_OR_RETURN(
      const auto rows,
      server.Execute("SELECT coalesce(sum(total_exec_time + total_plan_time), 0)"
                     " FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid"
                     " WHERE r.rolname = '" +
                     role + "'"));
  return ParseDouble(rows.at(0).at(0)).value_or(0);
}

double LargestBackendMegabytes(PostgresServer& server, const std::string& role) {
  const auto rows =
      server.Execute("SELECT pid FROM pg_stat_activity WHERE usename = '" + role + "'");
  double largest = 0;
  for (std::size_t i = 0; rows.ok() && i < rows->size(); ++i) {
    const auto pid = ParseInt(rows->at(i).at(0));
    if (pid) largest = std::max(largest, MemoryOf(static_cast<pid_t>(*pid)).anonymous);
  }
  return largest;
}

Result<std::unique_ptr<testing::PackagedExporter>> StartPostgresExporter(
    const PostgresServer& server, const std::string& role, bool with_tables) {
  std::vector<std::string> arguments;
  if (with_tables) arguments.push_back(std::string("--extend.query-path=") + kQueries);
  return testing::PackagedExporter::Start(
      "prometheus-postgres-exporter", std::move(arguments),
      {{"DATA_SOURCE_NAME",
        fmt::format("postgresql://{}@127.0.0.1:{}/shop?sslmode=disable", role, server.port())}});
}

Result<> ReadMetrics(int port, const std::string& path) {
  if (testing::GetPage(port, path).starts_with("# HELP")) return {};
  return Error{ErrorCode::kUnavailable, fmt::format("port {}{}: no page of metrics", port, path)};
}

}  // namespace tocsin::bench
