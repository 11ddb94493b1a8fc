// What PostgreSQL spends on being watched, by its own count, with Tocsin and with
// postgres_exporter at the same interval on the same servers; and the page of all the
// series of 10,000 tables.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "daemon/base/clock.h"
#include "tests/bench/collectors/parts.h"
#include "tests/bench/collectors/process_numbers.h"
#include "tests/bench/collectors/watched_postgres.h"
#include "tests/support/daemon_process.h"

namespace tocsin::bench {
namespace {

using std::chrono::seconds;
using testing::DaemonProcess;
using testing::PostgresServer;

constexpr int kTables = 10'000;
constexpr seconds kInterval{15};                        // The default.
constexpr std::chrono::milliseconds kBackendCheck{50};  // Some live for a moment only.
// A tenth of the 105 MB that postgres_exporter's was measured to have, pages that it shares
// with others among them; here only what is its own is counted, of both.
constexpr double kMostBackendMegabytes = 10.5;
// What postgres_exporter 0.11.1 does not do unless told to.
constexpr const char* kWithoutTables =
    "collectors: { user_tables: off, general_index_info: off, sequences: off }";

// Whoever asks one server again and again, under a role of its own.
struct Watcher {
  PostgresServer* server;
  std::string role;
  double polls = 0;
  double backend_megabytes = 0;  // The most that was seen.

  void LookAtBackend() {
    backend_megabytes = std::max(backend_megabytes, LargestBackendMegabytes(*server, role));
  }
  Result<double> MillisPerPoll() const {
    TOCSIN_ASSIGN_OR_RETURN(const double millis, ServerMillis(*server, role));
    if (polls == 0) return Error{ErrorCode::kUnavailable, role + " never came"};
    return millis / polls;
  }
};

Result<std::unique_ptr<DaemonProcess>> Watch(const Watcher& watcher, const std::string& more) {
  return DaemonProcess::Start(
      fmt::format("rules: []\npostgres:\n  - name: db\n    dsn: \"{}\"\n    {}\n",
                  watcher.server->Dsn("user=" + watcher.role + " dbname=shop"), more));
}

Row Ratio(const std::string& work, const std::string& unit, double exporter, double tocsin,
          double least) {
  return {work,
          unit,
          exporter,
          tocsin,
          fmt::format("at most 1/{:.0f}", least),
          tocsin <= exporter / least};
}

}  // namespace

Result<std::vector<Row>> MeasurePostgresCost(const Effort& effort) {
  TOCSIN_ASSIGN_OR_RETURN(const auto small, StartWatchedPostgres(10));
  TOCSIN_ASSIGN_OR_RETURN(const auto large, StartWatchedPostgres(effort.quick ? 500 : kTables));
  Watcher ours[] = {
      {small.get(), "tocsin"}, {large.get(), "tocsin"}, {large.get(), "tocsin_tables"}};
  Watcher theirs[] = {
      {small.get(), "exporter"}, {large.get(), "exporter"}, {large.get(), "exporter_tables"}};
  std::vector<std::unique_ptr<DaemonProcess>> daemons;
  std::vector<std::unique_ptr<testing::PackagedExporter>> exporters;
  for (int i = 0; i < 3; ++i) {
    // On a small server: as it comes, its few tables included.
    TOCSIN_ASSIGN_OR_RETURN(auto daemon, Watch(ours[i], i == 1 ? kWithoutTables : ""));
    daemons.push_back(std::move(daemon));
    TOCSIN_ASSIGN_OR_RETURN(auto exporter,
                            StartPostgresExporter(*theirs[i].server, theirs[i].role, i == 2));
    exporters.push_back(std::move(exporter));
  }
  const SystemClock clock;
  const SteadyTime end = clock.SteadyNow() + (effort.quick ? seconds(60) : seconds(600));
  for (SteadyTime next = clock.SteadyNow(); next < end; next += kInterval) {
    for (int i = 0; i < 3; ++i) {
      TOCSIN_RETURN_IF_ERROR(ReadMetrics(exporters[i]->port(), "/metrics"));
      ++theirs[i].polls;
    }
    while (clock.SteadyNow() < next + kInterval) {
      for (Watcher* watcher : {&ours[2], &theirs[2]}) watcher->LookAtBackend();
      std::this_thread::sleep_for(kBackendCheck);
    }
  }
  for (int i = 0; i < 3; ++i) {
    ours[i].polls = daemons[i]->Query("pg_exporter_scrapes_total").value_or(0);
  }

  std::vector<Row> rows;
  const std::pair<const char*, double> works[] = {
      {"server time per poll, small database", 2},
      {"the same, 10,000 tables, default subjects", 10},
      {"the same, table subjects on", 3},
  };
  for (int i = 0; i < 3; ++i) {
    TOCSIN_ASSIGN_OR_RETURN(const double exporter, theirs[i].MillisPerPoll());
    TOCSIN_ASSIGN_OR_RETURN(const double tocsin, ours[i].MillisPerPoll());
    rows.push_back(Ratio(works[i].first, "ms", exporter, tocsin, works[i].second));
  }
  rows.push_back({"  memory of its backend, table subjects on", "MB", theirs[2].backend_megabytes,
                  ours[2].backend_megabytes, fmt::format("at most {}", kMostBackendMegabytes),
                  ours[2].backend_megabytes <= kMostBackendMegabytes});
  return rows;
}

Result<std::vector<Row>> MeasureAllTables(const Effort& effort) {
  const int tables = effort.quick ? 500 : kTables;
  TOCSIN_ASSIGN_OR_RETURN(const auto server, StartWatchedPostgres(tables));
  Watcher ours{server.get(), "tocsin_tables"};
  TOCSIN_ASSIGN_OR_RETURN(
      const auto daemon,
      Watch(ours, fmt::format("timeout: 14s\n    collectors: {{ user_tables: {{ limit: {} }} }}",
                              tables)));
  TOCSIN_ASSIGN_OR_RETURN(const auto exporter,
                          StartPostgresExporter(*server, "exporter_tables", true));
  if (!daemon->WaitForValue("count(pg_stat_user_tables_n_live_tup)", tables, seconds(60))) {
    return Error{ErrorCode::kUnavailable, "not all tables are shown:\n" + daemon->Output()};
  }

  const SystemClock clock;
  const auto median = [&](auto get) -> Result<double> {
    std::vector<double> millis;
    for (int run = 0; run < (effort.quick ? 1 : 5); ++run) {
      const SteadyTime begin = clock.SteadyNow();
      TOCSIN_RETURN_IF_ERROR(get());
      millis.push_back(ToSeconds(clock.SteadyNow() - begin) * 1e3);
    }
    std::nth_element(millis.begin(), millis.begin() + millis.size() / 2, millis.end());
    return millis[millis.size() / 2];
  };
  TOCSIN_ASSIGN_OR_RETURN(const double theirs,
                          median([&] { return ReadMetrics(exporter->port(), "/metrics"); }));
  TOCSIN_ASSIGN_OR_RETURN(
      const double page, median([&] { return ReadMetrics(daemon->port(), "/metrics?target=db"); }));
  return std::vector<Row>{
      {"page of all series of 10,000 tables", "ms", theirs, page, "5x faster", page <= theirs / 5},
      {"  series that Tocsin shows",
       "",
       {},
       daemon->Query("count({job=\"postgres\"})").value_or(0),
       "",
       true},
      Ratio("  resident memory", "MB", ResidentMegabytes(exporter->pid()),
            ResidentMegabytes(daemon->process().pid()), 3)};
}

}  // namespace tocsin::bench
