#pragma once

// Who visits one database, once. What a backend remembers of each table and index it was asked
// about it gives back only when it ends, and that is tens of megabytes where there are
// thousands: a visitor leaves and comes back before it is much. There is never more than one
// connection of its, nor does it come while somebody locks the database against it (to copy or
// to move it): it would wait in the server, where nobody counts it.

#include <set>
#include <string>
#include <vector>

#include "collectors/postgres/connection.h"
#include "collectors/postgres/server_facts.h"

namespace tocsin::collectors::postgres {

// The oids of those that are locked against whoever connects, `kept` is asked; none if it
// does not tell.
std::set<std::string, std::less<>> LockedDatabases(Connection& kept);

// Not thread-safe. What it is made from must outlive it.
class Visitor {
 public:
  // To where `options` connects to, which is the database of that oid and name in the server
  // that `kept` is connected to and whose facts are `server`.
  Visitor(const PostgresOptions& options, FileSystem& files, const CollectContext& context,
          Connection& kept, const ServerFacts& server, std::string oid, std::string name);

  // Errors: as Connection::Begin and Query, with the connection lost.
  Result<ServerFacts> Enter();
  // Before the backend remembers so many bytes more. Errors: as Enter(); kUnavailable if the
  // database is locked. They are failure() from then on.
  Result<> MakeRoom(std::size_t bytes);
  const Result<>& failure() const { return failure_; }
  void Leave() { connection_.Leave(); }

  Connection& connection() { return connection_; }
  Millis statement_timeout() const { return statement_timeout_; }
  int pid() const { return pid_; }                        // 0 while it does not get in.
  const std::vector<int>& pids() const { return pids_; }  // All that it had.

 private:
  Result<> ComeBack();

  const CollectContext& context_;
  Connection& kept_;
  const ServerFacts& server_;
  const std::string oid_;
  const std::string name_;
  const Millis statement_timeout_;
  Connection connection_;
  std::size_t remembered_ = 0;  // Bytes.
  Result<> failure_;
  int pid_ = 0;
  std::vector<int> pids_;
};

}  // namespace tocsin::collectors::postgres
