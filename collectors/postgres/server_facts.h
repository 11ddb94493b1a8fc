#pragma once

// What is asked of a server once per connection: its version, which columns its
// statistics have, where its extensions are. Subjects choose their SQL by the
// columns that are there, not by the version alone: forks move things.

#include <set>
#include <string>
#include <string_view>

#include "collectors/postgres/connection.h"

namespace tocsin::collectors::postgres {

struct ServerFacts {
  int version = 0;            // 150020 for 15.20.
  std::string version_text;   // version().
  std::string short_version;  // "15.20.0", as postgres_exporter prints it.
  std::string database;       // The one we are connected to.
  // Schema of pg_stat_statements, quoted; empty if this database does not have it.
  std::string statements_schema;
  // Whether server and client are one host, as the server sees it.
  bool is_same_host = false;
  // Our role, quoted, if it may not read what other users do: it lacks pg_monitor.
  std::string blind_role;

  // "relation" and "relation.column" of the statistics views.
  std::set<std::string, std::less<>> columns;
  bool Has(std::string_view what) const { return columns.contains(what); }
  // Whether statistics are in memory that all backends share, as from 15 on.
  static constexpr int kVersionThatSharesStatistics = 150'000;
  bool SharesStatistics() const { return version >= kVersionThatSharesStatistics; }
};

// Sets the limits of a new connection (lock_timeout, statement_timeout, no JIT, an
// empty search path; UTF-8, or bytes as they are where the server knows no encoding) and
// asks for the facts. Errors: as Connection::Query.
Result<ServerFacts> PrepareSession(Connection& connection, Millis statement_timeout);

// The same for a connection to another database of a server whose facts are known: one
// round trip. Extensions are not looked for. Errors: as Connection::Query.
Result<ServerFacts> PrepareVisit(Connection& connection, Millis statement_timeout,
                                 const ServerFacts& known, const std::string& database);

// Looks for pg_stat_statements and its columns anew: it may be created, updated, moved or
// dropped while a connection is kept. A failure leaves `facts` as they are. Errors: as
// Connection::Query.
Result<> RefreshExtensions(Connection& connection, ServerFacts& facts);

// ServerFacts::blind_role as it is now: a grant needs no new connection.
Result<std::string> FindBlindRole(Connection& connection);

// Where statistics are shared a backend copies whatever it reads of them and keeps the copies
// until the transaction ends. This column, the last of a query that reads those of each object
// `oid`, has it let them go every so often, between two objects.
std::string ForgetStatisticsSql(const ServerFacts& server, std::string_view oid);

}  // namespace tocsin::collectors::postgres
