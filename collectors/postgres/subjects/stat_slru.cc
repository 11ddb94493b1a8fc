#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr ValueColumn Counter(std::string_view metric, std::string_view sql,
                              std::string_view help) {
  return {metric, model::MetricType::kCounter, sql, help};
}

}  // namespace

// The small caches of transaction states and the like.
Result<> CollectStatSlru(SubjectRun& run) {
  static const Select select{.labels = {{"name", "name"}},
                             .values = {Counter("tocsin_postgres_slru_blocks_hit_total", "blks_hit",
                                                "Blocks found in the cache"),
                                        Counter("tocsin_postgres_slru_blocks_read_total",
                                                "blks_read", "Blocks read from disk"),
                                        Counter("tocsin_postgres_slru_blocks_written_total",
                                                "blks_written", "Blocks written to disk"),
                                        Counter("tocsin_postgres_slru_flushes_total", "flushes",
                                                "Times dirty blocks were flushed")},
                             .from = "pg_stat_slru"};
  return CollectSelect(run, select);
}

}  // namespace tocsin::collectors::postgres
