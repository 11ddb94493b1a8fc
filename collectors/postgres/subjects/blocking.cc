#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

using model::MetricType;

constexpr std::size_t kMostBlockers = 20;
constexpr std::size_t kMostEdges = 100;
constexpr int kVersionWithWaitStart = 140'000;

constexpr std::string_view kWaiting =
    "pg_stat_activity a WHERE a.wait_event_type = 'Lock' AND a.datname IS NOT NULL";
constexpr std::string_view kSeconds = "extract(epoch FROM clock_timestamp() - a.query_start)";

// The columns of EdgesSql().
enum Column {
  kDatname,
  kPid,
  kBlockerPid,
  kStatementSeconds,
  kWaitSeconds,
  kUsename,
  kApplicationName,
  kState,
  kWaits
};

// Who stands directly before each, those that have waited longest first. Finding that out
// stops the lock manager for a moment, so it is asked for a hundred sessions at most.
std::string EdgesSql(const ServerFacts& server) {
  const bool has_start = server.version >= kVersionWithWaitStart;
  std::string sql = "SELECT w.datname, w.pid, b.pid, w.seconds, ";
  // Before 14 nobody knows since when it waits, and later not at once.
  sql += has_start ? "coalesce(extract(epoch FROM clock_timestamp() - l.since), w.seconds)"
                   : "w.seconds";
  sql +=
      ", coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.state, ''),"
      " CASE WHEN a.wait_event_type = 'Lock' THEN 'yes' ELSE 'no' END"
      " FROM (SELECT a.datname, a.pid, pg_blocking_pids(a.pid) AS blockers, ";
  sql.append(kSeconds).append(" AS seconds FROM ").append(kWaiting);
  sql += " ORDER BY a.query_start LIMIT 100) w";
  if (has_start) {
    sql +=
        " LEFT JOIN (SELECT pid, min(waitstart) AS since FROM pg_locks WHERE NOT granted"
        " GROUP BY pid) l ON l.pid = w.pid";
  }
  // One that works in parallel is among the blockers once for each of its processes.
  return sql +
         ", LATERAL (SELECT DISTINCT unnest(w.blockers) AS pid) b"
         " LEFT JOIN pg_stat_activity a ON a.pid = b.pid ORDER BY 5 DESC, 2, 3";
}

// The prepared transactions that hold what a session waits for, by its pid. One that holds
// it in a mode that is in nobody's way is taken for a blocker, too.
using PreparedBlockers = std::multimap<std::string, std::string, std::less<>>;

Result<PreparedBlockers> FindPreparedBlockers(SubjectRun& run) {
  TOCSIN_ASSIGN_OR_RETURN(
      const Rows rows,
      run.Query(
          "WITH l AS MATERIALIZED (SELECT locktype, database, relation, page, tuple, virtualxid,"
          " transactionid, classid, objid, objsubid, virtualtransaction, pid, granted"
          " FROM pg_locks)"
          " SELECT DISTINCT w.pid, p.gid FROM l w JOIN l h ON h.granted AND h.pid IS NULL"
          " AND (h.locktype, h.database, h.relation, h.page, h.tuple, h.virtualxid,"
          " h.transactionid, h.classid, h.objid, h.objsubid) IS NOT DISTINCT FROM"
          " (w.locktype, w.database, w.relation, w.page, w.tuple, w.virtualxid,"
          " w.transactionid, w.classid, w.objid, w.objsubid)"
          // Which transaction that is, its lock on its own number tells.
          " JOIN l own ON own.virtualtransaction = h.virtualtransaction AND own.pid IS NULL"
          " AND own.locktype = 'transactionid' AND own.granted"
          " JOIN pg_prepared_xacts p ON p.transaction = own.transactionid"
          " WHERE NOT w.granted AND w.pid IS NOT NULL ORDER BY 1, 2 LIMIT 1000"));
  PreparedBlockers gids;
  for (int row = 0; row < rows.size(); ++row) gids.emplace(rows.Text(row, 0), rows.Text(row, 1));
  return gids;
}

struct Edge {
  int row = 0;
  std::string gid;  // Of a prepared transaction, which is no process: its pid is 0.
};

Result<std::vector<Edge>> EdgesOf(SubjectRun& run, const Rows& rows) {
  const auto is_prepared = [&](int row) { return rows.Text(row, kBlockerPid) == "0"; };
  PreparedBlockers prepared;
  for (int row = 0; row < rows.size(); ++row) {
    if (!is_prepared(row)) continue;
    TOCSIN_ASSIGN_OR_RETURN(prepared, FindPreparedBlockers(run));
    break;
  }
  std::vector<Edge> edges;
  for (int row = 0; row < rows.size(); ++row) {
    if (!run.Shows(rows.Text(row, kDatname))) continue;
    const auto [begin, end] = prepared.equal_range(rows.Text(row, kPid));
    if (!is_prepared(row) || begin == end) edges.push_back({row, {}});
    for (auto gid = begin; is_prepared(row) && gid != end; ++gid) {
      edges.push_back({row, gid->second});
    }
  }
  return edges;
}

