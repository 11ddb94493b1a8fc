#include <map>
#include <string>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr std::string_view kWaiting =
    "pg_stat_activity a WHERE a.wait_event_type = 'Lock' AND a.datname IS NOT NULL";
constexpr std::string_view kSeconds = "extract(epoch FROM clock_timestamp() - a.query_start)";

// Who stands directly before each. Finding that out stops the lock manager for a
// moment, so it is asked for a hundred sessions at most.
Result<> CollectBlockers(SubjectRun& run) {
  static const std::string from =
      "(SELECT a.datname, pg_blocking_pids(a.pid) AS blockers, " + std::string(kSeconds) +
      " AS seconds FROM " + std::string(kWaiting) +
      " ORDER BY a.query_start LIMIT 100) w, LATERAL unnest(w.blockers) AS b (pid)"
      " LEFT JOIN pg_stat_activity a ON a.pid = b.pid"
      " GROUP BY w.datname, b.pid, a.usename, a.application_name, a.state, a.wait_event_type"
      " ORDER BY count(*) DESC, b.pid LIMIT 20";
  static const Select blockers{
      .labels = {{"datname", "w.datname"},
                 {"pid", "b.pid"},
                 {"usename", "coalesce(a.usename, '')"},
                 {"application_name", "coalesce(a.application_name, '')"},
                 {"state", "coalesce(a.state, '')"},
                 {"waits", "CASE WHEN a.wait_event_type = 'Lock' THEN 'yes' ELSE 'no' END"}},
      .values = {{.metric = "tocsin_postgres_blocker_sessions",
                  .sql = "count(*)",
                  .help =
                      "Sessions that this one stands before; it is a root of the tree unless it "
                      "waits itself. The twenty that block most"},
                 {.metric = "tocsin_postgres_blocker_longest_seconds",
                  .sql = "max(w.seconds)",
                  .help = "How long ago the oldest statement began that this session blocks"}},
      .from = from,
      .by_database = true};
  return CollectSelect(run, blockers);
}

}  // namespace

// Who blocks whom, and for how long at most: a tree whose roots are the blockers that
// wait for nobody.
Result<> CollectBlocking(SubjectRun& run) {
  TOCSIN_ASSIGN_OR_RETURN(const Rows rows,
                          run.Query("SELECT a.datname, count(*), max(" + std::string(kSeconds) +
                                    ") FROM " + std::string(kWaiting) + " GROUP BY a.datname"));
  std::map<std::string_view, int> row_of;
  for (int row = 0; row < rows.size(); ++row) row_of[rows.Text(row, 0)] = row;
  const auto sessions = run.out.Declare("tocsin_postgres_blocked_sessions",
                                        "Sessions that wait for another one's lock",
                                        model::MetricType::kGauge, {"datname"});
  const auto longest =
      run.out.Declare("tocsin_postgres_blocked_longest_seconds",
                      "How long ago the oldest statement began that waits for a lock",
                      model::MetricType::kGauge, {"datname"});
  for (const Database& database : run.databases) {
    const auto found = row_of.find(database.name);
    const int row = found == row_of.end() ? -1 : found->second;  // No such row: 0.
    run.out.Add(sessions, {database.name}, rows.Number(row, 1).value_or(0));
    run.out.Add(longest, {database.name}, rows.Number(row, 2).value_or(0));
  }
  return rows.size() > 0 ? CollectBlockers(run) : Result<>();
}

}  // namespace tocsin::collectors::postgres
