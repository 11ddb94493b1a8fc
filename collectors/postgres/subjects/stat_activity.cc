#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

using model::MetricType;

constexpr std::string_view kStates[] = {"active",
                                        "idle",
                                        "idle in transaction",
                                        "idle in transaction (aborted)",
                                        "fastpath function call",
                                        "disabled"};

constexpr std::string_view kCountHelp = "number of connections in this state";
constexpr std::string_view kDurationHelp =
    "max duration in seconds any active transaction has been running";

// The columns of the query; the first are the labels, of which older profiles have fewer.
constexpr std::string_view kLabels[] = {"datname",          "state",        "usename",
                                        "application_name", "backend_type", "wait_event_type",
                                        "wait_event"};
constexpr int kBackendType = 4;
constexpr int kWaitEventType = 5;
constexpr int kWaitEvent = 6;
constexpr int kCount = 7;
constexpr int kTransactionSeconds = 8;

std::size_t LabelCountOf(Names names) {
  if (names == Names::k011) return 2;
  return names == Names::k015 ? 4 : std::size(kLabels);
}

struct Sessions {
  double count = 0;
  double longest_transaction_seconds = 0;
};

void ShowWaitEvents(SubjectRun& run, const Rows& rows) {
  std::map<std::array<std::string_view, 3>, double> waits;
  for (int row = 0; row < rows.size(); ++row) {
    if (rows.IsNull(row, kWaitEventType)) continue;  // It works.
    waits[{rows.Text(row, kWaitEventType), rows.Text(row, kWaitEvent),
           rows.Text(row, kBackendType)}] += rows.Number(row, kCount).value_or(0);
  }
  const auto family = run.out.Declare(
      "tocsin_postgres_wait_events",
      "Processes of the server that wait, its own and idle sessions too, by what they wait for",
      MetricType::kGauge, {"wait_event_type", "wait_event", "backend_type"});
  for (const auto& [labels, count] : waits)
    run.out.Add(family, Emitter::LabelValues(labels), count);
}

// By state and, where the profile knows it, backend_type. Sessions of databases without
// series of their own take connections of the server all the same.
using Others = std::map<std::pair<std::string_view, std::string_view>, double>;

void ShowOthers(SubjectRun& run, const Others& others, bool with_type) {
  constexpr std::string_view kLabels[] = {"state", "backend_type"};
  const std::size_t count = with_type ? 2 : 1;
  if (others.empty()) return;
  const auto family =
      run.out.Declare("tocsin_postgres_other_connections",
                      "Connections in this state to all databases without series of their own",
                      MetricType::kGauge, Emitter::LabelValues(kLabels, count));
  for (const auto& [key, number] : others) {
    const std::string_view values[] = {key.first, key.second};
    run.out.Add(family, Emitter::LabelValues(values, count), number);
  }
}

}  // namespace

// Our own connection is not counted. States that a database has no session in are
// there with zero: dashboards and absent() rely on them.
Result<> CollectStatActivity(SubjectRun& run) {
  TOCSIN_ASSIGN_OR_RETURN(
      const Rows rows,
      run.Query("SELECT datname, state, usename, application_name, backend_type, wait_event_type,"
                " wait_event, count(*), max(extract(epoch FROM now() - xact_start))"
                " FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " GROUP BY 1, 2, 3, 4, 5, 6, 7"));
  ShowWaitEvents(run, rows);

  const std::size_t label_count = LabelCountOf(run.options.names);
  std::map<std::vector<std::string_view>, Sessions> groups;
  std::set<std::pair<std::string_view, std::string_view>> seen;
  Others others;
  const bool with_type = label_count > kBackendType;
  for (int row = 0; row < rows.size(); ++row) {
    // A background process has neither; one that we may not see has no state.
    if (rows.IsNull(row, 0) || rows.IsNull(row, 1)) continue;
    const double count = rows.Number(row, kCount).value_or(0);
    if (!run.Shows(rows.Text(row, 0))) {
      others[{rows.Text(row, 1), with_type ? rows.Text(row, kBackendType) : ""}] += count;
      continue;
    }
    seen.emplace(rows.Text(row, 0), rows.Text(row, 1));
    std::vector<std::string_view> values(label_count);
    for (std::size_t i = 0; i < label_count; ++i) values[i] = rows.Text(row, static_cast<int>(i));
    Sessions& sessions = groups[std::move(values)];
    sessions.count += count;
    sessions.longest_transaction_seconds = std::max(
        sessions.longest_transaction_seconds, rows.Number(row, kTransactionSeconds).value_or(0));
  }
  for (const Database& database : run.databases) {
    for (const auto state : kStates) {
      if (seen.contains({database.name, state})) continue;
      std::vector<std::string_view> values(label_count);
      values[0] = database.name;
      values[1] = state;
      groups.emplace(std::move(values), Sessions());
    }
  }
  ShowOthers(run, others, with_type);

  const Emitter::LabelValues labels(kLabels, label_count);
  const auto count =
      run.out.Declare("pg_stat_activity_count", kCountHelp, MetricType::kGauge, labels);
  const auto duration = run.out.Declare("pg_stat_activity_max_tx_duration", kDurationHelp,
                                        MetricType::kGauge, labels);
  for (const auto& [values, sessions] : groups) {
    run.out.Add(count, Emitter::LabelValues(values), sessions.count);
    run.out.Add(duration, Emitter::LabelValues(values), sessions.longest_transaction_seconds);
  }
  return {};
}

}  // namespace tocsin::collectors::postgres
