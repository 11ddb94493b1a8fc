#pragma once

// Connects to PostgreSQL without ever blocking beyond the deadline: names are
// looked up aside, and libpq's own steps are polled. An attempt that hangs stays
// open and is taken up again by the next collection, so that a server that does
// not answer never holds more than one of our connections in its queue.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collectors/collector.h"
#include "collectors/postgres/host_lookup.h"
#include "collectors/postgres/postgres_config.h"

struct pg_conn;

namespace tocsin::collectors::postgres {

struct CloseConnection {
  void operator()(pg_conn* connection) const;
};
using ConnectionHandle = std::unique_ptr<pg_conn, CloseConnection>;

// Not thread-safe. `options` and `files` must outlive it.
class Dialer {
 public:
  Dialer(const PostgresOptions& options, FileSystem& files)
      : options_(options), files_(files), password_(options.password) {}

  // An established connection, with the password that its file holds now. Tries the servers and
  // their addresses in turn, each with its share of the time left. Errors: kUnavailable,
  // kPermissionDenied, kDeadlineExceeded, kCancelled, kCorruption (not PostgreSQL that answers).
  Result<ConnectionHandle> Dial(const CollectContext& context);

 private:
  struct Attempt {
    ConnectionHandle connection;
    std::string where;
    SteadyTime started{};
    bool wants_read = false;
  };
  struct Endpoint {
    ServerAddress server;
    std::string session_attributes;  // target_session_attrs of this attempt; empty: as configured.
  };

  Result<std::vector<Endpoint>> FindEndpoints(const CollectContext& context);
  Result<Attempt> Start(const Endpoint& endpoint, SteadyTime now) const;
  // Moves an attempt on until it is established, fails, or `until` passes.
  Result<> Advance(Attempt& attempt, SteadyTime until, const CollectContext& context) const;

  const PostgresOptions& options_;
  FileSystem& files_;
  Secret password_;
  HostLookup lookup_;
  std::unique_ptr<Attempt> pending_;
};

// What libpq says of a failed connection, in one line, with what kind of error it
// is. `message` as with PQERRORS_VERBOSE: the SQLSTATE follows the severity.
Error ConnectError(const std::string& message);

}  // namespace tocsin::collectors::postgres
