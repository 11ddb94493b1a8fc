#include "tests/bench/collectors/watched_postgres.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "daemon/base/clock.h"
#include "daemon/base/http_client.h"
#include "daemon/base/text.h"
#include "tests/bench/collectors/process_numbers.h"

namespace tocsin::bench {
namespace {

using testing::PostgresServer;

constexpr const char* kExporter = "/usr/bin/prometheus-postgres-exporter";
constexpr const char* kQueries =
    "/usr/share/doc/prometheus-postgres-exporter/examples/queries.yaml";
constexpr const char* kRoles[] = {"tocsin", "tocsin_tables", "exporter", "exporter_tables"};
constexpr std::int64_t kMostPageBytes = 256 << 20;
constexpr std::chrono::seconds kPageDeadline{60};

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

Result<std::unique_ptr<PostgresExporter>> PostgresExporter::Start(const PostgresServer& server,
                                                                  const std::string& role,
                                                                  bool with_tables) {
  auto exporter = std::make_unique<PostgresExporter>();
  exporter->port_ = testing::FreePort();
  testing::ProcessOptions options;
  options.argv = {kExporter, fmt::format("--web.listen-address=127.0.0.1:{}", exporter->port_)};
  if (with_tables) options.argv.push_back(std::string("--extend.query-path=") + kQueries);
  options.environment = {
      {"DATA_SOURCE_NAME",
       fmt::format("postgresql://{}@127.0.0.1:{}/shop?sslmode=disable", role, server.port())}};
  TOCSIN_ASSIGN_OR_RETURN(exporter->process_, testing::ChildProcess::Start(options));
  const int port = exporter->port_;
  if (!testing::WaitUntil([port] { return GetPage(port, "/").ok(); })) {
    return Error{ErrorCode::kUnavailable, "postgres_exporter does not answer"};
  }
  return exporter;
}

Result<std::string> PostgresExporter::Scrape() const { return GetPage(port_, "/metrics"); }

Result<std::string> GetPage(int port, const std::string& path) {
  static SystemClock clock;
  static CurlHttpClient client(clock);
  HttpRequest request;
  request.url = fmt::format("http://127.0.0.1:{}{}", port, path);
  request.max_body_bytes = kMostPageBytes;
  auto exchange = Fetch(client, std::move(request), clock.SteadyNow() + kPageDeadline);
  if (exchange.error) return *std::move(exchange.error);
  if (exchange.response.status != 200) {
    return Error{ErrorCode::kUnavailable,
                 fmt::format("port {}{}: status {}", port, path, exchange.response.status)};
  }
  return std::move(exchange.response.body);
}

}  // namespace tocsin::bench
