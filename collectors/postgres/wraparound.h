#pragma once

// When the numbers of transactions, or of multixacts, come to their end.

#include <string_view>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

// Adds, for each database, the days until its oldest number is so old that nothing can be
// written any more. `next` is the number that is given out next, `age` how many were since
// the database's oldest. Nothing as long as none is given out: then it never comes to it.
void ShowWraparoundDays(SubjectRun& run, std::string_view metric, std::string_view help,
                        double next, double Database::*age);

}  // namespace tocsin::collectors::postgres
