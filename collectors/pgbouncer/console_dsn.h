#pragma once

// How a console is named in configurations, and what to do when it refuses us. Pure,
// but that libpq's environment variables count.

#include <string>

#include "collectors/pgbouncer/console.h"
#include "daemon/base/result.h"

namespace tocsin::collectors::pgbouncer {

// A libpq connection string or URI of one PgBouncer, with our defaults.
// Errors: kInvalidArgument; the message never quotes `dsn`, which may hold a password.
Result<ConsoleAddress> ParseConsoleDsn(const std::string& dsn);

// How to mend a refusal of PgBouncer's; empty if something else is wrong.
std::string RemedyFor(const Error& error);

}  // namespace tocsin::collectors::pgbouncer
