#pragma once

// Sizes of tables as they are on the disk. Asking for one opens the table, so those
// that somebody holds, or waits to hold, in ACCESS EXCLUSIVE mode are passed over; the
// lock_timeout of the session is the backstop for a race. A few at a time, each again
// after nine minutes.

#include <optional>
#include <string>
#include <vector>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

struct TableSize {
  double table = 0;    // With its TOAST table, maps and forks; bytes.
  double indexes = 0;  // Bytes.
  SteadyTime read_at{};
};

// Reads those of `oids` (tables of the database connected to) that are due, as far as
// there is time; sizes of all others are forgotten. A failure leaves what is known.
void RefreshTableSizes(SubjectRun& run, const std::vector<std::string>& oids);

// Nothing if it was not read within the last half hour.
std::optional<TableSize> KnownTableSize(const SubjectRun& run, const std::string& oid);

}  // namespace tocsin::collectors::postgres
