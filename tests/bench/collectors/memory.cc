// The memory of one daemon that watches a target of each kind, beside the processes
// that do it elsewhere: three exporters, Prometheus with the same rules, Alertmanager.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/bench/collectors/parts.h"
#include "tests/bench/collectors/process_numbers.h"
#include "tests/bench/collectors/quick_web.h"
#include "tests/bench/collectors/watched_postgres.h"
#include "tests/support/daemon_process.h"
#include "tests/support/pgbouncer_server.h"
#include "tests/support/redis_server.h"

namespace tocsin::bench {
namespace {

using std::chrono::seconds;
using testing::ChildProcess;
using testing::FreePort;

constexpr double kMostAnonymousMegabytes = 10;
constexpr double kFractionOfTheStack = 5;
constexpr double kLeastShownMegabytes = 0.25;

// The processes replaced, with the configuration that their packages suggest: 15 s.
class Stack {
 public:
  Result<> Start(const testing::PostgresServer& postgres, const testing::RedisServer& redis,
                 const std::string& health_url) {
    TOCSIN_ASSIGN_OR_RETURN(postgres_, StartPostgresExporter(postgres, "exporter", false));
    TOCSIN_ASSIGN_OR_RETURN(redis_,
                            testing::PackagedExporter::Start("prometheus-redis-exporter",
                                                             {"--redis.addr=" + redis.Url()}));
    TOCSIN_ASSIGN_OR_RETURN(blackbox_, testing::PackagedExporter::Start(
                                           "prometheus-blackbox-exporter",
                                           {"--config.file=/etc/prometheus/blackbox.yml"}));
    const int alertmanager_port = FreePort();
    Write("alertmanager.yml", "route: { receiver: none }\nreceivers: [ { name: none } ]\n");
    TOCSIN_RETURN_IF_ERROR(Add(
        {"/usr/bin/prometheus-alertmanager", "--config.file=" + folder_.File("alertmanager.yml"),
         "--storage.path=" + folder_.File("alertmanager"), "--cluster.listen-address=",
         fmt::format("--web.listen-address=127.0.0.1:{}", alertmanager_port)}));
    prometheus_port_ = FreePort();
    Write("prometheus.yml",
          fmt::format(
              "global: {{ scrape_interval: 15s, evaluation_interval: 15s }}\n"
              "rule_files: [ {}/rules/booking-platform.yaml ]\n"
              "alerting: {{ alertmanagers: [ {{ static_configs: [ {{ targets: "
              "['127.0.0.1:{}'] }} ] }} ] }}\n"
              "scrape_configs:\n"
              "  - {{ job_name: postgres, static_configs: [ {{ targets: "
              "['127.0.0.1:{}'] }} ] }}\n"
              "  - {{ job_name: redis, static_configs: [ {{ targets: ['127.0.0.1:{}'] }} ] }}\n"
              "  - {{ job_name: self, static_configs: [ {{ targets: ['127.0.0.1:{}'] }} ] }}\n"
              "  - {{ job_name: http, metrics_path: /probe, params: {{ module: [http_2xx], "
              "target: ['{}'] }}, static_configs: [ {{ targets: ['127.0.0.1:{}'] }} ] }}\n",
              TOCSIN_SOURCE_DIR, alertmanager_port, postgres_->port(), redis_->port(),
              prometheus_port_, health_url, blackbox_->port()));
    TOCSIN_RETURN_IF_ERROR(
        Add({"/usr/bin/prometheus", "--config.file=" + folder_.File("prometheus.yml"),
             "--storage.tsdb.path=" + folder_.File("prometheus"),
             fmt::format("--web.listen-address=127.0.0.1:{}", prometheus_port_)}));
    const int port = prometheus_port_;
    if (!testing::WaitUntil(
            [port] {
              return testing::GetPage(port, "/-/ready").find("is Ready") != std::string::npos;
            },
            seconds(60))) {
      return Error{ErrorCode::kUnavailable, "the stack does not answer"};
    }
    return {};
  }

  int prometheus_port() const { return prometheus_port_; }

