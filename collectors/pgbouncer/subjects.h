#pragma once

// What each SHOW command becomes: one row of a table per metric. Columns that a
// version of PgBouncer does not have are skipped, those it adds are ignored.

#include <cstdint>
#include <span>
#include <string_view>

#include "collectors/pgbouncer/console.h"
#include "daemon/model/metric_batch.h"

namespace tocsin::collectors::pgbouncer {

// Whose names of SHOW STATS_TOTALS: pgbouncer_exporter 0.12's pgbouncer_stats_totals_…,
// the pgbouncer_stats_… of 0.10 and before, or both.
enum class Names { k012, k010, kAll };

struct Subject {
  std::string_view name;  // The label `collector` of its success.
  std::string_view show;  // The command after SHOW.
  // Runs the command and fills `batch`; returns how many rows or groups were left out.
  // Errors as Console::Show.
  Result<std::int64_t> (*collect)(const Subject& subject, Names names, Console& console,
                                  const Deadline& deadline, model::MetricBatch& batch);
};

// In the order they are run: what says most about saturation first.
std::span<const Subject> Subjects();

// Pools, databases and statistics rows exported at most, each.
inline constexpr std::int64_t kMaxExportedRows = 10'000;

// (database, user, application_name, state) groups of clients exported at most:
// the application chooses its name, so it may choose many.
inline constexpr std::size_t kMaxClientGroups = 1'000;

}  // namespace tocsin::collectors::pgbouncer