void ShowEdges(SubjectRun& run, const Rows& rows, const std::vector<Edge>& edges) {
  const auto family = run.out.Declare(
      "tocsin_postgres_blocked_by_seconds",
      "How long this session has waited for a lock that the blocker has, or is to have before it. "
      "The hundred that have waited longest",
      MetricType::kGauge, {"datname", "pid", "blocker_pid", "blocker_gid"});
  for (std::size_t i = 0; i < std::min(edges.size(), kMostEdges); ++i) {
    const auto& [row, gid] = edges[i];
    run.out.Add(family,
                {rows.Text(row, kDatname), rows.Text(row, kPid), rows.Text(row, kBlockerPid), gid},
                rows.Number(row, kWaitSeconds).value_or(0));
  }
}

void ShowBlockers(SubjectRun& run, const Rows& rows, const std::vector<Edge>& edges) {
  struct Blocker {
    const Edge* edge = nullptr;  // One of its edges.
    double sessions = 0;
    double longest_seconds = 0;
  };
  std::map<std::tuple<std::string_view, std::string_view, std::string_view>, Blocker> known;
  for (const Edge& edge : edges) {
    Blocker& blocker =
        known[{rows.Text(edge.row, kDatname), rows.Text(edge.row, kBlockerPid), edge.gid}];
    blocker.edge = &edge;
    ++blocker.sessions;
    blocker.longest_seconds =
        std::max(blocker.longest_seconds, rows.Number(edge.row, kStatementSeconds).value_or(0));
  }
  std::vector<Blocker> blockers;
  for (const auto& [key, blocker] : known) blockers.push_back(blocker);
  std::stable_sort(blockers.begin(), blockers.end(), [](const Blocker& one, const Blocker& other) {
    return one.sessions > other.sessions;
  });
  blockers.resize(std::min(blockers.size(), kMostBlockers));

  constexpr std::string_view kLabels[] = {"datname", "pid",   "usename", "application_name",
                                          "state",   "waits", "gid"};
  const auto sessions = run.out.Declare(
      "tocsin_postgres_blocker_sessions",
      "Sessions that this one stands before; it is a root of the tree unless it waits itself. A "
      "prepared transaction has pid 0 and its gid. The twenty that block most",
      MetricType::kGauge, Emitter::LabelValues(kLabels));
  const auto longest =
      run.out.Declare("tocsin_postgres_blocker_longest_seconds",
                      "How long ago the oldest statement began that this session blocks",
                      MetricType::kGauge, Emitter::LabelValues(kLabels));
  for (const Blocker& blocker : blockers) {
    const auto& [row, gid] = *blocker.edge;
    const std::string_view labels[] = {rows.Text(row, kDatname),
                                       rows.Text(row, kBlockerPid),
                                       rows.Text(row, kUsename),
                                       rows.Text(row, kApplicationName),
                                       rows.Text(row, kState),
                                       rows.Text(row, kWaits),
                                       gid};
    run.out.Add(sessions, Emitter::LabelValues(labels), blocker.sessions);
    run.out.Add(longest, Emitter::LabelValues(labels), blocker.longest_seconds);
  }
}

Result<> CollectTree(SubjectRun& run) {
  TOCSIN_ASSIGN_OR_RETURN(const Rows rows, run.Query(EdgesSql(run.server)));
  TOCSIN_ASSIGN_OR_RETURN(const auto edges, EdgesOf(run, rows));
  ShowEdges(run, rows, edges);
  ShowBlockers(run, rows, edges);
  return {};
}

}  // namespace

// Who blocks whom, and for how long: a tree whose roots are the blockers that wait for
// nobody.
Result<> CollectBlocking(SubjectRun& run) {
  TOCSIN_ASSIGN_OR_RETURN(const Rows rows,
                          run.Query("SELECT a.datname, count(*), max(" + std::string(kSeconds) +
                                    ") FROM " + std::string(kWaiting) + " GROUP BY a.datname"));
  std::map<std::string_view, int> row_of;
  for (int row = 0; row < rows.size(); ++row) row_of[rows.Text(row, 0)] = row;
  const auto sessions =
      run.out.Declare("tocsin_postgres_blocked_sessions",
                      "Sessions that wait for another one's lock", MetricType::kGauge, {"datname"});
  const auto longest =
      run.out.Declare("tocsin_postgres_blocked_longest_seconds",
                      "How long ago the oldest statement began that waits for a lock",
                      MetricType::kGauge, {"datname"});
  for (const Database& database : run.databases) {
    const auto found = row_of.find(database.name);
    const int row = found == row_of.end() ? -1 : found->second;  // No such row: 0.
    run.out.Add(sessions, {database.name}, rows.Number(row, 1).value_or(0));
    run.out.Add(longest, {database.name}, rows.Number(row, 2).value_or(0));
  }
  return rows.size() > 0 ? CollectTree(run) : Result<>();
}

}  // namespace tocsin::collectors::postgres
