#pragma once

// Sizes of tables as they are on the disk. Asking for one opens the table, so those
// that somebody holds, or waits to hold, in ACCESS EXCLUSIVE mode are passed over; the
// lock_timeout of the session is the backstop for a race. A few at a time, each again
// after nine minutes.

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

struct TableSize {
  double table = 0;    // With its TOAST table, maps and forks; bytes.
  double indexes = 0;  // Bytes.
  // On the disk. Without: what the catalogue knows, of the last vacuum or analyze.
  std::optional<SteadyTime> read_at;
};
using TableSizes = std::unordered_map<std::string, TableSize>;  // By oid.

// Of `oids`, tables of the database connected to; what was read within the last half hour is
// known, and sizes of all others are forgotten. Reads those that are due, as far as there is
// time. Errors: as SubjectRun::Query, of what the catalogue knows.
Result<TableSizes> ReadTableSizes(SubjectRun& run, const std::vector<std::string>& oids);

}  // namespace tocsin::collectors::postgres
