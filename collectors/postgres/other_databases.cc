#include "collectors/postgres/other_databases.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace tocsin::collectors::postgres {

void CountOtherDatabases(SubjectRun& run, const Rows& rows,
                         std::span<const DatabaseCounter> counters) {
  std::vector<TopObjects::Object> objects;
  for (int row = 0; row < rows.size(); ++row) {
    if (rows.IsNull(row, 1)) continue;
    TopObjects::Object object;
    object.key = rows.Text(row, 0);
    object.may_be_chosen = run.Shows(rows.Text(row, 1));
    for (const DatabaseCounter& counter : counters) {
      object.counters.push_back(rows.Number(row, counter.column).value_or(0));
    }
    objects.push_back(std::move(object));
  }
  TopObjects& top = run.memory.objects;
  top.Choose(objects, objects.size(), run.context.clock.SteadyNow());

  constexpr std::string_view kPrefix = "pg_stat_database_";
  for (std::size_t i = 0; i < std::min(top.others().size(), counters.size()); ++i) {
    std::string name(counters[i].metric.substr(kPrefix.size()));
    if (!name.ends_with("_total")) name += "_total";
    const auto family =
        run.out.Declare("tocsin_postgres_other_databases_" + name,
                        std::string(counters[i].help) + "; all without series of their own",
                        model::MetricType::kCounter);
    run.out.Add(family, {}, top.others()[i]);
  }
}

}  // namespace tocsin::collectors::postgres
