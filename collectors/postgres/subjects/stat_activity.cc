#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

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

// What each profile tells the sessions of one state apart by.
std::vector<std::string_view> ExtraLabels(Names names) {
  if (names == Names::k011) return {};
  if (names == Names::k015) return {"usename", "application_name"};
  return {"usename", "application_name", "backend_type", "wait_event_type", "wait_event"};
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
  std::vector<std::string_view> labels = {"datname", "state"};
  std::string columns = "datname, state";
  for (const auto label : ExtraLabels(run.options.names)) {
    labels.push_back(label);
    columns.append(", ").append(label);
  }
  const int label_count = static_cast<int>(labels.size());
  TOCSIN_ASSIGN_OR_RETURN(
      const Rows rows,
      run.Query("SELECT " + columns +
                ", count(*), max(extract(epoch FROM now() - xact_start)) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname IS NOT NULL AND state IS NOT NULL"
                " GROUP BY " +
                columns));

  const Emitter::LabelValues label_names(labels.data(), labels.size());
  const auto count =
      run.out.Declare("pg_stat_activity_count", kCountHelp, MetricType::kGauge, label_names);
  const auto duration = run.out.Declare("pg_stat_activity_max_tx_duration", kDurationHelp,
                                        MetricType::kGauge, label_names);
  std::set<std::pair<std::string_view, std::string_view>> seen;
  Others others;
  const auto type = std::find(labels.begin(), labels.end(), "backend_type") - labels.begin();
  std::vector<std::string_view> values(labels.size());
  for (int row = 0; row < rows.size(); ++row) {
    for (int label = 0; label < label_count; ++label) values[label] = rows.Text(row, label);
    const double sessions = rows.Number(row, label_count).value_or(0);
    if (!run.Shows(values[0])) {
      others[{values[1], type < label_count ? values[type] : std::string_view()}] += sessions;
      continue;
    }
    seen.emplace(values[0], values[1]);
    run.out.Add(count, Emitter::LabelValues(values), sessions);
    run.out.Add(duration, Emitter::LabelValues(values),
                rows.Number(row, label_count + 1).value_or(0));
  }
  std::fill(values.begin(), values.end(), std::string_view());
  for (const Database& database : run.databases) {
    for (const auto state : kStates) {
      if (seen.contains({database.name, state})) continue;
      values[0] = database.name;
      values[1] = state;
      run.out.Add(count, Emitter::LabelValues(values), 0);
      run.out.Add(duration, Emitter::LabelValues(values), 0);
    }
  }
  ShowOthers(run, others, type < label_count);
  return {};
}

}  // namespace tocsin::collectors::postgres