  double ProportionalMegabytes() const {
    double sum = 0;
    for (const auto* exporter : {postgres_.get(), redis_.get(), blackbox_.get()}) {
      sum += MemoryOf(exporter->pid()).proportional;
    }
    for (const auto& process : processes_) sum += MemoryOf(process->pid()).proportional;
    return sum;
  }

 private:
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.File(name)) << text;
  }
  Result<> Add(std::vector<std::string> argv) {
    TOCSIN_ASSIGN_OR_RETURN(auto process, ChildProcess::Start({.argv = std::move(argv)}));
    processes_.push_back(std::move(process));
    return {};
  }

  testing::TemporaryFolder folder_;
  int prometheus_port_ = 0;
  std::unique_ptr<testing::PackagedExporter> postgres_;
  std::unique_ptr<testing::PackagedExporter> redis_;
  std::unique_ptr<testing::PackagedExporter> blackbox_;
  std::vector<std::unique_ptr<ChildProcess>> processes_;
};

}  // namespace

Result<std::vector<Row>> MeasureMemory(const Effort& effort) {
  TOCSIN_ASSIGN_OR_RETURN(const auto postgres, StartWatchedPostgres(10));
  TOCSIN_ASSIGN_OR_RETURN(
      const auto pgbouncer,
      testing::PgbouncerServer::Start(
          {.databases = {{"shop", fmt::format("host=127.0.0.1 port={}", postgres->port())}}}));
  TOCSIN_ASSIGN_OR_RETURN(const auto redis, testing::RedisServer::Start());
  QuickWeb web(-1);
  const std::string health_url = fmt::format("http://127.0.0.1:{}/health", web.port());
  Stack stack;
  TOCSIN_RETURN_IF_ERROR(stack.Start(*postgres, *redis, health_url));
  TOCSIN_ASSIGN_OR_RETURN(
      const auto daemon,
      testing::DaemonProcess::Start(fmt::format(
          "postgres: [ {{ name: db, dsn: \"{}\" }} ]\n"
          "pgbouncer: [ {{ name: pool, password: stats-password, dsn: \"{}\" }} ]\n"
          "redis: [ {{ name: cache, url: '{}' }} ]\n"
          "http: [ {{ name: app, url: '{}' }} ]\n"
          "prometheus: [ {{ name: page, url: 'http://127.0.0.1:{}/metrics' }} ]\n"
          "host: [ {{ name: self }} ]\n"
          "rules: [ {rules}/booking-platform.yaml, {rules}/tocsin.yaml ]\n",
          postgres->Dsn("user=tocsin dbname=shop"), pgbouncer->ConsoleDsn(), redis->Url(),
          health_url, stack.prometheus_port(), fmt::arg("rules", TOCSIN_SOURCE_DIR "/rules"))));
  std::this_thread::sleep_for(effort.quick ? seconds(60) : seconds(3600));
  if (daemon->Query("count(up == 1)") != 7) {  // The six and itself.
    return Error{ErrorCode::kUnavailable, "not all targets answer:\n" + daemon->Output()};
  }

  const double theirs = stack.ProportionalMegabytes();
  const Memory memory = MemoryOf(daemon->process().pid());
  std::vector<Row> rows = {
      {"anonymous memory, a target of each kind",
       "MB",
       {},
       memory.anonymous,
       "under 10",
       memory.anonymous < kMostAnonymousMegabytes},
      {"proportional memory beside the stack's", "MB", theirs, memory.proportional, "at most 1/5",
       memory.proportional <= theirs / kFractionOfTheStack}};
  std::vector<std::pair<double, std::string>> parts;
  for (const auto& [file, megabytes] : memory.by_file) {
    if (megabytes >= kLeastShownMegabytes) {
      parts.emplace_back(megabytes, file.empty() ? "heap, stacks and the like" : file);
    }
  }
  std::sort(parts.rbegin(), parts.rend());
  for (const auto& [megabytes, name] : parts) {
    rows.push_back({"  of it " + name, "MB", {}, megabytes, "", true});
  }
  return rows;
}

}  // namespace tocsin::bench
