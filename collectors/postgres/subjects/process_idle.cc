#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr std::array<double, 9> kBounds = {1, 2, 5, 15, 30, 60, 90, 120, 300};

struct Idle {
  std::array<std::uint64_t, kBounds.size() + 1> counts{};
  double sum = 0;
};

}  // namespace

// How long the sessions that are idle now have been: a snapshot, not a history.
Result<> CollectProcessIdle(SubjectRun& run) {
  const bool by_state = run.options.names != Names::k011;
  TOCSIN_ASSIGN_OR_RETURN(
      const Rows rows,
      run.Query("SELECT state, application_name, floor(extract(epoch FROM now() - state_change)),"
                " count(*) FROM pg_stat_activity WHERE state_change IS NOT NULL"
                " AND pid <> pg_backend_pid() AND " +
                std::string(by_state ? "state LIKE 'idle%'" : "state = 'idle'") +
                " GROUP BY 1, 2, 3"));
  std::map<std::pair<std::string_view, std::string_view>, Idle> groups;
  for (int row = 0; row < rows.size(); ++row) {
    Idle& idle = groups[{rows.Text(row, 0), rows.Text(row, 1)}];
    const double seconds = rows.Number(row, 2).value_or(0);
    const double count = rows.Number(row, 3).value_or(0);
    std::size_t bucket = 0;
    while (bucket < kBounds.size() && seconds > kBounds[bucket]) ++bucket;
    idle.counts[bucket] += static_cast<std::uint64_t>(count);
    idle.sum += seconds * count;
  }
  constexpr std::string_view kLabels[] = {"state", "application_name"};
  const std::size_t skipped = by_state ? 0 : 1;
  const auto family = run.out.Declare("pg_process_idle_seconds", "Idle time of server processes",
                                      model::MetricType::kHistogram,
                                      Emitter::LabelValues(kLabels).subspan(skipped));
  for (const auto& [labels, idle] : groups) {
    const std::array<std::string_view, 2> values = {labels.first, labels.second};
    run.out.AddHistogram(family, Emitter::LabelValues(values).subspan(skipped),
                         {kBounds, idle.counts, idle.sum});
  }
  return {};
}

}  // namespace tocsin::collectors::postgres
