#pragma once

// What a PostgreSQL server lacks for a whole collection, and the role that sees all of
// it: for `tocsin doctor`, discovery and `tocsin setup postgres` (kSetup of postgres.h).

#include "collectors/advice.h"
#include "collectors/collector.h"
#include "collectors/postgres/postgres_config.h"

namespace tocsin::collectors::postgres {

// One collection and a look at the role's rights, pg_stat_statements, settings and the
// clock. Logs in twice.
Examination Examine(const PostgresOptions& options, const CollectorEnvironment& environment,
                    const CollectContext& context);

// How to mend a failed login, or what a collection noted; empty if that is not known.
std::string RemedyFor(const PostgresOptions& options, const Error& error);

// `name` as SQL takes it: "tocsin", or "\"Tocsin 2\"" in quotes.
std::string QuoteIdentifier(std::string_view name);

// The role that connects: of the options, PGUSER, or the user this process runs as.
std::string RoleOf(const PostgresOptions& options);

}  // namespace tocsin::collectors::postgres
