#pragma once

// The databases of a server that have no series of their own, because of the limit or of the
// user's filter: what they count is shown as a sum, so that the whole server stays visible.

#include <span>
#include <string_view>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

struct DatabaseCounter {
  std::string_view metric;  // Of a database that has series: "pg_stat_database_…".
  std::string_view help;
  int column = 0;
};

// Adds tocsin_postgres_other_databases_*_total, monotone, once there is another one. `rows`
// begin with a database's oid and name, and are those of all databases; a row without a
// name is of none. Uses the objects of the subject's memory.
void CountOtherDatabases(SubjectRun& run, const Rows& rows,
                         std::span<const DatabaseCounter> counters);

}  // namespace tocsin::collectors::postgres
