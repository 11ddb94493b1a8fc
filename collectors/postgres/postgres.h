#pragma once

// The postgres kind: one PostgreSQL server, its metrics under the names of
// postgres_exporter, and the durations of its statements from its own log.

#include "collectors/collector.h"

namespace tocsin::collectors::postgres {

// Reads a target's own keys: dsn, password(_file), databases, collectors, names,
// log (DESIGN.md section 7). What is wrong goes to the reader's errors, without
// any credential; the target is then only good for being thrown away.
ParsedTarget ParsePostgresTarget(ConfigReader& reader, FileSystem& files);

// A role with LOGIN and pg_monitor, and the extension pg_stat_statements.
extern const KindSetup kSetup;

}  // namespace tocsin::collectors::postgres
