#pragma once

// Targets of kind pgbouncer: PgBouncer's admin console, read with SHOW commands
// as a stats_users or admin_users login. Metric names, types and labels are
// pgbouncer_exporter's 0.12; client_maxwait_seconds here includes microseconds.

#include "collectors/collector.h"

namespace tocsin::collectors::pgbouncer {

// Reads `dsn` (a libpq connection string or URI to one PgBouncer; default port
// 6432, default dbname pgbouncer), `password` or `password_file`, which wins
// over one in the dsn, and `names` ("0.12", "0.10" or all: see Names in subjects.h).
// Errors go into the reader's list and never quote the dsn.
ParsedTarget ParsePgbouncerTarget(ConfigReader& reader, FileSystem& files);

// A line of stats_users and an entry of the auth_file.
extern const KindSetup kSetup;

}  // namespace tocsin::collectors::pgbouncer
